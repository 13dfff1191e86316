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

from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.index.rules import IndexRules
from peerage.overlay.paces import Paces
from peerage.peer.subnet import subnet_of


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
        self._queries = Paces(rules.queries_rate, rules.queries_burst)
        self._records = Paces(rules.records_rate, rules.records_burst)
        self._homes: dict[PeerId, str] = {}  # bounded by the index's own bound on records
        self._counts: Counter[PeerId] = Counter()
        self._households: dict[str, _Household] = {}

    def ask(self, peer_id: PeerId, now: float) -> Denied | None:
        """A peer asks something."""
        return None if self._queries.take(peer_id, 1, now) else Denied.QUERIES

    def charge(self, peer_id: PeerId, work: int, now: float) -> None:
        """What a peer asked was more work than a question usually is: it counts as so many questions more."""
        self._queries.charge(peer_id, work, now)

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
        return None if self._records.take(peer_id, amount, now) else Denied.RECORDS

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
