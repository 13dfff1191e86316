"""Counters of what happened; read by `app` for people and for Prometheus.

Invariant: the set of names is fixed by the code, never by what a peer sends, so it cannot grow without bound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator


class Metrics:
    """Counters by name and, where it says more, by a fixed reason."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, name: str, reason: str = "", amount: int = 1) -> None:
        """Add `amount` to a counter."""
        self._counts[name, reason] += amount

    def value(self, name: str, reason: str = "") -> int:
        """Return one counter; 0 when nothing was counted yet."""
        return self._counts[name, reason]

    def __iter__(self) -> Iterator[tuple[str, str, int]]:
        """Yield (name, reason, count) in a fixed order."""
        for (name, reason), count in sorted(self._counts.items()):
            yield name, reason, count
