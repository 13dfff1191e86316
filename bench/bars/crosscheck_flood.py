"""The model of flood against real nodes: bars/crosscheck.py."""

from __future__ import annotations

from typing import Any

from bars.crosscheck import check


def measure(seed: int, peers: int = 10_000, queries: int = 90) -> dict[str, Any]:
    """Run both."""
    return check("flood", seed, peers, queries)
