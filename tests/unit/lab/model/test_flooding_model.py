"""Judging a stride of messages at once gives what judging them one by one does."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from itertools import count

import numpy as np
import pytest

from peerage.lab.model.asking import Answer, Asking, Link
from peerage.lab.model.contents import Contents
from peerage.lab.model.flood_world import FloodWorld
from peerage.lab.model.flooding import Batch
from peerage.lab.model.spec import ModelSpec
from peerage.lab.model.tally import Receipts
from peerage.lab.model.workload import Query, Workload


class OneByOne:
    """The rules of flooding, message by message, with a heap: slow, and easy to see through."""

    def __init__(self, world: FloodWorld, query: Query) -> None:
        self.world, self.query = world, query
        self.near = {
            int(p): level for level, peers in reversed([*enumerate(world.near(query.words), 1)]) for p in peers
        }
        answering, records, meant = (each.tolist() for each in world.answers(query))
        self.records = dict(zip(answering, records, strict=True))
        self.meant = {peer for peer, has in zip(answering, meant, strict=True) if has}
        self.seen: dict[int, int] = {}
        self.back: dict[int, int] = {}
        self.heap: list = []
        self.order = count()
        self.received: Counter[int] = Counter()

    def send(self, here: int, there: int, ttl: int, now: float) -> None:
        at = now + float(self.world.latency(np.array([here]), np.array([there]))[0])
        heapq.heappush(self.heap, (at, there, next(self.order), here, ttl))

    def run(self):
        world, query = self.world, self.query
        far = world.depth + 1
        links = [
            Link(int(p), world.degree(p), self.near.get(int(p), far) if world.depth else 1)
            for p in world.links(query.asker)
        ]
        rng = random.Random(f"asking {world.seed} {query.number}")
        asking = Asking(world.rules, world.bounds(query), links, rng)
        while self.heap or not asking.over:
            until = self.heap[0][0] if self.heap else float("inf")
            if asking.next_event < until:
                for ask in asking.run(asking.next_event + 1e-9):
                    self.send(query.asker, ask.link, ask.ttl, ask.at)
            else:
                self.take(asking, *heapq.heappop(self.heap))
        return asking.outcome(), self.received

    def take(self, asking: Asking, now: float, here: int, _order: int, source: int, ttl: int) -> None:
        world = self.world
        self.received[here] += 1
        before = self.seen.get(here, 0)
        if here == self.query.asker or (before and (ttl <= before or not world.rules.second_copies)):
            return
        self.seen[here] = ttl
        if not before:
            self.back[here] = source
        for other in world.links(here).tolist():
            if other == source or ttl == 1:
                continue
            if ttl - 1 <= world.rules.table_depth and self.near.get(other, 99) > ttl - 1:
                continue
            self.send(here, other, ttl - 1, now)
        if not before and self.records.get(here):
            at, hops, last, where = now, 0, here, here
            while where != self.query.asker:
                following = self.back[where]
                at += float(world.latency(np.array([where]), np.array([following]))[0])
                last, where, hops = where, following, hops + 1
                self.received[where] += 1
            asking.offer(Answer(at, hops, last, self.records[here], here in self.meant))


@pytest.mark.parametrize("generation", ["flood", "flood-2001"])
def test_a_stride_at_once_is_the_same_as_one_by_one(generation: str) -> None:
    spec = ModelSpec(generation=generation, peers=300, queries=24)
    contents = Contents(spec)
    workload = Workload(spec, contents)
    world = FloodWorld(spec, contents, workload.alive)
    receipts = Receipts(spec.peers)

    done = Batch(world, workload.queries, receipts).run()

    received: Counter[int] = Counter()
    for query, ours in zip(workload.queries, done, strict=True):
        outcome, messages = OneByOne(world, query).run()
        assert ours.outcome.found == outcome.found
        assert ours.outcome.hits == outcome.hits
        assert ours.outcome.hops == outcome.hops
        assert ours.outcome.first == pytest.approx(outcome.first)
        assert ours.outcome.last == pytest.approx(outcome.last)
        assert ours.traffic.messages == messages.total()
        received += messages
    who, counts = receipts.all()
    assert dict(zip(who.tolist(), counts.tolist(), strict=True)) == dict(received)
    assert any(each.outcome.found for each in done)


def test_tables_save_messages_and_change_nothing_that_is_found_near() -> None:
    spec = ModelSpec(generation="flood", peers=1000, queries=60)
    contents = Contents(spec)
    workload = Workload(spec, contents)
    world = FloodWorld(spec, contents, workload.alive)
    with_tables = Batch(world, workload.queries, Receipts(spec.peers)).run()
    world.near = lambda words: [np.arange(spec.peers)]  # everybody says yes
    without = Batch(world, workload.queries, Receipts(spec.peers)).run()

    assert sum(d.traffic.messages for d in with_tables) < 0.3 * sum(d.traffic.messages for d in without)
    assert sum(d.outcome.found for d in without) >= sum(d.outcome.found for d in with_tables)
