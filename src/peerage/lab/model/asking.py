"""One modelled search by flooding, at the end of who asks: overlay/flood/asking.py and widening.py without messages.

Whom to ask next, and when, is decided by the real machine (overlay/dynamic_query.py). Invariant: what happens is taken
in the order of its time, and nothing after the search has ended.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from peerage.identity.keys import PeerId
from peerage.lab.measure import Outcome
from peerage.limits import DYNAMIC_LAST_SECONDS
from peerage.overlay.dynamic_query import DynamicQuery, Goal, Target
from peerage.overlay.flood.state import FloodRules

_LINK_BYTES: Final = 4


class Answer(NamedTuple):
    """What arrives: when, over how many links and which of ours, how many records; and is the one meant there?"""

    at: float
    hops: int
    link: int
    records: int
    meant: bool
    source: int = 0  # who answers


Reader = Callable[[Answer], int]
"""Returns how many of the records of an answer are new."""


class Ask(NamedTuple):
    """What is sent: to whom, when, with which ttl."""

    link: int
    at: float
    ttl: int


class Link(NamedTuple):
    """A neighbour who can be asked: how many links it has, and the smallest ttl that makes sense there."""

    peer: int
    degree: int
    near: int


class Bounds(NamedTuple):
    """What one search may do; `hosts`: about how many there are, 0: nobody knows; `found`: so many at its start."""

    wanted: int
    deadline: float
    ttl: int
    hosts: int = 0
    found: int = 0


class Asking:
    """One search; its times are seconds from its start."""

    def __init__(
        self, rules: FloodRules, bounds: Bounds, links: Sequence[Link], rng: random.Random, read: Reader | None = None
    ) -> None:
        self._read = read or (lambda answer: answer.records)
        self._bounds = bounds
        self._links = links
        self._ttl = rules.max_ttl
        self._query: DynamicQuery | None = None
        if rules.dynamic is not None:
            ttl = min(bounds.ttl, rules.max_ttl)
            goal = Goal(bounds.wanted, ttl, rules.table_depth, bounds.deadline, bounds.hosts)
            targets = [Target(_named(each.peer), each.degree, each.near) for each in links]
            self._query = DynamicQuery(rules.dynamic, goal, targets, rng)
        self._asked_at: dict[int, float] = {}
        self._arrived: list[Answer] = []
        self._next_step = 0.0
        self._last_step = False
        self.over = bounds.found >= bounds.wanted
        self.ended = 0.0  # when it was over
        self.news: list[Answer] = []  # answers with something new, in the order in which they came
        self._found = bounds.found
        self._hops: int | None = None
        self._first: float | None = None
        self._last: float | None = None

    def offer(self, answer: Answer) -> None:
        """Take what will arrive."""
        heapq.heappush(self._arrived, answer)

    @property
    def next_event(self) -> float:
        """When something happens again; infinite when nothing does."""
        if self.over:
            return math.inf
        return min(self._next_step, self._bounds.deadline, self._arrived[0].at if self._arrived else math.inf)

    def run(self, until: float) -> Iterator[Ask]:
        """Do all that happens before a moment."""
        while self.next_event < until:
            self.ended = self.next_event
            if self.next_event >= self._bounds.deadline:
                self.over = True
            elif self._arrived and self._arrived[0].at <= self._next_step:
                self._take(heapq.heappop(self._arrived))
            else:
                yield from self._step(self._next_step)

    def outcome(self) -> Outcome:
        """Return how it went."""
        return Outcome(
            found=self._hops is not None, hits=self._found, hops=self._hops, first=self._first, last=self._last
        )

    # --- inside -----------------------------------------------------------------------------------------------------

    def _take(self, answer: Answer) -> None:
        if self._query is not None and answer.link in self._asked_at:
            self._query.note_answer(answer.hops, answer.at - self._asked_at[answer.link])
        fresh = min(self._read(answer), self._bounds.wanted - self._found)
        if not fresh:
            return
        self.news.append(answer._replace(records=fresh))
        self._found += fresh
        self._first = answer.at if self._first is None else self._first
        self._last = answer.at
        if answer.meant and self._hops is None:
            self._hops = answer.hops
        self.over = self._found >= self._bounds.wanted

    def _step(self, now: float) -> Iterator[Ask]:
        if self._last_step:
            self.over = True
            return
        if self._query is None:
            self._last_step, self._next_step = True, math.inf
            asks = [(each.peer, self._ttl) for each in self._links]
        else:
            step = self._query.next(self._found, now)
            if step is None:
                self._last_step, self._next_step = True, now + DYNAMIC_LAST_SECONDS
                self.over = not self._asked_at
                return
            asks = [(int.from_bytes(link, "big"), ttl) for link, ttl in step.asks]
            self._next_step = now + step.wait
        for link, ttl in asks:
            self._asked_at[link] = now
            yield Ask(link, now, ttl)


def _named(peer: int) -> PeerId:
    """Return what stands for the id of a peer: the machine only compares them."""
    return PeerId(peer.to_bytes(_LINK_BYTES, "big"))
