"""Leaves of the model are served by three supernodes each, find what is there, and ask further only when they must."""

from __future__ import annotations

import numpy as np

from peerage.lab.model.contents import Contents
from peerage.lab.model.spec import ModelSpec
from peerage.lab.model.supernode_world import SupernodeWorld
from peerage.lab.model.tally import Receipts, kinds_of
from peerage.lab.model.workload import Workload
from peerage.limits import SUPERNODE_SPARE

SPEC = ModelSpec(generation="supernode", peers=3000, queries=60)


def world_of(spec: ModelSpec) -> tuple[SupernodeWorld, Workload]:
    contents = Contents(spec)
    workload = Workload(spec, contents)
    return SupernodeWorld(spec, contents, workload.alive), workload


def test_everybody_has_three_supernodes_and_these_have_room() -> None:
    world, _ = world_of(SPEC)

    assert all(len(set(row)) == world.role.uplinks for row in world.uplinks.tolist())
    leaves = np.bincount(world.uplinks.ravel(), minlength=world.peers)
    assert leaves.max() <= 1.2 * world.role.leaves
    assert leaves.min() >= world.role.least_leaves
    assert world.network.lengths().min() >= world.role.degree
    assert world.network.lengths().max() <= world.role.degree + SUPERNODE_SPARE
    assert world.components() == 1


def test_a_record_is_told_by_all_who_were_handed_it() -> None:
    world, workload = world_of(SPEC)

    for query in workload.queries[:20]:
        records = world.records(query)
        for holder in world.contents.holders.row(query.item).tolist():
            record = query.item * SPEC.peers + holder
            assert {peer for peer, some in records.items() if record in some} == set(world.serving(holder))
        peers, counts, meant = world.answers(query)
        assert peers.tolist() == sorted(records)
        assert meant.any()
        assert counts.max() <= SPEC.wanted
        assert set(peers.tolist()) <= set(world.near(query.words)[0].tolist())


def test_searches_find_all_there_is_for_few_messages() -> None:
    world, workload = world_of(SPEC)
    receipts = Receipts(SPEC.peers)

    done = world.run(workload.queries, receipts)

    assert all(each.outcome.found for each in done)
    assert all(each.outcome.hits <= SPEC.wanted for each in done)
    assert all(each.messages < 300 for each in kinds_of(done))
    assert receipts.all()[1].sum() == sum(each.traffic.messages for each in done)


def test_one_that_brings_enough_is_the_only_one_asked() -> None:
    world, workload = world_of(SPEC)
    popular, rare, _ = (workload.queries[at : at + 20] for at in (0, 20, 40))

    most = kinds_of(world.run([q for q in popular if world.contents.copies[q.item] > 100], Receipts(SPEC.peers)))[0]
    few = kinds_of(world.run([q for q in rare if world.contents.copies[q.item] < 4], Receipts(SPEC.peers)))[1]

    assert most.hits == SPEC.wanted
    assert few.last.p50 < 1.0


def test_large_worlds_have_room_for_the_numbers_of_records() -> None:
    world, workload = world_of(ModelSpec(generation="supernode", peers=100_000, queries=30))  # 2.5 thousand millions

    popular, rare, _ = kinds_of(world.run(workload.queries, Receipts(100_000)))

    assert popular.success == 1.0
    assert rare.success == 1.0
    assert rare.hops >= 1
