"""The table of old peers: bounded, nobody is removed by another, whoever is silent gives way."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from peerage.classic.peer_table import Joined, PeerTable
from peerage.identity.address import Address
from peerage.limits import CLASSIC_MISSES

A, B = Address("10.0.0.1", 5000), Address("10.0.0.2", 5000)


def test_one_place_is_one_entry() -> None:
    table = PeerTable()
    assert table.join("a", A, 1.0) is Joined.ADDED
    assert table.join("a", A, 2.0) is Joined.ADDED
    assert table.join("other", A, 3.0) is Joined.ADDED
    assert [each.peer_id for each in table.all()] == ["other"]
    assert table.join("other", B, 4.0) is Joined.KNOWN
    assert table.by_id("other") == table.at(A)


def test_what_has_answered_stays_answered_while_it_is_itself() -> None:
    table = PeerTable()
    table.met("a", A, 1.0)
    table.join("a", A, 2.0)
    assert table.all()[0].answered
    table.join("b", A, 3.0)
    assert not table.all()[0].answered


def test_misses_are_forgiven_by_an_answer() -> None:
    table = PeerTable()
    table.met("a", A, 1.0)
    for _ in range(CLASSIC_MISSES - 1):
        assert not table.missed(A)
    table.met("a", A, 2.0)
    for _ in range(CLASSIC_MISSES - 1):
        assert not table.missed(A)
    assert table.missed(A)
    assert not table.missed(A)
    assert len(table) == 0


def test_the_silent_give_way_those_who_never_answered_first() -> None:
    table = PeerTable(maximum=2, per_host=2)
    table.met("a", A, 1.0)
    table.join("b", B, 2.0)
    late = Address("10.0.0.3", 5000)
    assert table.join("c", late, 3.0) is Joined.FULL
    table.missed(A)
    table.missed(B)
    assert table.join("c", late, 4.0) is Joined.ADDED
    assert [each.peer_id for each in table.all()] == ["a", "c"]


def test_goodbye_counts_from_the_same_host_only() -> None:
    table = PeerTable()
    table.join("a", A, 1.0)
    assert not table.quit("a", lambda host: host == B.host)
    assert table.quit("a", lambda host: host == A.host)
    assert not table.quit("a", lambda host: host == A.host)


class Bounded(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.table = PeerTable(maximum=6, per_host=3)
        self.now = 0.0

    addresses = st.builds(Address, st.sampled_from(["h1", "h2", "h3"]), st.integers(1, 5))
    ids = st.sampled_from(["a", "b", "c", "d", "e", "f", "g"])

    @rule(peer_id=ids, address=addresses, answered=st.booleans())
    def come(self, peer_id: str, address: Address, answered: bool) -> None:
        self.now += 1
        outcome = (self.table.met if answered else self.table.join)(peer_id, address, self.now)
        assert (outcome is Joined.ADDED) == ((known := self.table.at(address)) is not None and known.peer_id == peer_id)

    @rule(address=addresses)
    def miss(self, address: Address) -> None:
        self.table.missed(address)

    @rule(peer_id=ids, host=st.sampled_from(["h1", "h2", "h3"]))
    def go(self, peer_id: str, host: str) -> None:
        self.table.quit(peer_id, lambda of: of == host)

    @invariant()
    def bounded(self) -> None:
        peers = self.table.all()
        assert len(peers) <= 6
        assert len({each.peer_id for each in peers}) == len(peers)
        for host in ("h1", "h2", "h3"):
            assert sum(each.address.host == host for each in peers) <= 3


TestBounded = Bounded.TestCase
