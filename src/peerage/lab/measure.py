"""What an experiment yields: how searches went, what they cost the whole network, and what a node has to bear.

Invariant: rates are shares from 0 to 1, times are seconds, sizes are bytes; a figure that could not be measured (the
time to a first hit when nothing was found) is None, never 0. The structs are the same for the real code and for the
model, and are what `--json` prints. Nothing here runs or draws anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean, stdev

import msgspec

from peerage.lab.census import Traffic
from peerage.lab.holdings import Held

KINDS = (Held.POPULAR, Held.RARE, Held.SINGLE)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one search ended; `found`: the item that was meant is among the hits."""

    found: bool
    hits: int
    hops: int | None  # links that the answer about the item came over
    first: float | None  # seconds to the first hit
    last: float | None


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Half of the searches that found something were no slower than `p50`, nineteen of twenty no slower than `p95`."""

    p50: float | None
    p95: float | None


class KindResult(msgspec.Struct, frozen=True, kw_only=True):
    """How the queries for one class of items went; messages and bytes are the whole network's, for one query."""

    kind: Held
    queries: int
    success: float
    messages: float
    bytes: float
    hits: float
    hops: float | None
    first: Timing
    last: Timing


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What a node has to bear: on average, and the one that bears most."""

    mean: float
    busiest: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One generation in one world; None for what the model does not know."""

    generation: str
    seed: int
    peers: int
    kinds: list[KindResult]
    join: Traffic | None  # for one node, from the first dial until the network has settled
    upkeep: Traffic | None  # for one node and second, when nobody searches
    query_share: float | None  # of all bytes while searches ran, those that were query traffic
    load: Load  # messages received by a node for one query, upkeep left out
    state_entries: Load | None
    state_bytes: Load | None
    links: Load | None
    components: int | None  # parts that cannot reach each other; None where links do not hold a network together
    virtual_seconds: float
    cpu_seconds: float
    peak_bytes: int  # of memory of the process
    deliveries: int
    digest: str  # of the trace: same seed, same digest

    def of(self, kind: Held) -> KindResult | None:
        """Return the result for one class of items."""
        return next((each for each in self.kinds if each.kind is kind), None)


class Spread(msgspec.Struct, frozen=True):
    """A figure over several seeds: mean and sample standard deviation (0 for a single one)."""

    mean: float
    deviation: float


def sum_up(kind: Held, outcomes: Sequence[Outcome], traffic: Traffic) -> KindResult:
    """Reduce the outcomes of one class of queries and what all of them together cost the network."""
    number = len(outcomes)
    found = [each for each in outcomes if each.found]
    return KindResult(
        kind=kind,
        queries=number,
        success=len(found) / number if number else 0.0,
        messages=traffic.messages / number if number else 0.0,
        bytes=traffic.bytes / number if number else 0.0,
        hits=mean_of(each.hits for each in outcomes) or 0.0,
        hops=mean_of(each.hops for each in found if each.hops is not None),
        first=timing([each.first for each in outcomes if each.first is not None]),
        last=timing([each.last for each in outcomes if each.last is not None]),
    )


def timing(seconds: Sequence[float]) -> Timing:
    """Return the percentiles of some times."""
    return Timing(p50=percentile(seconds, 0.5), p95=percentile(seconds, 0.95))


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that is no less than `share` of all; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(max(-int(-share * len(ordered) // 1) - 1, 0), len(ordered) - 1)]


def load_of(values: Sequence[float]) -> Load:
    """Return mean and maximum."""
    return Load(mean=mean_of(values) or 0.0, busiest=max(values, default=0.0))


def mean_of(values: Iterable[float]) -> float | None:
    """Return the mean; None of nothing."""
    listed = list(values)
    return fmean(listed) if listed else None


def spread(values: Iterable[float | None]) -> Spread | None:
    """Return mean and deviation of those that could be measured; None when none could."""
    listed = [value for value in values if value is not None]
    if not listed:
        return None
    return Spread(fmean(listed), stdev(listed) if len(listed) > 1 else 0.0)
