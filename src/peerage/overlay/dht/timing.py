"""How long to wait for an answer: twice the 95th percentile of what answers took so far.

Invariant: the wait stays between its bounds, whatever is measured. Pure: times are arguments (seconds).
"""

from __future__ import annotations

from typing import Final

from peerage.overlay.dht.limits import DHT_RPC_TIMEOUT, DHT_RPC_TIMEOUT_MAX, DHT_RPC_TIMEOUT_MIN

_QUANTILE: Final = 0.95
_STEP: Final = 0.05  # share of the estimate that one measurement moves it by, at the most
_FACTOR: Final = 2.0


class Patience:
    """A running estimate of one quantile, in constant memory (stochastic approximation, Robbins and Monro 1951)."""

    __slots__ = ("_quantile",)

    def __init__(self, factor: float = 1.0) -> None:
        self._quantile = factor * DHT_RPC_TIMEOUT / _FACTOR

    def note(self, seconds: float) -> None:
        """An answer took so long."""
        share = _QUANTILE if seconds > self._quantile else _QUANTILE - 1
        self._quantile = min(DHT_RPC_TIMEOUT_MAX, max(0.001, self._quantile * (1 + _STEP * share * _FACTOR)))

    def note_silence(self) -> None:
        """No answer came in time: perhaps the wait was too short."""
        self.note(_FACTOR * self._quantile)

    @property
    def seconds(self) -> float:
        """How long to wait for the next one."""
        return min(DHT_RPC_TIMEOUT_MAX, max(DHT_RPC_TIMEOUT_MIN, _FACTOR * self._quantile))
