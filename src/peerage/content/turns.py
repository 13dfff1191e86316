"""Which downloads run: the first in the line, so many at once.

Invariant: never more than `most` run. A download that gets nothing for a while does not count against the number that
the owner set, so that dead ones do not keep living ones waiting; and when everything that runs is dead, the one that
has been so for longest gives way for a while. One that runs is otherwise stopped only when the owner changed the line
or the number. It has no clock and starts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from peerage.limits import BENCH_SECONDS, IDLE_SECONDS, MAX_ACTIVE_DOWNLOADS, YIELD_SECONDS


class Decision(NamedTuple):
    """What to start, in this order, and what to stop before."""

    start: tuple[bytes, ...] = ()
    stop: tuple[bytes, ...] = ()


class Turns:
    """Remembers who had to give way."""

    def __init__(self, most: int = MAX_ACTIVE_DOWNLOADS) -> None:
        self._most = most
        self._benched: dict[bytes, float] = {}  # until when

    def decide(
        self, line: Iterable[bytes], running: Mapping[bytes, float], at_once: int, now: float, *, anew: bool
    ) -> Decision:
        """Judge who is next; `line` are those who wait or run, `running` tells for how long each of them got nothing.

        `at_once` is the owner's number, 0 for none; `anew`: stop those who run out of turn.
        """
        self._benched = {content: until for content, until in self._benched.items() if now < until}
        at_once = at_once or self._most
        busy = {content for content, idle in running.items() if idle < IDLE_SECONDS}
        if anew:
            return self._anew(line, running, busy, at_once)
        room = min(self._most - len(running), at_once - len(busy))
        if room > 0:
            return Decision(tuple(islice(self._waiting(line, running), room)))
        if len(running) >= self._most and next(self._waiting(line, running), None) is not None:
            return self._give_way(running, now)
        return Decision()

    def _waiting(self, line: Iterable[bytes], running: Mapping[bytes, float]) -> Iterator[bytes]:
        """Yield who waits, those last who had to give way."""
        benched = []
        for content in line:
            if content in self._benched:
                benched.append(content)
            elif content not in running:
                yield content
        yield from (content for content in benched if content not in running)

    def _anew(self, line: Iterable[bytes], running: Mapping[bytes, float], busy: set[bytes], at_once: int) -> Decision:
        chosen: dict[bytes, None] = {}
        counted = 0
        for content in line:
            if counted >= at_once or len(chosen) >= self._most:
                break
            if content not in self._benched:
                chosen[content] = None
                counted += content not in running or content in busy
        stop = tuple(content for content in running if content not in chosen)
        return Decision(tuple(content for content in chosen if content not in running), stop)

    def _give_way(self, running: Mapping[bytes, float], now: float) -> Decision:
        idlest = max(running, key=lambda content: running[content])
        if running[idlest] < YIELD_SECONDS:
            return Decision()
        self._benched[idlest] = now + BENCH_SECONDS
        return Decision(stop=(idlest,))
