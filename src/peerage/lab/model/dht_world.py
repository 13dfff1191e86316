"""The hash table as a world of the model: runs many searches at once, and counts what they cost.

Invariant: a question counts when it has left before its search ended, and so does its answer, however late it comes.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from peerage.lab.census import Traffic
from peerage.lab.model.contents import Contents
from peerage.lab.model.earth import Earth
from peerage.lab.model.kademlia import Asked, Kademlia
from peerage.lab.model.lists import Bools
from peerage.lab.model.randomness import source
from peerage.lab.model.sizes import dht_sizes
from peerage.lab.model.spec import ModelSpec
from peerage.lab.model.tally import Done, Receipts
from peerage.lab.model.walks import DIAL_TRIPS, Bounds, Search, Stored, Told
from peerage.lab.model.workload import Query, living
from peerage.overlay.dht.rules import DhtRules
from peerage.overlay.dht.timing import Patience

_AT_ONCE: Final = 1000
_MEASURED: Final = 200  # dials after which a node knows how long they take


class DhtWorld:
    """Everybody's tables, and what is stored where."""

    def __init__(self, spec: ModelSpec, contents: Contents, alive: Bools) -> None:
        self.rules = DhtRules()
        self.table = Kademlia(spec, alive, self.rules)
        self.earth = Earth(spec)
        self.sizes = dht_sizes()
        self.alive = alive
        self.at_once = _AT_ONCE
        self.stride = 2 * spec.nearest
        self.patience = self._usual_patience(spec)
        self._spec = spec
        self._contents = contents

    def run(self, queries: Sequence[Query], receipts: Receipts) -> list[Done]:
        """Run queries."""
        return _Round(self, queries, receipts).run()

    def links_of_peers(self) -> None:
        """Links come and go with the walks."""

    def components(self) -> None:
        """Links do not hold the table together."""

    def search(self, query: Query) -> Search:
        """Return a search as it begins."""
        bounds = Bounds(self._spec.wanted, self._spec.deadline)
        rng = source(self._spec.seed, f"search {query.number}")
        words = list(query.words)
        rng.shuffle(words)  # which of two looks rarer is a matter of their letters
        return Search(self.table, query.asker, [self._stored(word, query, rng) for word in words], bounds)

    def _stored(self, word: int, query: Query, rng: np.random.Generator) -> Stored:
        """Return what is kept under a word: all entries there is room for, and of those the ones that answer."""
        contents, key = self._contents, self.table.key_of(word)
        _, everything = contents.holders.expand(contents.with_word.row(word))
        answers = contents.matching(*query.words)
        _, matching = contents.holders.expand(answers)
        meant = len(living(contents.holders.row(query.item), self.alive))
        others = len(living(matching, self.alive)) - meant
        total, room = len(living(everything, self.alive)), self.rules.per_key
        if total > room:
            meant, others, _ = rng.multivariate_hypergeometric((meant, others, total - meant - others), room).tolist()
        keepers = frozenset(self.table.keepers(key).tolist())
        return Stored(key, keepers, meant + others, meant > 0)

    def _usual_patience(self, spec: ModelSpec) -> float:
        """Return how long a node waits for a dial, after many."""
        rng = source(spec.seed, "patience")
        ends = rng.integers(0, spec.peers, (2, _MEASURED))
        patience = Patience(DIAL_TRIPS)
        for seconds in (2 * DIAL_TRIPS * self.earth.latency(*ends)).tolist():
            patience.note(seconds)
        return patience.seconds


class _Asking(NamedTuple):
    """A question that somebody wants to ask at a moment."""

    place: int
    peer: int
    at: float


class _Round:
    """Some searches, side by side."""

    def __init__(self, world: DhtWorld, queries: Sequence[Query], receipts: Receipts) -> None:
        self._world = world
        self._queries = queries
        self._receipts = receipts
        self._searches = [world.search(query) for query in queries]
        self._linked: list[set[int]] = [set() for _ in queries]  # to whom each asker has links: whom it has asked
        self._told: list[tuple[float, int, int, Told]] = []  # by time; the number keeps those of one time in order
        self._numbered = 0
        self._traffic = [Traffic() for _ in queries]

    def run(self) -> list[Done]:
        """Run them all to their ends."""
        self._start(list(range(len(self._queries))), 0.0)
        while self._told:
            until = self._told[0][0] + self._world.stride
            asking: list[_Asking] = []
            ended: list[tuple[int, float]] = []
            while self._told and self._told[0][0] < until:
                _, _, place, told = heapq.heappop(self._told)
                self._take(place, told, asking, ended)
            self._ask(asking)
            for place, now in ended:
                self._start([place], now)
        return [
            Done(query.number, query.kind, search.outcome(), traffic)
            for query, search, traffic in zip(self._queries, self._searches, self._traffic, strict=True)
        ]

    def _start(self, places: list[int], now: float) -> None:
        """Begin the next walk of some searches, with the contacts that their askers have in their own tables."""
        begun = [place for place in places if self._searches[place].begin(now)]
        if not begun:
            return
        askers = np.array([self._queries[place].asker for place in begun])
        targets = np.array([self._searches[place].target for place in begun], dtype=np.uint64)
        asking: list[_Asking] = []
        for place, seeds in zip(begun, self._world.table.closest(Asked(askers, targets, askers)), strict=True):
            asking += [_Asking(place, peer, now) for peer in self._searches[place].seed(seeds, now)]
        self._ask(asking)

    def _take(self, place: int, told: Told, asking: list[_Asking], ended: list[tuple[int, float]]) -> None:
        search = self._searches[place]
        self._pay(place, told)
        if search.over_at is not None:
            return
        asking += [_Asking(place, peer, told.at) for peer in search.take(told)]
        if search.over_at is None and not search.walking:
            search.end_walk(told.at)
            if search.over_at is None:
                ended.append((place, told.at))

    def _pay(self, place: int, told: Told) -> None:
        """Count a question and its answer."""
        search, sizes = self._searches[place], self._world.sizes
        if told.peers is None or (search.over_at is not None and told.sent > search.over_at):
            return
        found = search.entries_of(told.peer)
        answer = sizes.answer + len(told.peers) * sizes.contact + found * (sizes.holder + sizes.record)
        self._traffic[place] += Traffic(2, sizes.question + answer)
        self._receipts.note(np.array([told.peer, self._queries[place].asker]))

    def _ask(self, asking: Sequence[_Asking]) -> None:
        """Ask all at once; what comes back, comes when it can."""
        if not asking:
            return
        peers = np.array([each.peer for each in asking])
        askers = np.array([self._queries[each.place].asker for each in asking])
        targets = np.array([self._searches[each.place].target for each in asking], dtype=np.uint64)
        trips = 2 * self._world.earth.latency(askers, peers)
        answers = self._world.table.closest(Asked(peers, targets, askers))
        for each, trip, alive, answer in zip(asking, trips.tolist(), self._world.alive[peers], answers, strict=True):
            linked = each.peer in self._linked[each.place]
            sent = each.at if linked else each.at + DIAL_TRIPS * trip
            at = sent + trip if alive else each.at + self._world.patience
            self._linked[each.place].add(each.peer)
            self._tell(each, Told(at, sent, each.peer, answer if alive else None))

    def _tell(self, asking: _Asking, told: Told) -> None:
        self._numbered += 1
        heapq.heappush(self._told, (told.at, self._numbered, asking.place, told))
