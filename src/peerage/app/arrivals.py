"""Knows when somebody can be asked: a node that has just started has no neighbours yet.

Invariant: it waits only while the node is alone, and never longer than it is told.
"""

from __future__ import annotations

import asyncio
from typing import Final

from peerage.peer.connection import PeerConnection
from peerage.peer.service import Service

_YOUTH: Final = 10.0  # seconds after the start in which the first neighbours come


class Arrivals(Service):
    """Notices the first neighbour."""

    name = "arrivals"

    def __init__(self, *, expected: bool) -> None:
        self._expected = expected  # others may be found that are not known yet, on the local network say
        self._somebody = asyncio.Event()
        self._young_until = asyncio.get_running_loop().time() + _YOUTH

    def peer_connected(self, connection: PeerConnection) -> None:
        """Let those who wait go on."""
        del connection
        self._somebody.set()

    def peer_disconnected(self, connection: PeerConnection) -> None:
        """Wait again, once the last one has gone."""
        if not any(each is not connection for each in self.peer.neighbours()):
            self._somebody.clear()

    def _hopes(self) -> bool:
        if self.peer.table.best():
            return True
        return self._expected and asyncio.get_running_loop().time() < self._young_until

    @property
    def may_come(self) -> bool:
        """Whether there is no neighbour, but one may come soon."""
        return not self._somebody.is_set() and self._hopes()

    async def wait(self, seconds: float) -> bool:
        """Wait for a neighbour when there is none but one may come soon; whether there is one now."""
        if self.may_come:
            try:
                async with asyncio.timeout(seconds):
                    await self._somebody.wait()
            except TimeoutError:
                return False
        return self._somebody.is_set()
