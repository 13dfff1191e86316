"""The hash table a fifth of whose nodes lie, with ids chosen to be nearest to what is looked up: the case `eclipse` of bars/dht.py."""

from __future__ import annotations

from typing import Any

from bars.dht import eclipse, run


def measure(seed: int, peers: int = 10_000) -> dict[str, Any]:
    """Run one world."""
    return run(eclipse, seed, peers)
