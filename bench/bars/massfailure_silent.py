"""Half of all peers die at one moment, and nobody is told: the case `silent` of bars/massfailure.py."""

from __future__ import annotations

from typing import Any

from bars.massfailure import measure_case


def measure(seed: int, peers: int = 10_000, queries: int = 60, joins: int = 0) -> dict[str, Any]:
    """Run one world."""
    return measure_case("silent", seed, peers, queries, joins)
