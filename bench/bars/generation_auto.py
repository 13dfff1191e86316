"""What a node does by itself, come by joining: bars/generation.py."""

from __future__ import annotations

from typing import Any

from bars.generation import run


def measure(seed: int, peers: int = 10_000, queries: int = 300) -> dict[str, Any]:
    """Run one world."""
    return run("auto", seed, peers, queries)
