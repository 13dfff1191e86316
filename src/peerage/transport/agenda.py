"""What happens when, in a simulated network: events on a grid of time.

Invariant: events come out in the order of their times, and those of the same grid step in the order in which they were
put in; an event never runs in the step that put it in, so time always moves on. One timer of the event loop serves them
all, which is what makes thousands of peers cheap. Nothing here knows links or bytes.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

ItemT = TypeVar("ItemT")
Event = Callable[[], None]

_EARLY: Final = 1e-6  # steps by which rounding may make a timer seem early
_ROUNDING: Final = 1e-9  # seconds, the same for an item


class Agenda:
    """Events by the step in which they are due; `grain` is the length of a step in seconds."""

    def __init__(self, grain: float) -> None:
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time  # the loop's time
        self._grain = grain
        self._due: dict[int, deque[Event]] = {}
        self._steps: list[int] = []  # a heap
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_step = 0
        self._ringing = -1  # the step being run

    def at(self, when: float, event: Event) -> None:
        """Run `event` at this loop time, rounded up to the grid."""
        step = math.ceil(when / self._grain - _EARLY)
        if step <= self._ringing:
            step = self._ringing + 1
        events = self._due.get(step)
        if events is not None:
            events.append(event)
            return
        self._due[step] = deque((event,))
        heapq.heappush(self._steps, step)
        if self._ringing < 0 and (self._alarm is None or step < self._alarm_step):
            self._set_alarm()

    def after(self, delay: float, event: Event) -> None:
        """Run `event` in `delay` seconds."""
        self.at(self._loop.time() + delay, event)

    def soon(self, event: Event) -> None:
        """Run `event` once the callers have returned."""
        self._loop.call_soon(event)

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_step = self._steps[0]
        self._alarm = self._loop.call_at(self._alarm_step * self._grain, self._ring)

    def _ring(self) -> None:
        """Run every step that is due; should an event fail, the rest runs at the next alarm."""
        self._alarm = None
        last = math.floor(self._loop.time() / self._grain + _EARLY)
        try:
            while self._steps and self._steps[0] <= last:
                self._ringing = self._steps[0]
                events = self._due[self._ringing]
                while events:
                    events.popleft()()
                del self._due[heapq.heappop(self._steps)]
        finally:
            self._ringing = -1
            if self._steps:
                self._set_alarm()


class Conveyor(Generic[ItemT]):
    """Items under way, each with the time at which it comes out; they keep their order."""

    __slots__ = ("_agenda", "_items", "_latest", "_out")

    def __init__(self, agenda: Agenda, out: Callable[[list[ItemT]], None]) -> None:
        self._agenda = agenda
        self._items: list[tuple[float, ItemT]] = []
        self._latest = 0.0
        self._out = out

    def put(self, when: float, item: ItemT) -> None:
        """Let `item` come out at `when`, and never before what was put in earlier."""
        items = self._items
        if when < self._latest:
            when = self._latest
        else:
            self._latest = when
        items.append((when, item))
        if len(items) == 1:
            self._agenda.at(when, self._bring)

    def _bring(self) -> None:
        now = self._agenda.now() + _ROUNDING
        if len(self._items) == 1 and self._latest <= now:  # as nearly always
            only = self._items.pop()[1]
            self._out([only])
            return
        count = 0
        for when, _ in self._items:
            if when > now:
                break
            count += 1
        due = [item for _, item in self._items[:count]]
        del self._items[:count]
        if self._items:
            self._agenda.at(self._items[0][0], self._bring)
        if due:
            self._out(due)
