"""Who may connect, and how fast things may go.

Invariant: a refusal names the limit and is counted. Strangers are judged by their address before the handshake, peers
by their id after it. The limiter decides and counts; it opens and closes nothing.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import TypeVar

from peerage.errors import LimitError
from peerage.identity.address import literal_ip
from peerage.identity.keys import PeerId
from peerage.limits import Limits
from peerage.peer.metrics import Metrics

T = TypeVar("T")


class TokenBucket:
    """A rate with a burst: `rate` tokens a second, at most `burst` saved up. Pure: time is an argument (seconds)."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._then = now

    def _refill(self, now: float) -> None:
        self._tokens = min(self.burst, self._tokens + max(0.0, now - self._then) * self.rate)
        self._then = now

    def take(self, amount: float, now: float) -> bool:
        """Take `amount` tokens if they are there."""
        self._refill(now)
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True

    def spend(self, amount: float, now: float) -> float:
        """Take `amount` tokens in any case; return the seconds to wait until the debt is paid."""
        self._refill(now)
        self._tokens -= amount
        return max(0.0, -self._tokens / self.rate) if self.rate > 0 else 0.0

    def change(self, rate: float, burst: float, now: float) -> None:
        """Set another rate at run time; what is saved up or owed stays within the new burst."""
        self._refill(now)
        self.rate, self.burst = rate, burst
        self._tokens = max(min(self._tokens, burst), -burst)


class ConnectionLimiter:
    """Counts links per peer, per address and in all; the `Gate` of the transport."""

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self._limits = limits
        self._metrics = metrics
        self._by_peer: Counter[PeerId] = Counter()
        self._by_home: Counter[str] = Counter()
        self._total = 0

    def admits(self, host: str) -> bool:
        """Whether a stranger at `host` may begin a handshake."""
        reason = self._full(_household(host))
        if reason:
            self._metrics.count("links_refused", reason)
        return not reason

    def handshake_failed(self, reason: str) -> None:
        """Count a stranger who did not become a link."""
        self._metrics.count("handshakes_failed", reason)

    @property
    def total(self) -> int:
        """How many places are taken."""
        return self._total

    @property
    def crowded(self) -> bool:
        """Whether only the places are left that are kept for talk links."""
        return self._total > self._limits.connections - min(self._limits.talk_reserved, self._limits.connections // 8)

    def refuse_bulk(self) -> LimitError:
        """Count, and return, that there is no place for a further bulk link."""
        self._metrics.count("links_refused", "talk_reserved")
        return LimitError("talk_reserved", "ours", "too many links: the places that are left are kept for small talk")

    def enter(self, peer_id: PeerId, host: str) -> None:
        """Take a place for a link; raises LimitError that names what is full."""
        home = _household(host)
        reason = self._full(home)
        if not reason and self._by_peer.get(peer_id, 0) >= self._limits.connections_per_peer:
            reason = "connections_per_peer"
        if reason:
            self._metrics.count("links_refused", reason)
            raise LimitError(reason, "ours", f"too many links: {reason} is {getattr(self._limits, reason)}")
        self._by_peer[peer_id] += 1
        self._by_home[home] += 1
        self._total += 1

    def leave(self, peer_id: PeerId, host: str) -> None:
        """Give the place back."""
        self._total -= 1
        _count_down(self._by_peer, peer_id)
        _count_down(self._by_home, _household(host))

    def _full(self, home: str) -> str:
        if self._total >= self._limits.connections:
            return "connections"
        if self._by_home.get(home, 0) >= self._limits.connections_per_address:
            return "connections_per_address"
        return ""


def _household(host: str) -> str:
    """Return what one household has: an IPv4 address, or the /64 of an IPv6 address, all of which is theirs."""
    literal = literal_ip(host)
    if isinstance(literal, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Address(int(literal) >> 64 << 64))
    return host


def _count_down(counter: Counter[T], key: T) -> None:
    """Take one off; what is zero is not kept."""
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
