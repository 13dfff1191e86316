"""Who may put how much into an index, and ask it how often.

Invariant: nobody gets more by linking again: what a peer has used up is remembered for longer than it takes to have it
back. Holders at one subnet share a bound, as whoever has one address there has many. No stamps of work are asked for:
in the hash table each keeper sees a few postings of many publishers, and nobody sees how many one of them has in all;
an index has all of a holder's records before it, and bounds them as a whole. Pure: time is an argument (seconds).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.expiring import ExpiringTable
from peerage.overlay.index.rules import IndexRules
from peerage.peer.limiter import TokenBucket
from peerage.peer.subnet import subnet_of

_REMEMBERED: Final = 4096  # peers whose use is remembered: far more than there are links
_LIFE: Final = 600.0  # seconds; any bucket is full again by then


class Denied(StrEnum):
    """Why something is refused; what the counters call it."""

    QUERIES = "queries-rate"
    RECORDS = "records-rate"
    TENANTS = "tenants-per-subnet"
    SUBNET = "records-per-subnet"
    LEASE = "lease"
    FORGED = "forged"
    STRANGER = "not-enrolled"


class _Household:
    """What one subnet has here."""

    __slots__ = ("records", "tenants")

    def __init__(self) -> None:
        self.tenants: set[PeerId] = set()
        self.records = 0


class IndexGate:
    """The bounds of one index."""

    def __init__(self, rules: IndexRules) -> None:
        self._rules = rules
        self._queries: ExpiringTable[PeerId, TokenBucket] = ExpiringTable(_REMEMBERED, _LIFE)
        self._records: ExpiringTable[PeerId, TokenBucket] = ExpiringTable(_REMEMBERED, _LIFE)
        self._homes: dict[PeerId, str] = {}  # bounded by the index's own bound on records
        self._counts: Counter[PeerId] = Counter()
        self._households: dict[str, _Household] = {}

    def ask(self, peer_id: PeerId, now: float) -> Denied | None:
        """A peer asks something."""
        rules = self._rules
        bucket = _bucket(self._queries, peer_id, (rules.queries_rate, rules.queries_burst), now)
        return None if bucket.take(1, now) else Denied.QUERIES

    def charge(self, peer_id: PeerId, work: int, now: float) -> None:
        """What a peer asked was more work than a question usually is: it counts as so many questions more."""
        bucket = self._queries.get(peer_id, now)
        if bucket is not None and work:
            bucket.spend(work, now)

    def enrol(self, peer_id: PeerId, remote: Address) -> Denied | None:
        """A peer wants to register records from there."""
        home = subnet_of(remote.host)
        if home == self._homes.get(peer_id):
            return None
        household = self._households.get(home)
        if home and household is not None and len(household.tenants) >= self._rules.tenants_per_subnet:
            return Denied.TENANTS
        count = self._counts[peer_id]
        self.forget(peer_id)
        self._homes[peer_id] = home
        household = self._households.setdefault(home, _Household())
        household.tenants.add(peer_id)
        self.hold(peer_id, count)
        return None

    def register(self, peer_id: PeerId, amount: int, now: float) -> Denied | None:
        """A peer that is enrolled brings so many records."""
        household = self._households[self._homes[peer_id]]
        if self._homes[peer_id] and household.records + amount > self._rules.records_per_subnet:
            return Denied.SUBNET
        rules = self._rules
        bucket = _bucket(self._records, peer_id, (rules.records_rate, rules.records_burst), now)
        return None if bucket.take(amount, now) else Denied.RECORDS

    def hold(self, peer_id: PeerId, count: int) -> None:
        """Take note of how many records an enrolled peer has in the index; this node itself never enrols."""
        home = self._homes.get(peer_id)
        if home is None:
            return
        self._households[home].records += count - self._counts[peer_id]
        self._counts[peer_id] = count

    def forget(self, peer_id: PeerId) -> None:
        """A peer has nothing here any more."""
        home = self._homes.pop(peer_id, None)
        if home is None:
            return
        household = self._households[home]
        household.tenants.discard(peer_id)
        household.records -= self._counts.pop(peer_id, 0)
        if not household.tenants:
            del self._households[home]

    def forget_all_but(self, kept: Iterable[PeerId]) -> None:
        """Only these are enrolled any more."""
        for peer_id in self._homes.keys() - set(kept):
            self.forget(peer_id)


def _bucket(
    table: ExpiringTable[PeerId, TokenBucket], peer_id: PeerId, pace: tuple[float, float], now: float
) -> TokenBucket:
    """Return the bucket of a peer, which lives on while it is used."""
    bucket = table.get(peer_id, now) or TokenBucket(*pace, now)
    table.put(peer_id, bucket, now)
    return bucket
