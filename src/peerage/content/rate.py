"""A speed limit that can be changed while it is in force, shared by all links that it is for (peer.pacing.Pace).

Invariant: over any stretch of time no more passes than the rate allows plus one burst (half a second's worth, 64 KiB to
1 MiB), and what each link was passing at that moment; a rate of 0 is no limit. Whoever passes bytes waits as long as
it is told.
"""

from __future__ import annotations

from typing import Final

from peerage.limits import MIB
from peerage.peer.limiter import TokenBucket

_BURST_SECONDS: Final = 0.5


class RateLimit:
    """Bytes a second, and what has passed. Times are seconds of one monotonic clock."""

    def __init__(self, rate: int, now: float) -> None:
        self._bucket = TokenBucket(rate, _burst(rate), now)
        self.total = 0

    @property
    def rate(self) -> int:
        """The limit in bytes a second; 0 is none."""
        return int(self._bucket.rate)

    def change(self, rate: int, now: float) -> None:
        """Set another limit."""
        self._bucket.change(rate, _burst(rate), now)

    def spend(self, count: int, now: float) -> float:
        """Let `count` bytes pass; returns the seconds to wait before the next."""
        self.total += count
        return self._bucket.spend(count, now) if self._bucket.rate else 0.0


def _burst(rate: int) -> float:
    return min(max(rate * _BURST_SECONDS, MIB / 16), MIB)
