"""Results made up for tests of what is shown of them."""

from __future__ import annotations

from peerage.lab.census import Traffic
from peerage.lab.holdings import Held
from peerage.lab.measure import KindResult, Load, Result, Timing


def kind_result(kind: Held, success: float = 0.9, messages: float = 50.0) -> KindResult:
    return KindResult(
        kind=kind,
        queries=10,
        success=success,
        messages=messages,
        bytes=messages * 100,
        hits=3.0,
        hops=2.5,
        first=Timing(p50=0.4, p95=1.2),
        last=Timing(p50=0.8, p95=None),
    )


def result(generation: str = "flood", seed: int = 1, messages: float = 50.0) -> Result:
    return Result(
        generation=generation,
        seed=seed,
        peers=100,
        kinds=[kind_result(kind, messages=messages) for kind in (Held.POPULAR, Held.RARE, Held.SINGLE)],
        join=Traffic(10, 1000),
        upkeep=Traffic(0.5, 60),
        query_share=0.4,
        load=Load(mean=0.5, busiest=4.0),
        state_entries=Load(mean=100, busiest=300),
        state_bytes=Load(mean=20_000, busiest=50_000),
        links=Load(mean=5.0, busiest=7.0),
        components=1,
        virtual_seconds=300.0,
        cpu_seconds=2.0,
        peak_bytes=100_000_000,
        deliveries=1000,
        digest="ab" * 32,
    )
