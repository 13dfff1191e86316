"""How long to wait for a peer that may be slow, silent, or sending one byte now and then. Pure.

Invariant: the waits for one message end, whatever the other side does: none is longer than the silence that is borne,
and all together last no longer than a grace and what the bytes take at the slowest pace that is borne.
"""

from __future__ import annotations

from peerage.limits import BTPEER_GRACE, BTPEER_SILENCE, BTPEER_SLOWEST


class Patience:
    """Of one message that is awaited; times are seconds of any steady clock."""

    __slots__ = ("_begun", "_heard", "_received", "_silence")

    def __init__(self, now: float, silence: float = BTPEER_SILENCE) -> None:
        self._begun = self._heard = now
        self._silence = silence
        self._received = 0

    def moved(self, count: int, now: float) -> None:
        """So many bytes came."""
        self._received += count
        self._heard = now

    def left(self, now: float) -> float:
        """Return how long to wait for more; 0 when patience has ended."""
        last = self._begun + BTPEER_GRACE + self._received / BTPEER_SLOWEST
        return max(0.0, min(self._heard + self._silence, last) - now)
