"""What a node does from time to time: save the peer table, and measure how fast content goes.

Invariant: what is lost in a crash is at most a minute of what was learned about peers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from peerage.errors import ConfigError
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer

log = logging.getLogger("peerage.app")

_SAVE_SECONDS: Final = 60.0
_MEASURE_SECONDS: Final = 1.0
_SMOOTHING: Final = 0.4  # of a measurement in the shown speed: three seconds after a change it shows the new one


class Speed:
    """Bytes a second, from a total that only grows."""

    def __init__(self, total: Callable[[], int]) -> None:
        self._total = total
        self._last: int | None = None
        self._then = 0.0
        self.rate = 0.0

    def measure(self, now: float) -> None:
        """Look at the total again."""
        total, elapsed = self._total(), now - self._then
        if self._last is None:
            self._last, self._then = total, now
        elif elapsed > 0:
            fresh = (total - self._last) / elapsed
            self.rate += _SMOOTHING * (fresh - self.rate)
            self.rate = self.rate if self.rate > 1 else 0.0
            self._last, self._then = total, now


class Upkeep(Service):
    """Keeps the peer table on disk, and `down` and `up` measured; what the owner should read goes into `notices`."""

    name = "upkeep"

    def __init__(self, peers_file: Path, down: Callable[[], int], up: Callable[[], int], notices: list[str]) -> None:
        self._peers_file = peers_file
        self._notices = notices
        self.down = Speed(down)
        self.up = Speed(up)

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Return both."""
        return (Stabilizer(self._measure, _MEASURE_SECONDS, jitter=0.0), Stabilizer(self.save, _SAVE_SECONDS))

    async def start(self) -> None:
        """Remember the peers of the last run."""
        self._notices += await self.peer.in_thread(self._load)

    async def stop(self) -> None:
        """Save what was learned."""
        await self.save()

    async def save(self) -> None:
        """Write the peer table; a disk that refuses is noted and tried again later."""
        try:
            await self.peer.in_thread(self.peer.table.save, self._peers_file)
        except OSError as error:
            log.warning("the peer table cannot be saved: %s", error)

    def _load(self) -> list[str]:
        """Read the peer table; returns a notice when a damaged one had to be moved aside. Blocks."""
        try:
            self.peer.table.load(self._peers_file)
        except ConfigError as error:
            aside = self._peers_file.with_suffix(".damaged")
            self._peers_file.replace(aside)
            log.warning("%s", error)
            return [f"the list of known peers was damaged; it is now {aside}, and a new one was begun"]
        return []

    def _measure(self) -> None:
        now = asyncio.get_running_loop().time()
        self.down.measure(now)
        self.up.measure(now)
