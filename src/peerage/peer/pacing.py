"""Speed limits of one link: bytes leave, or are taken, no faster than a pace allows.

Invariant: what was written leaves in order and all of it; a paced link behaves to its connection as a slow one does
(`pause_writing` when much waits, `resume_writing` when it has gone). Links that share a pace take turns, a portion
each. A change of the pace is felt at once. How fast is fast enough is decided by whoever owns the pace.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from peerage.limits import KIB, MIB
from peerage.transport.base import Link

_PORTION_SECONDS: Final = 0.05  # of the pace: short enough to look even, long enough not to cost much
_LEAST_PORTION: Final = 4 * KIB
_MOST_PORTION: Final = 64 * KIB
_WRITE_HIGH: Final = MIB  # bytes that wait here at which the connection is told to pause, as links do
_WRITE_LOW: Final = _WRITE_HIGH // 4
_LOOK_AGAIN: Final = 0.5  # seconds between two looks whether the pace has changed


class Pace(Protocol):
    """A rate that several links share."""

    @property
    def rate(self) -> int:
        """Bytes a second; 0 is no limit."""

    def spend(self, count: int, now: float) -> float:
        """Let `count` bytes pass; returns the seconds to wait before the next."""


class Brake:
    """Stops after some bytes for as long as the pace says, and then calls `go_on`."""

    def __init__(self, pace: Pace, go_on: Callable[[], None]) -> None:
        self._pace = pace
        self._go_on = go_on
        self._loop = asyncio.get_running_loop()
        self._until = 0.0
        self._rate = 0  # for which that was reckoned
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_on(self) -> bool:
        """Whether nothing may pass now."""
        return self._timer is not None

    def spend(self, count: int) -> bool:
        """Let bytes pass; False when no more may until `go_on` is called."""
        now = self._loop.time()
        wait = self._pace.spend(count, now)
        if wait > 0:
            self._until, self._rate = now + wait, self._pace.rate
            self._set_timer()
        return wait <= 0

    def release(self) -> None:
        """Forget it all."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        self.release()
        self._timer = self._loop.call_at(min(self._until, self._loop.time() + _LOOK_AGAIN), self._look)

    def _look(self) -> None:
        if self._loop.time() < self._until and self._pace.rate == self._rate:
            self._set_timer()
        else:
            self._timer = None
            self._go_on()


class PacedWriter:
    """What stands between a connection and its link; keeps what may not leave yet.

    `pause` and `resume` are the connection's own, for when too much waits here.
    """

    def __init__(self, link: Link, pace: Pace, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._link = link
        self._pace = pace
        self._pause = pause
        self._resume = resume
        self._brake = Brake(pace, self._pump)
        self._waiting: deque[memoryview] = deque()
        self._size = 0
        self._link_full = False
        self._paused = False
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, in order; `data` has been taken when this returns."""
        if not self._waiting and not self._brake.is_on and not self._link_full and not self._pace.rate:
            self._link.write(data)
            self._brake.spend(len(data))
            return
        self._waiting.append(memoryview(bytes(data)))
        self._size += len(data)
        self._pump()
        self._tell()

    def unsent(self) -> int:
        """Return how many bytes wait to be sent."""
        return self._size + self._link.unsent()

    def link_paused(self) -> None:
        """The link itself takes no more."""
        self._link_full = True
        self._tell()

    def link_resumed(self) -> None:
        """It goes on."""
        self._link_full = False
        self._pump()
        self._tell()

    def close(self) -> None:
        """End the link when all has left."""
        self._closing = True
        self._pump()

    def drop(self) -> None:
        """The link is gone."""
        self._brake.release()
        self._waiting.clear()
        self._size = 0

    def _pump(self) -> None:
        """Send what may go now."""
        while self._waiting and not self._brake.is_on and not self._link_full:
            portion = self._next_portion()
            self._link.write(portion)
            self._brake.spend(len(portion))
        self._tell()
        if self._closing and not self._waiting:
            self._link.close()

    def _next_portion(self) -> memoryview:
        rate, first = self._pace.rate, self._waiting[0]
        room = min(max(int(rate * _PORTION_SECONDS), _LEAST_PORTION), _MOST_PORTION) if rate else len(first)
        if len(first) <= room:
            self._waiting.popleft()
        else:
            self._waiting[0] = first[room:]
        self._size -= min(len(first), room)
        return first[:room]

    def _tell(self) -> None:
        """Let the connection pause or go on, by what waits here and at the link."""
        if not self._paused and (self._link_full or self._size > _WRITE_HIGH):
            self._paused = True
            self._pause()
        elif self._paused and not self._link_full and self._size <= _WRITE_LOW:
            self._paused = False
            self._resume()
