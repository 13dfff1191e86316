"""Flooding over a modelled network, many queries at once: overlay/flood/engine.py and state.py as arrays.

No message takes less time than the shortest link. So time goes in strides of that length: nothing that happens in one
can be the cause of anything else in it, and all messages of all queries that arrive in it are judged together, in the
order of their times. The result is that of judging them one by one.
Invariant: a question is answered once and goes on by FloodRules (second copies, keyword tables, ttl). Rates and room on
the ways back are not modelled: the workloads come nowhere near them.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np

from peerage.lab.census import Traffic
from peerage.lab.model.asking import Answer, Asking, Bounds, Link, Reader
from peerage.lab.model.lists import Bools, Floats, Ints
from peerage.lab.model.sizes import FloodSizes
from peerage.lab.model.tally import Done, Receipts, SomeReceipts
from peerage.lab.model.workload import Query
from peerage.overlay.flood.state import FloodRules

_MEANT: Final = 128  # marks who holds the item that is meant
_ASKER: Final = 255  # a ttl above all: who asked takes no question of his own
_FAR: Final = 99  # a ttl with which no table has anything


class _Copies(NamedTuple):
    """Copies of questions on their way: at which cell they arrive, when, from which peer, with which ttl."""

    cells: Ints
    times: Floats
    sources: Ints
    ttls: Ints

    def at(self, chosen: Ints | Bools) -> _Copies:
        """Return some of them, in that order."""
        return _Copies(self.cells[chosen], self.times[chosen], self.sources[chosen], self.ttls[chosen])


class Waters(Protocol):
    """What a flood goes through: a network, who holds what on it, what tables say, and how large messages are."""

    rules: FloodRules
    peers: int
    seed: int
    by_holder: bool  # whether there is an answer for each holder, or one for all who are at one peer
    stride: float  # seconds over the shortest link
    sizes: FloodSizes

    @property
    def depth(self) -> int:
        """How many links tables cover."""

    def near(self, words: tuple[int, int]) -> list[Ints]:
        """Return whom it makes sense to ask with ttl 1, then with 2."""

    def answers(self, query: Query) -> tuple[Ints, Ints, Bools]:
        """Return who answers a query, with how many records, and whether the item that is meant is among them."""

    def bounds(self, query: Query) -> Bounds:
        """Return what a search may do."""

    def reader(self, query: Query) -> Reader | None:
        """Return what reads the answers of a search, where a record may come from several."""

    def links(self, peer: int) -> Ints:
        """Return the neighbours of one."""

    def degree(self, peer: int) -> int:
        """Return how many links one has."""

    def expand(self, peers: Ints) -> tuple[Ints, Ints]:
        """Return the neighbours of many."""

    def latency(self, here: Ints, there: Ints) -> Floats:
        """Return the seconds over some links."""


class Batch:
    """Some queries, from their first message to their last; a cell is one query at one peer."""

    def __init__(self, world: Waters, queries: Sequence[Query], receipts: Receipts | SomeReceipts) -> None:
        self._world = world
        self._rules: FloodRules = world.rules
        self._peers = world.peers
        self._queries = queries
        self._receipts = receipts
        cells = self._peers * len(queries)
        self._seen = np.zeros(cells, dtype=np.uint8)  # the largest ttl so far
        self._near = np.full(cells, _FAR, dtype=np.uint8)
        self._records = np.zeros(cells, dtype=np.uint8)  # that answer; _MEANT is one of them
        self._back = np.full(cells, -1, dtype=np.int32)
        self._number = 0.0  # of the stride that is under way
        self._waiting: defaultdict[int, list[_Copies]] = defaultdict(list)  # by stride
        self._questions = np.zeros(len(queries), dtype=np.int64)
        self._answers = np.zeros(len(queries), dtype=np.int64)
        self._carried = np.zeros(len(queries), dtype=np.int64)  # records times links
        self._askings = [self._begin(place, query) for place, query in enumerate(queries)]

    def run(self) -> list[Done]:
        """Run all of it."""
        while self._number < math.inf:
            self._ask_before((self._number + 1) * self._world.stride)
            arrived = self._waiting.pop(int(self._number), None)
            if arrived is not None:
                self._arrive(_Copies(*(np.concatenate(column) for column in zip(*arrived, strict=True))))
            self._number = max(self._number + 1, self._next_stride())
        return [self._done(place, query) for place, query in enumerate(self._queries)]

    def news(self) -> list[tuple[float, list[Answer]]]:
        """Return of each search when it ended, and the answers that brought something new."""
        return [(asking.ended, asking.news) for asking in self._askings]

    # --- who asks -----------------------------------------------------------------------------------------------------

    def _begin(self, place: int, query: Query) -> Asking:
        world, base = self._world, place * self._peers
        for level, peers in reversed(list(enumerate(world.near(query.words), 1))):
            self._near[base + peers] = level
        answering, records, meant = world.answers(query)
        self._records[base + answering] = records.clip(max=_MEANT - 1) + _MEANT * meant
        self._seen[base + query.asker] = _ASKER
        far = world.depth + 1
        links = [
            Link(int(peer), int(world.degree(peer)), min(int(self._near[base + peer]), far) if world.depth else 1)
            for peer in world.links(query.asker)
        ]
        rng = random.Random(f"asking {world.seed} {query.number}")  # noqa: S311 -- a simulation, not a secret
        return Asking(self._rules, world.bounds(query), links, rng, world.reader(query))

    def _ask_before(self, until: float) -> None:
        cells, times, sources, ttls = [], [], [], []
        for place, (query, asking) in enumerate(zip(self._queries, self._askings, strict=True)):
            if asking.next_event >= until:
                continue
            for ask in asking.run(until):
                cells.append(place * self._peers + ask.link)
                times.append(ask.at)
                sources.append(query.asker)
                ttls.append(ask.ttl)
        if cells:
            targets = np.array(cells)
            origin = np.array(sources, dtype=np.int32)
            arrive = np.array(times) + self._world.latency(origin, targets % self._peers)
            self._send(_Copies(targets, arrive, origin, np.array(ttls, dtype=np.uint8)))

    def _next_stride(self) -> float:
        event = min(asking.next_event for asking in self._askings)
        asking = event // self._world.stride if event < math.inf else math.inf
        return min(min(self._waiting, default=math.inf), asking)

    # --- what travels -------------------------------------------------------------------------------------------------

    def _send(self, copies: _Copies) -> None:
        """Put copies where they arrive."""
        strides = np.maximum(copies.times // self._world.stride, self._number + 1).astype(np.int64)
        for number in np.unique(strides):
            chosen = strides == number
            self._waiting[int(number)].append(copies.at(chosen))

    def _arrive(self, copies: _Copies) -> None:
        """Take all copies of one stride."""
        places = copies.cells // self._peers
        self._questions += np.bincount(places, minlength=len(self._queries))
        self._receipts.note(copies.cells % self._peers)
        order = np.lexsort((copies.times, copies.cells))
        copies = copies.at(order)
        turns = _turns(copies.cells)
        for turn in range(int(turns.max(initial=-1)) + 1):
            self._judge(copies.at(turns == turn))

    def _judge(self, copies: _Copies) -> None:
        """Take copies of which no two are for the same cell: answer the new ones, send on what may travel farther."""
        before = self._seen[copies.cells]
        passes = (copies.ttls > before) if self._rules.second_copies else (before == 0)
        copies, first = copies.at(passes), before[passes] == 0
        self._seen[copies.cells] = copies.ttls
        self._back[copies.cells[first]] = copies.sources[first]
        self._spread(copies.at(copies.ttls > 1))
        answering = first & (self._records[copies.cells] > 0)
        if answering.any():
            self._answer(copies.cells[answering], copies.times[answering])

    def _spread(self, copies: _Copies) -> None:
        peers = copies.cells % self._peers
        places, links = self._world.expand(peers)
        onward = links != copies.sources[places]
        places, links = places[onward], links[onward]
        cells = (copies.cells - peers)[places] + links
        ttls = copies.ttls[places] - 1
        kept = self._is_worth(cells, ttls)
        places, links, cells, ttls = places[kept], links[kept], cells[kept], ttls[kept]
        sources = peers[places].astype(np.int32)
        self._send(_Copies(cells, copies.times[places] + self._world.latency(sources, links), sources, ttls))

    def _is_worth(self, cells: Ints, ttls: Ints) -> Bools:
        """Return what keyword tables let pass: the last links only where there may be an answer."""
        return (ttls > self._rules.table_depth) | (self._near[cells] <= ttls)

    # --- what comes back ----------------------------------------------------------------------------------------------

    def _answer(self, cells: Ints, times: Floats) -> None:
        """Send answers all the way back, and tell who asked when they will arrive."""
        places = cells // self._peers
        askers = np.array([query.asker for query in self._queries])[places]
        records = self._records[cells] & ~np.uint8(_MEANT)
        meant = self._records[cells] >= _MEANT
        at = cells - places * self._peers
        parts = records.astype(np.int64) if self._world.by_holder else np.ones(len(cells), dtype=np.int64)
        hops = np.zeros(len(cells), dtype=np.int64)
        links = at.copy()
        under_way = np.arange(len(cells))
        times = times.copy()
        while len(under_way):
            here = at[under_way]
            there = self._back[places[under_way] * self._peers + here]
            links[under_way] = here
            times[under_way] += self._world.latency(here, there)
            hops[under_way] += 1
            at[under_way] = there
            self._receipts.note(np.repeat(there, parts[under_way]))
            under_way = under_way[there != askers[under_way]]
        self._answers += np.bincount(places, hops * parts, minlength=len(self._queries)).astype(np.int64)
        self._carried += np.bincount(places, hops * records, minlength=len(self._queries)).astype(np.int64)
        for place, *answer in zip(
            *(each.tolist() for each in (places, times, hops, links, records, meant, cells % self._peers)), strict=True
        ):
            self._askings[place].offer(Answer(*answer))

    def _done(self, place: int, query: Query) -> Done:
        sizes = self._world.sizes
        messages = int(self._questions[place] + self._answers[place])
        size = self._questions[place] * sizes.question + self._answers[place] * sizes.answer
        size += self._carried[place] * sizes.record
        return Done(query.number, query.kind, self._askings[place].outcome(), Traffic(messages, float(size)))


def _turns(cells: Ints) -> Ints:
    """Return for each of some ordered numbers how many equal ones came before it."""
    count = len(cells)
    if not count:
        return np.empty(0, dtype=np.int64)
    new = np.concatenate(([True], cells[1:] != cells[:-1]))
    starts = np.flatnonzero(new)
    return np.arange(count) - np.repeat(starts, np.diff(np.append(starts, count)))
