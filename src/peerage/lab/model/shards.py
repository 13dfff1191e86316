"""Runs one part of the queries of a specification in this process; what all parts yield is put together by `merged`.

Every process builds the whole world from the seed, then runs its share of the queries. Queries do not touch each other,
so any split gives the same figures. Invariant: that; and nothing but numbers leaves a process.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from peerage.lab.census import Traffic
from peerage.lab.experiment import Report, peak_bytes
from peerage.lab.measure import Result
from peerage.lab.model.contents import Contents
from peerage.lab.model.overlays import world_of
from peerage.lab.model.spec import ModelSpec, Shard
from peerage.lab.model.tally import Receipts, Tally, digest_of, kinds_of, load_of
from peerage.lab.model.workload import Workload

_PIECES: Final = 20  # in which queries are run, so that one sees how far it is


def run_shard(spec: ModelSpec, shard: Shard, report: Report) -> Tally:
    """Build the world and run a part of the queries; `report` is told how far it is."""
    started = time.process_time()
    report("items", 0.0)
    contents = Contents(spec)
    workload = Workload(spec, contents)
    report("network", 0.0)
    world = world_of(spec, contents, workload.alive)
    receipts, done = Receipts(spec.peers), []
    queries = workload.part(shard)
    at_once = max(world.at_once, -(-len(queries) // _PIECES))
    for start in range(0, len(queries), at_once):
        report("queries", start / len(queries))
        done += world.run(queries[start : start + at_once], receipts)
    receivers, received = receipts.all()
    return Tally(
        done=done,
        receivers=receivers,
        received=received,
        links=world.links_of_peers(),
        components=world.components() if shard.number == 0 else None,
        cpu_seconds=time.process_time() - started,
        peak_bytes=peak_bytes(),
    )


def in_silence(step: str, share: float) -> None:
    """Tell nobody how far it is."""


def merged(spec: ModelSpec, tallies: Sequence[Tally]) -> Result:
    """Put the parts of one run together; CPU seconds are those of all, memory is that of the largest."""
    done = sorted((each for tally in tallies for each in tally.done), key=lambda each: each.number)
    return Result(
        generation=spec.generation,
        seed=spec.seed,
        peers=spec.peers,
        kinds=kinds_of(done),
        join=None,
        upkeep=None,
        query_share=None,
        load=load_of(tallies, spec.peers, spec.queries),
        state_entries=None,
        state_bytes=None,
        links=tallies[0].links,
        components=next((tally.components for tally in tallies if tally.components is not None), None),
        virtual_seconds=0.0,
        cpu_seconds=sum(tally.cpu_seconds for tally in tallies),
        peak_bytes=max(tally.peak_bytes for tally in tallies),
        deliveries=round(sum((each.traffic for each in done), Traffic()).messages),
        digest=digest_of(done),
    )


def run_here(spec: ModelSpec) -> Result:
    """Run a specification in this process."""
    return merged(spec, [run_shard(spec, Shard(), in_silence)])
