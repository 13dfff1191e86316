"""Comparisons: the same world and workload for several generations and seeds.

Invariant: experiments that are compared differ in nothing but generation and seed. A generation that floods everybody
with every question runs fewer queries in large worlds (a single one there is tens of thousands of messages, all alike);
the table says how many were run.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from peerage.lab.experiment import Report, Spec, run_experiment
from peerage.lab.fleet import Job
from peerage.lab.generations import GENERATIONS
from peerage.lab.measure import Result


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What was compared, and what came of it; what `--json` prints."""

    spec: Spec  # of all of them, but for generation, seed and number of queries
    results: list[Result]


def jobs(spec: Spec, generations: Sequence[str], seeds: int) -> list[Job[Result]]:
    """Return the experiments of a comparison, the seeds of a generation one after the other."""
    return [
        Job(f"{name}, seed {seed}", run_one, (spec_for(spec, name, seed),))
        for name in generations
        for seed in range(spec.seed, spec.seed + seeds)
    ]


def spec_for(spec: Spec, generation: str, seed: int) -> Spec:
    """Return the specification of one experiment."""
    most = GENERATIONS[generation].most_queries(spec.peers)
    return msgspec.structs.replace(spec, generation=generation, seed=seed, queries=min(spec.queries, most))


def run_one(spec: Spec, report: Report) -> Result:
    """Run one experiment of a comparison."""
    return run_experiment(spec, report)
