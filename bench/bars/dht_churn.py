"""The hash table while peers come and go: the case `churn` of bars/dht.py."""

from __future__ import annotations

from typing import Any

from bars.dht import churn, run


def measure(seed: int, peers: int = 10_000) -> dict[str, Any]:
    """Run one world."""
    return run(churn, seed, peers)
