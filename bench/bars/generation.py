"""One generation of the laboratory as it is, come by joining: what is found, what joining and searching cost, CPU a peer."""

from __future__ import annotations

from typing import Any

from peerage.lab.experiment import Spec, run_experiment
from peerage.lab.measure import KINDS


def run(generation: str, seed: int, peers: int, queries: int) -> dict[str, Any]:
    """Run one world."""
    result = run_experiment(Spec(generation=generation, seed=seed, peers=peers, queries=queries), lambda _s, _x: None)
    kinds = {}
    for kind in KINDS:
        found = result.of(kind)
        assert found is not None
        kinds[str(kind)] = {
            "queries": found.queries,
            "success": found.success,
            "messages": found.messages,
            "first_p50": found.first.p50,
            "first_p95": found.first.p95,
        }
    assert result.join is not None
    assert result.upkeep is not None
    return {
        **kinds,
        "join_messages": result.join.messages,
        "join_kilobytes": result.join.bytes / 1000,
        "upkeep_messages_a_second": result.upkeep.messages,
        "cpu_seconds": round(result.cpu_seconds, 1),
        "cpu_seconds_a_peer": result.cpu_seconds / peers,
        "peak_mib": result.peak_bytes >> 20,
        "digest": result.digest,
    }


def measure(seed: int, peers: int = 10_000, queries: int = 300) -> dict[str, Any]:
    """Run the hash table."""
    return run("dht", seed, peers, queries)
