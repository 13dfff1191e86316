"""Who reads a download while it comes in, and how far: the positions that go before everything else.

Invariant: what a reader waits for is urgent as long as the reader is there, and at the place where it is now; one that
leaves gives its urgency back, however it leaves. A bounded stretch is urgent for each. Where the bytes come from, and
how many readers there may be, is decided in `reading`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from peerage.content.scheduler import Scheduler

Refill = Callable[[], None]


class Position:
    """Where one reader is."""

    def __init__(self, moved: Callable[[], None]) -> None:
        self._moved = moved
        self.pieces = range(0)

    def move(self, pieces: range) -> None:
        """Wait for these pieces from now on."""
        if pieces != self.pieces:
            self.pieces = pieces
            self._moved()


class Readers:
    """The readers of one download; `refill` lets its sources order what has become urgent."""

    def __init__(self, refill: Refill) -> None:
        self._refill = refill
        self._positions: list[Position] = []
        self._scheduler: Scheduler | None = None
        self._news: asyncio.Event | None = None  # made when somebody asks for it

    @contextmanager
    def position(self) -> Iterator[Position]:
        """Be a reader for the duration of the block."""
        position = Position(self._urge)
        self._positions.append(position)
        try:
            yield position
        finally:
            self._positions.remove(position)
            self._urge()

    def attach(self, scheduler: Scheduler) -> None:
        """Have pieces fetched by this scheduler from now on."""
        self._scheduler = scheduler
        if self._positions:
            self._urge()
        self.tell()

    def detach(self) -> None:
        """Note that nothing is fetched for now."""
        self._scheduler = None

    def tell(self) -> None:
        """Wake those who wait: a piece has come, or the download stands otherwise than before."""
        news, self._news = self._news, None
        if news is not None:
            news.set()

    def news(self) -> asyncio.Event:
        """Return what is set at the next news; take it before looking, so that nothing is missed."""
        if self._news is None:
            self._news = asyncio.Event()
        return self._news

    def _urge(self) -> None:
        if self._scheduler is not None:
            self._scheduler.urge({index for position in self._positions for index in position.pieces})
            self._refill()
