"""However the queries are split, the figures are the same."""

from __future__ import annotations

import msgspec
import pytest

from peerage.lab.figures import table
from peerage.lab.fleet import run_here as run_jobs_here
from peerage.lab.model.local_runner import run_in_processes
from peerage.lab.model.shards import run_here
from peerage.lab.model.spec import GENERATIONS, ModelSpec, chosen


def stable(result):
    return msgspec.structs.replace(result, cpu_seconds=0.0, peak_bytes=0)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_parts_together_are_the_whole(generation: str) -> None:
    spec = ModelSpec(generation=generation, peers=400, queries=31, gone=0.1)

    whole = run_here(spec)
    [split] = run_in_processes([spec], 3, lambda jobs, _at_once: run_jobs_here(jobs, lambda told: None), 1)

    assert stable(split) == stable(whole)
    assert whole.digest != run_here(msgspec.structs.replace(spec, seed=2)).digest
    assert sum(each.queries for each in whole.kinds) == 31
    assert whole.deliveries == round(whole.load.mean * 400 * 31)


def test_results_come_in_the_order_of_the_specifications_and_fill_the_table() -> None:
    specs = [ModelSpec(generation=name, peers=300, queries=9) for name in ("flood", "index")]

    results = run_in_processes(specs, 2, lambda jobs, _at_once: run_jobs_here(jobs, lambda told: None), 1)

    assert [each.generation for each in results] == ["flood", "index"]
    rows = {row.figure.key: row.values for row in table(results)}
    assert all(value is not None for value in rows["success-rare"])
    assert rows["upkeep-bytes"] == (None, None)
    assert rows["links"][0].mean > 5
    assert rows["links"][1] is None


def test_names_of_models_are_checked() -> None:
    assert chosen("all") == list(GENERATIONS)
    assert chosen("dht, flood,dht") == ["dht", "flood"]
    with pytest.raises(Exception, match="no model of 'auto'"):
        chosen("auto")
