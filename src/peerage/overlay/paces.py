"""How fast each peer may go: a rate and a burst for everyone, remembered while they are used and for a while longer.

Invariant: nobody gets more by linking again, as what a peer has used up is remembered for longer than it takes to have
it back; how many are remembered is bounded. What is refused, and what that is called, is the caller's matter. Pure:
time is an argument (seconds).
"""

from __future__ import annotations

from typing import Final

from peerage.identity.keys import PeerId
from peerage.overlay.expiring import ExpiringTable
from peerage.peer.limiter import TokenBucket

_REMEMBERED: Final = 4096  # peers: far more than there are links
_LIFE: Final = 600.0  # seconds; any bucket is full again by then


class Paces:
    """One bucket for each peer: `rate` tokens a second, at most `burst` saved up."""

    def __init__(self, rate: float, burst: float, remembered: int = _REMEMBERED) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: ExpiringTable[PeerId, TokenBucket] = ExpiringTable(remembered, _LIFE)

    def take(self, peer_id: PeerId, amount: float, now: float) -> bool:
        """Take so much if a peer has it; False when it has to wait."""
        bucket = self._buckets.get(peer_id, now) or TokenBucket(self._rate, self._burst, now)
        self._buckets.put(peer_id, bucket, now)
        return bucket.take(amount, now)

    def charge(self, peer_id: PeerId, amount: float, now: float) -> None:
        """Take so much more from one who was let in, whether it has it or not."""
        bucket = self._buckets.get(peer_id, now)
        if bucket is not None and amount:
            bucket.spend(amount, now)
