"""The searches of modelled leaves: one supernode is asked, the next ones when it brings little (supernode/asking.py).

A supernode's own search goes on whatever the leaf does, so all first searches are run, then the second ones of those
who need one, and so on. Invariant: a leaf counts each record once; whom it asks and when depends on what it has then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from peerage.lab.census import Traffic
from peerage.lab.measure import Outcome
from peerage.lab.model.asking import Answer
from peerage.lab.model.flooding import Batch
from peerage.lab.model.randomness import source
from peerage.lab.model.sizes import supernode_sizes
from peerage.lab.model.tally import Done, Receipts, SomeReceipts
from peerage.lab.model.workload import Query

if TYPE_CHECKING:
    from peerage.lab.model.supernode_world import SupernodeWorld


class _News(NamedTuple):
    """Something that reaches the leaf: when, over how many links, and which records."""

    at: float
    hops: int
    records: frozenset[int]


class _Leaf:
    """One search of a leaf."""

    def __init__(self, world: SupernodeWorld, query: Query) -> None:
        self.query = query
        rng = source(world.seed, f"search {query.number}")
        self.left = rng.permutation(np.array(world.serving(query.asker))).tolist()
        self.is_leaf = int(world.number_of[query.asker]) < 0
        self.news: list[_News] = []
        self.ends: list[float] = []
        self.asked_at: list[float] = []
        self.traffic = Traffic()
        self._world = world

    def due(self) -> float | None:
        """Return when the next supernode is asked; None when none is."""
        if not self.left:
            return None
        if not self.asked_at:
            return 0.0
        rules, deadline = self._world.role, self._world.spec.deadline
        few = min(self._world.spec.wanted, rules.few)
        last = self.asked_at[-1]
        moments = [
            last + rules.patience,
            *(end for end in self.ends if end > last),
        ]  # silent for too long, or at its end
        return next((at for at in sorted(moments) if at < deadline and self._found_by(at) < few), None)

    def outcome(self) -> Outcome:
        """Read all that has come, each record once."""
        wanted, deadline = self._world.spec.wanted, self._world.spec.deadline
        base = self.query.item * self._world.spec.peers
        known: set[int] = set()
        times: list[float] = []
        hops: int | None = None
        for each in sorted(self.news):
            fresh = sorted(each.records - known)[: wanted - len(known)]
            if each.at >= deadline or not fresh:
                continue
            known.update(fresh)
            times.append(each.at)
            if hops is None and any(base <= record < base + self._world.spec.peers for record in fresh):
                hops = each.hops
        first, last = (times[0], times[-1]) if times else (None, None)
        return Outcome(found=hops is not None, hits=len(known), hops=hops, first=first, last=last)

    def _found_by(self, at: float) -> int:
        return len(frozenset().union(*(each.records for each in self.news if each.at <= at)))


class Sessions:
    """Some searches of leaves, side by side."""

    def __init__(self, world: SupernodeWorld, queries: Sequence[Query], receipts: Receipts) -> None:
        self._world = world
        self._leaves = [_Leaf(world, query) for query in queries]
        self._receipts = receipts
        self._sizes = supernode_sizes()

    def run(self) -> list[Done]:
        """Run them all to their ends."""
        while waiting := [(leaf, at) for leaf in self._leaves if (at := leaf.due()) is not None]:
            self._ask([leaf for leaf, _ in waiting], [at for _, at in waiting])
        for leaf in self._leaves:
            self._world.forget(leaf.query)
        return [Done(each.query.number, each.query.kind, each.outcome(), each.traffic) for each in self._leaves]

    def _ask(self, leaves: Sequence[_Leaf], times: Sequence[float]) -> None:
        """Let each of some leaves ask its next supernode."""
        world = self._world
        supernodes = [leaf.left.pop(0) for leaf in leaves]
        queries = []
        for leaf, supernode in zip(leaves, supernodes, strict=True):
            found = sorted(world.records(leaf.query).get(supernode, frozenset()))[: world.spec.wanted]
            world.begin(leaf.query, frozenset(found))
            queries.append(leaf.query._replace(asker=supernode))
        batch = Batch(world, queries, SomeReceipts(self._receipts, world.seats))
        done = batch.run()
        askers = np.array([leaf.query.asker for leaf in leaves])
        ways = world.earth.latency(askers, world.seats[np.array(supernodes)]).tolist()
        for number, (leaf, supernode) in enumerate(zip(leaves, supernodes, strict=True)):
            leaf.traffic += done[number].traffic
            leaf.asked_at.append(times[number])
            self._hear(leaf, supernode, ways[number] if leaf.is_leaf else 0.0, batch.news()[number])

    def _hear(self, leaf: _Leaf, supernode: int, way: float, told: tuple[float, list[Answer]]) -> None:
        """Take what a supernode tells its leaf, part by part, and count the messages between the two."""
        world, (ended, answers) = self._world, told
        start = leaf.asked_at[-1] + 2 * way
        here = frozenset(sorted(world.records(leaf.query).get(supernode, frozenset()))[: world.spec.wanted])
        news = [_News(start, 1, here)] if here else []
        known = set(here)
        for answer in answers:
            fresh = frozenset(sorted(world.records(leaf.query)[answer.source] - known)[: answer.records])
            known.update(fresh)
            news.append(_News(start + answer.at, answer.hops + leaf.is_leaf, fresh))
        leaf.news += news
        leaf.ends.append(start + ended)
        if leaf.is_leaf:
            parts = bool(here) + sum(len(each.records) for each in news if each.hops > 1)
            size = self._sizes.question + self._sizes.end + parts * self._sizes.part + len(known) * self._sizes.record
            leaf.traffic += Traffic(2 + parts, size)
            self._receipts.note(np.array([world.seats[supernode]] + [leaf.query.asker] * (1 + parts)))
