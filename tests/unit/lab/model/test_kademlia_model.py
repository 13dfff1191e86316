"""Routing tables and regions of the model are those of Kademlia, and walks through them find what is stored."""

from __future__ import annotations

import numpy as np
import pytest

from peerage.lab.model.contents import Contents
from peerage.lab.model.dht_world import DhtWorld
from peerage.lab.model.kademlia import ID_BITS, Asked, Kademlia
from peerage.lab.model.spec import ModelSpec
from peerage.lab.model.tally import Receipts, kinds_of
from peerage.lab.model.workload import Workload
from peerage.overlay.dht.rules import DhtRules

RULES = DhtRules()


def table_of(peers: int, seed: int = 1) -> Kademlia:
    return Kademlia(ModelSpec(generation="dht", peers=peers, seed=seed), np.ones(peers, dtype=np.bool_), RULES)


def contacts_of(table: Kademlia, peer: int) -> list[int]:
    return [each for each in table._contacts(np.array([peer]))[0].tolist() if each >= 0]


@pytest.mark.parametrize("peers", [100, 3000])
def test_a_bucket_holds_what_it_can_of_the_peers_that_belong_there(peers: int) -> None:
    table = table_of(peers)
    ids = [int(each) for each in table.ids]

    for peer in range(0, peers, peers // 10):
        contacts = contacts_of(table, peer)
        assert len(set(contacts)) == len(contacts)
        assert peer not in contacts
        there = np.bincount(
            [ID_BITS - (ids[o] ^ ids[peer]).bit_length() for o in range(peers) if o != peer], minlength=64
        )
        held = np.bincount([ID_BITS - (ids[o] ^ ids[peer]).bit_length() for o in contacts], minlength=64)
        for depth in range(64):
            most = min(int(there[depth]), RULES.bucket)
            assert held[depth] <= most
            if there[depth] <= 64:
                assert held[depth] == most
            assert held[depth] >= most - 5  # drawn twice, now and then
        assert contacts == contacts_of(table, peer)


def test_who_is_asked_names_the_nearest_that_it_knows() -> None:
    table = table_of(2000)
    peers, askers = np.arange(0, 2000, 40), np.arange(50)
    targets = np.array([table.key_of(word) for word in range(50)], dtype=np.uint64)

    answers = table.closest(Asked(peers, targets, askers))

    for peer, target, asker, answer in zip(peers.tolist(), targets.tolist(), askers.tolist(), answers, strict=True):
        known = sorted((int(table.ids[c]) ^ target, c) for c in contacts_of(table, peer) if c != asker)
        assert sorted(answer.tolist()) == sorted(c for _, c in known[: RULES.bucket])


@pytest.mark.parametrize("peers", [100, 5000])
def test_the_keepers_of_a_key_are_the_nearest_to_it(peers: int) -> None:
    table = table_of(peers)

    counts = []
    for word in range(40):
        key = table.key_of(word)
        keepers = table.keepers(key).tolist()
        nearest = sorted(range(peers), key=lambda peer: int(table.ids[peer]) ^ key)
        assert keepers == nearest[: len(keepers)]
        assert RULES.region_min <= len(keepers) <= RULES.region_max
        counts.append(len(keepers))
    assert RULES.region - 3 < sum(counts) / len(counts) < RULES.region + 4


def test_searches_find_what_is_stored_in_a_few_steps() -> None:
    spec = ModelSpec(generation="dht", peers=1000, queries=30)
    contents = Contents(spec)
    workload = Workload(spec, contents)
    world = DhtWorld(spec, contents, workload.alive)
    receipts = Receipts(spec.peers)

    done = world.run(workload.queries, receipts)

    assert all(each.outcome.found for each in done)
    assert all(each.outcome.hops <= 4 for each in done)
    assert receipts.all()[1].sum() == sum(each.traffic.messages for each in done)
    popular, rare, _ = kinds_of(done)
    assert popular.messages < rare.messages < 4 * RULES.walk_questions


def test_contacts_that_have_gone_cost_time_and_not_the_result() -> None:
    results = {}
    for gone in (0.0, 0.4):
        spec = ModelSpec(generation="dht", peers=1000, queries=90, gone=gone)
        contents = Contents(spec)
        workload = Workload(spec, contents)
        results[gone] = kinds_of(DhtWorld(spec, contents, workload.alive).run(workload.queries, Receipts(1000)))

    assert all(each.success >= 0.95 for each in results[0.4])
    calm, gone = (sum(each.first.p95 for each in results[share]) for share in (0.0, 0.4))
    assert gone > calm
