"""What happens in this node, for those who follow it: changes, each with a number, kept for a short while.

Invariant: of each kind a bounded number of changes is kept, once for all who follow, however many and however slow they
are; whoever has missed one is told to reload instead of being given a gap. While nobody follows a kind, and for a
minute after, nothing of it is made. What the changes are is the business of `feeds`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from peerage.app.api.event_models import KINDS, EventsBegan, EventsReload, Kind
from peerage.app.api.models import Answer
from peerage.errors import LimitError
from peerage.limits import EVENTS_KEPT, MAX_FOLLOWERS

_QUIET: Final = 15.0  # seconds after which a stream shows that it lives
_GRACE: Final = 60.0  # seconds for which changes are kept for a follower that comes back


class Numbered(NamedTuple):
    """One change, and what to say to go on behind it."""

    id: str
    event: Answer


class EventHub:
    """Takes changes and hands them on; `run` tells the numbers of one run of the node from those of another."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._number = 0
        self._rings: dict[Kind, deque[tuple[int, Answer]]] = {kind: deque(maxlen=EVENTS_KEPT) for kind in KINDS}
        self._lost: dict[Kind, int] = dict.fromkeys(KINDS, 0)  # the newest number that is not kept
        self._following: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self._kept_until: dict[Kind, float] = dict.fromkeys(KINDS, 0.0)
        self._followers = 0
        self._news = asyncio.Event()

    def followed(self, kind: Kind) -> bool:
        """Whether somebody follows this kind now."""
        return self._following[kind] > 0

    def wanted(self, kind: Kind) -> bool:
        """Whether changes of this kind are worth making: somebody follows them, or did a moment ago."""
        return self.followed(kind) or asyncio.get_running_loop().time() < self._kept_until[kind]

    def publish(self, kind: Kind, event: Answer) -> None:
        """Hand on a change."""
        if not self.wanted(kind):
            self.skip(kind)
            return
        ring = self._rings[kind]
        if len(ring) == ring.maxlen:
            self._lost[kind] = ring[0][0]
        self._number += 1
        ring.append((self._number, event))
        self._wake()

    def skip(self, kind: Kind) -> None:
        """Note a change that nobody wants; who comes back later is told to reload."""
        self._rings[kind].clear()
        self._number += 1
        self._lost[kind] = self._number

    async def follow(self, kinds: Collection[Kind], after: str = "") -> AsyncGenerator[Numbered | None, None]:
        """Give the changes of these kinds: from now on, or behind the one that `after` names, while it is known.

        The first is EventsBegan, or EventsReload for one that comes too late; None now and then while nothing happens.
        Raises LimitError when too many follow.
        """
        with self._counted(kinds):
            cursor = self._cursor(kinds, after)
            if cursor is None:
                cursor = self._number
                yield Numbered(self._id(cursor), EventsReload() if after else EventsBegan())
            while True:
                news = self._news
                if any(self._lost[kind] > cursor for kind in kinds):
                    cursor = self._number
                    yield Numbered(self._id(cursor), EventsReload())
                    continue
                fresh = self._fresh(kinds, cursor)
                if fresh is not None:
                    cursor = fresh[0]
                    yield Numbered(self._id(cursor), fresh[1])
                elif not await _heard(news):
                    yield None

    # --- inside -------------------------------------------------------------------------------------------------

    def _fresh(self, kinds: Collection[Kind], cursor: int) -> tuple[int, Answer] | None:
        """Return the next change behind a number."""
        nexts = [found for kind in kinds if (found := _behind(self._rings[kind], cursor)) is not None]
        return min(nexts, key=lambda found: found[0]) if nexts else None

    def _cursor(self, kinds: Collection[Kind], after: str) -> int | None:
        """Return where to go on; None when that is not known, or changes since then are not kept."""
        run, _, number = after.rpartition("-")
        if run != self._run or not number.isascii() or not number.isdigit() or len(number) > 18:
            return None
        cursor = int(number)
        known = cursor <= self._number and all(self._lost[kind] <= cursor for kind in kinds)
        return cursor if known else None

    def _id(self, number: int) -> str:
        return f"{self._run}-{number}"

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    @contextmanager
    def _counted(self, kinds: Collection[Kind]) -> Iterator[None]:
        if self._followers >= MAX_FOLLOWERS:
            raise LimitError("MAX_FOLLOWERS", "ours", f"{MAX_FOLLOWERS} programs and pages follow already; close one")
        self._followers += 1
        for kind in kinds:
            self._following[kind] += 1
        try:
            yield
        finally:
            self._followers -= 1
            for kind in kinds:
                self._following[kind] -= 1
                self._kept_until[kind] = asyncio.get_running_loop().time() + _GRACE


def _behind(ring: deque[tuple[int, Answer]], cursor: int) -> tuple[int, Answer] | None:
    """Return the oldest entry with a higher number: from the end, where those who keep up find it at once."""
    found = None
    for entry in reversed(ring):
        if entry[0] <= cursor:
            break
        found = entry
    return found


async def _heard(news: asyncio.Event) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(_QUIET):
            await news.wait()
    return news.is_set()
