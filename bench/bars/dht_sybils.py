"""The hash table a fifth of whose nodes lie: the case `sybils` of bars/dht.py."""

from __future__ import annotations

from typing import Any

from bars.dht import run, sybils


def measure(seed: int, peers: int = 10_000) -> dict[str, Any]:
    """Run one world."""
    return run(sybils, seed, peers)
