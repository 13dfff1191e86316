"""Where simulated hosts are: points in a square, so that distances make sense.

Invariant: the same two hosts are always equally far apart, both ways. Nothing moves.
"""

from __future__ import annotations

import math
import random
from typing import Final, Protocol

_DIAGONAL: Final = math.sqrt(2)


class Places(Protocol):
    """Where hosts are, by name."""

    def settle(self, name: str) -> None:
        """Give a host its place."""

    def latency(self, one: str, other: str) -> float:
        """Return the seconds one way between two settled hosts."""


class Plane:
    """Random places in a unit square; latencies from `low` (next door) to `high` (corner to corner), in seconds."""

    def __init__(self, rng: random.Random, low: float, high: float) -> None:
        self._rng = rng
        self._low = low
        self._range = high - low
        self._places: dict[str, tuple[float, float]] = {}

    def settle(self, name: str) -> None:
        """Give a host its place; a second call leaves it there."""
        if name not in self._places:
            self._places[name] = (self._rng.random(), self._rng.random())

    def latency(self, one: str, other: str) -> float:
        """Return the seconds one way between two settled hosts."""
        return self._low + self._range * math.dist(self._places[one], self._places[other]) / _DIAGONAL
