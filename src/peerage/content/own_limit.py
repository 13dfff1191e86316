"""The speed limit of one download, under that of all of them (peer.pacing.Pace).

Invariant: what passes is counted by both, and waits as long as the slower of them says.
"""

from __future__ import annotations

from peerage.content.rate import RateLimit


class OwnLimit:
    """A limit of a download's own, 0 for none, and the one of the node."""

    def __init__(self, shared: RateLimit, rate: int, now: float) -> None:
        self._shared = shared
        self._own = RateLimit(rate, now)

    @property
    def rate(self) -> int:
        """Bytes a second that may pass; 0 is no limit."""
        return min(filter(None, (self._own.rate, self._shared.rate)), default=0)

    @property
    def own(self) -> int:
        """The download's own limit."""
        return self._own.rate

    def change(self, rate: int, now: float) -> None:
        """Set another limit."""
        self._own.change(rate, now)

    def spend(self, count: int, now: float) -> float:
        """Let bytes pass; returns the seconds to wait before the next."""
        return max(self._own.spend(count, now), self._shared.spend(count, now))
