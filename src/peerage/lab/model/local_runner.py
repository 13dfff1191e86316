"""Runs the model on this computer: parts of runs as jobs of lab/fleet.py, a process for each.

Invariant: the figures do not depend on how many processes there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from peerage.lab.experiment import Report
from peerage.lab.fleet import Job
from peerage.lab.measure import Result
from peerage.lab.model.spec import ModelSpec, Shard, check_numpy
from peerage.lab.model.tally import Tally

Run = Callable[[Sequence[Job[Tally]], int], list[Tally]]
"""Runs jobs, so many at once, and returns their results in order."""


def run_in_processes(specs: Sequence[ModelSpec], shards: int, run: Run, at_once: int) -> list[Result]:
    """Run specifications, each in so many parts; raises LocalError when there is no numpy."""
    check_numpy()
    from peerage.lab.model.shards import merged  # noqa: PLC0415  # needs numpy

    parts = [(spec, Shard(number, shards)) for spec in specs for number in range(shards)]
    jobs = [Job(label_of(spec, shard), run_part, (spec, shard)) for spec, shard in parts]
    tallies = run(jobs, at_once)
    return [merged(spec, tallies[at * shards : (at + 1) * shards]) for at, spec in enumerate(specs)]


def run_part(spec: ModelSpec, shard: Shard, report: Report) -> Tally:
    """Run one part in a process of its own."""
    from peerage.lab.model.shards import run_shard  # noqa: PLC0415  # needs numpy

    return run_shard(spec, shard, report)


def label_of(spec: ModelSpec, shard: Shard) -> str:
    """Return what a person calls a part of a run."""
    part = f", part {shard.number + 1} of {shard.count}" if shard.count > 1 else ""
    return f"{spec.generation}, seed {spec.seed}{part}"
