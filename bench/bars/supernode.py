"""Supernodes under the planner: what searches find, what they cost the whole network, and how soon the first hit is there.

One world a seed: real nodes with what `peerage up --overlay supernode` mounts, links of 50 to 130 ms one way, everybody
has come and the network has settled; a third of the queries each for popular items, for items held by 0.1 % of the
peers and for single copies (docs/lab.md says how). Time to the first hit is that of all three classes.
"""

from __future__ import annotations

import statistics
from typing import Any

from peerage.lab.experiment import Spec, run_experiment
from peerage.lab.holdings import Held
from peerage.lab.measure import KindResult, Result

GENERATION = "supernode-planner"


def measure(seed: int, peers: int = 10_000, queries: int = 1_000) -> dict[str, Any]:
    """Run one world."""
    spec = Spec(generation=GENERATION, peers=peers, queries=queries, seed=seed)
    return figures(run_experiment(spec, lambda _step, _share: None))


def figures(result: Result) -> dict[str, Any]:
    """Return what the bar is about, and what it took."""
    kinds = {kind: result.of(kind) for kind in (Held.POPULAR, Held.RARE, Held.SINGLE)}
    shown: dict[str, Any] = {str(kind): _kind(each) for kind, each in kinds.items() if each is not None}
    medians = [each["first_hit_p50"] for each in shown.values() if each["first_hit_p50"] is not None]
    assert result.join is not None
    assert result.upkeep is not None
    assert result.links is not None
    return {
        **shown,
        "first_hit_p50_worst_class": max(medians, default=None),
        "first_hit_p50_mean_of_classes": statistics.fmean(medians) if medians else None,
        "join_messages_per_node": result.join.messages,
        "upkeep_messages_per_node_and_second": result.upkeep.messages,
        "links_mean": result.links.mean,
        "components": result.components,
        "deliveries": result.deliveries,
        "cpu_seconds": round(result.cpu_seconds, 1),
        "peak_mib": result.peak_bytes >> 20,
        "digest": result.digest,
    }


def _kind(each: KindResult) -> dict[str, Any]:
    return {
        "queries": each.queries,
        "success": each.success,
        "messages": each.messages,
        "bytes": each.bytes,
        "hits": each.hits,
        "hops": each.hops,
        "first_hit_p50": each.first.p50,
        "first_hit_p95": each.first.p95,
        "last_hit_p50": each.last.p50,
    }
