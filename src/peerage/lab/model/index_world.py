"""Indexes as a world of the model: who asks which of them, and what they answer (overlay/index/asking.py).

Invariant: an index knows what its holders have registered with it, and nothing else; a holder uses as many of the
servers as the rules say, an asker asks as many at once, and one more for each that has ended without enough.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from peerage.lab.census import Traffic
from peerage.lab.generations import GENERATIONS, Index1999
from peerage.lab.measure import Outcome
from peerage.lab.model.contents import Contents
from peerage.lab.model.earth import Earth
from peerage.lab.model.lists import Bools, Ints
from peerage.lab.model.randomness import source
from peerage.lab.model.sizes import index_sizes
from peerage.lab.model.spec import ModelSpec
from peerage.lab.model.tally import Done, Receipts
from peerage.lab.model.walks import DIAL_TRIPS
from peerage.lab.model.workload import Query
from peerage.overlay.index.rules import IndexRules

_AT_ONCE: Final = 10_000  # queries: each is a few steps


class _Known(NamedTuple):
    """The records that answer a query: of each, who holds it and whether it is of the item that is meant."""

    holders: Ints
    meant: Bools


class IndexWorld:
    """The first seats are servers; everybody has registered with some of them."""

    def __init__(self, spec: ModelSpec, contents: Contents, alive: Bools) -> None:
        self.at_once = _AT_ONCE
        self._rules = IndexRules.classic_1999() if spec.generation == Index1999.name else IndexRules()
        self._servers = GENERATIONS[spec.generation].servers
        self._spec = spec
        self._contents = contents
        self._alive = alive
        self._earth = Earth(spec)
        self._sizes = index_sizes()
        ranks = source(spec.seed, "servers").random((spec.peers, self._servers), dtype=np.float32)
        self._preferred = np.argsort(ranks, axis=1).astype(np.int8)  # of each peer; the first ones it uses

    def run(self, queries: Sequence[Query], receipts: Receipts) -> list[Done]:
        """Run queries."""
        return [self._search(query, receipts) for query in queries]

    def links_of_peers(self) -> None:
        """Links come and go with the questions."""

    def components(self) -> None:
        """Links do not hold the network together: the servers do."""

    # --- inside -----------------------------------------------------------------------------------------------------

    def _search(self, query: Query, receipts: Receipts) -> Done:
        known = self._matching(query)
        reading = _Reading(self._spec, known)
        left = deque(int(each) for each in self._preferred[query.asker] if each != query.asker and self._alive[each])
        if not self._rules.widens:
            left = deque(list(left)[: self._rules.used])
        if query.asker < self._servers:
            reading.take(0.0, self._answer(known, query.asker))
        traffic = Traffic()
        under_way: list[tuple[float, int, float]] = []
        for _ in range(self._rules.used):
            self._ask(query.asker, left, under_way, 0.0)
        while under_way:
            now, server, trip = heapq.heappop(under_way)
            if trip:
                if not reading.over:  # enough may have come while it was dialled
                    heapq.heappush(under_way, (now + trip, server, 0.0))
                continue
            answer = self._answer(known, server)
            traffic += self._cost(known.holders[answer])
            receipts.note(np.array([server] + [query.asker] * (1 + (len(answer) > 0))))
            reading.take(now, answer)
            if self._rules.widens and not reading.over:
                self._ask(query.asker, left, under_way, now)
        return Done(query.number, query.kind, reading.outcome(), traffic)

    def _ask(self, asker: int, left: deque[int], under_way: list[tuple[float, int, float]], now: float) -> None:
        """Dial the next index: links to indexes are not held; the question goes there and back after that."""
        if left:
            server = left.popleft()
            trip = 2 * float(self._earth.latency(np.array([asker]), np.array([server]))[0])
            heapq.heappush(under_way, (now + DIAL_TRIPS * trip, server, trip))

    def _matching(self, query: Query) -> _Known:
        """Return all records that answer, in the order in which every index tells them."""
        items = self._contents.matching(*query.words)
        places, holders = self._contents.holders.expand(items)
        kept = np.flatnonzero(self._alive[holders] & (holders != query.asker))
        order = source(self._spec.seed, f"search {query.number}").permutation(kept)
        return _Known(holders[order], (items == query.item)[places[order]])

    def _answer(self, known: _Known, server: int) -> Ints:
        """Return which of the records a server tells of."""
        used = (self._preferred[known.holders][:, : self._rules.used] == server).any(axis=1)
        return np.flatnonzero(used | (known.holders == server))[: self._spec.wanted]

    def _cost(self, holders: Ints) -> Traffic:
        sizes, some = self._sizes, len(holders) > 0
        answer = sizes.part * some + len(np.unique(holders)) * sizes.holder + len(holders) * sizes.record
        return Traffic(2 + some, sizes.question + sizes.end + answer)


class _Reading:
    """What has been found so far."""

    def __init__(self, spec: ModelSpec, known: _Known) -> None:
        self._spec = spec
        self._known = known
        self._found: set[int] = set()
        self._meant = False
        self._first: float | None = None
        self._last: float | None = None

    @property
    def over(self) -> bool:
        """Whether there is enough."""
        return len(self._found) >= self._spec.wanted

    def take(self, now: float, records: Ints) -> None:
        """Read an answer, each record once, until there is enough."""
        if self.over or now >= self._spec.deadline:
            return
        fresh = [record for record in records.tolist() if record not in self._found]
        fresh = fresh[: self._spec.wanted - len(self._found)]
        if fresh:
            self._found.update(fresh)
            self._first = now if self._first is None else self._first
            self._last = now
            self._meant = self._meant or bool(self._known.meant[fresh].any())

    def outcome(self) -> Outcome:
        """Return how it went; an index is one link away."""
        hops = 1 if self._meant else None
        return Outcome(found=self._meant, hits=len(self._found), hops=hops, first=self._first, last=self._last)
