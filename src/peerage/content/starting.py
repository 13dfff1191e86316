"""Starts downloads whose turn has come, and stops those that run out of turn, as `turns` judges.

Invariant: what is stopped has ended its run before its place is given to another. It does not know the book.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from peerage.content.download import Download
from peerage.content.rate import RateLimit
from peerage.content.roster import Roster
from peerage.content.status import DownloadState
from peerage.content.turns import Decision, Turns
from peerage.errors import LimitError
from peerage.limits import MAX_IN_FLIGHT, MIB

log = logging.getLogger("peerage.content")

_LEAST_ROOM: Final = MIB  # bytes in flight of a download, however slow it is to be
_SLOW_SECONDS: Final = 4  # of a speed limit's worth are in flight, so that few sources do not wait for many


class Starting:
    """Who runs, of those in a roster; `rate` is the speed limit of all together."""

    def __init__(self, roster: Roster, rate: RateLimit) -> None:
        self._roster = roster
        self._rate = rate
        self._turns = Turns()
        self._at_once = 0
        self._anew = False  # the owner changed the order, or how many may run
        self._to_stop: tuple[bytes, ...] = ()  # those that give way

    @property
    def at_once(self) -> int:
        """How many may run, as the owner set it; 0 is no number."""
        return self._at_once

    @at_once.setter
    def at_once(self, count: int) -> None:
        if count != self._at_once:
            self._at_once, self._anew = count, True

    def reorder(self) -> None:
        """Judge everything anew at the next `stop_some`: the order is another."""
        self._anew = True

    def begin(self) -> None:
        """Start downloads while there is room, the first in line first."""
        if self._roster.waiting:
            decision = self._decide(anew=False)
            self._to_stop = decision.stop or self._to_stop
            self._start(decision.start)
        self.share_room()

    async def stop_some(self) -> list[bytes]:
        """Let those wait again that run out of turn, or give way; returns them."""
        if self._anew:
            decision, self._anew = self._decide(anew=True), False
            self._to_stop = decision.stop
        contents, self._to_stop = self._to_stop, ()
        stopped = [content for content in contents if content in self._roster.running]
        for content in stopped:
            await self._roster.downloads[content].close()
        return stopped

    def share_room(self) -> None:
        """Divide the memory for pieces in flight among the downloads that run, more of it to the more urgent."""
        running = self._roster.running.values()
        whole = sum(map(_weight, running))
        for download in running:
            room = MAX_IN_FLIGHT * _weight(download) // whole
            if self._rate.rate:
                room = min(room, max(_SLOW_SECONDS * self._rate.rate // len(running), _LEAST_ROOM))
            if download.terms.limit:
                room = min(room, max(_SLOW_SECONDS * download.terms.limit, _LEAST_ROOM))
            download.set_room(room)

    def _decide(self, *, anew: bool) -> Decision:
        now = asyncio.get_running_loop().time()
        running = {content: _idle(download, now) for content, download in self._roster.running.items()}
        return self._turns.decide(self._roster.in_line(), running, self._at_once, now, anew=anew)

    def _start(self, contents: Sequence[bytes]) -> None:
        for content in contents:
            download = self._roster.downloads[content]
            try:
                download.start()
                download.swarm.last_byte = asyncio.get_running_loop().time()  # nobody is idle before he has begun
            except LimitError as error:
                log.info("%s waits: %s", download.wanted.target.name, error)


def _weight(download: Download) -> int:
    """Return how much room a download has, compared with others."""
    return 4 if download.terms.level > 0 else 1 if download.terms.level < 0 else 2


def _idle(download: Download, now: float) -> float:
    """Return for how many seconds a running download got nothing, while it could have."""
    waits = download.state in {DownloadState.FINDING, DownloadState.RUNNING}
    return now - download.swarm.last_byte if waits else 0.0
