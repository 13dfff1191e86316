"""The rules of indexes, one by one: leases, messages, whom to use, whom to let in, whom to blame."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerage.errors import ForgedError, LocalError, ProtocolError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, PeerKey
from peerage.limits import MAX_CONTROL_PAYLOAD, MAX_LEASE_BYTES, MAX_RECORD_BYTES
from peerage.overlay.index.answers import Told
from peerage.overlay.index.comparison import Compared, Comparison
from peerage.overlay.index.gate import Denied, IndexGate
from peerage.overlay.index.known import KnownIndexes
from peerage.overlay.index.messages import HolderAnswer, IndexAt, cut_bodies, cut_into_parts
from peerage.overlay.index.rules import IndexRules
from peerage.overlay.index.signed import Term, make_claim, make_lease, read_claim, read_lease
from peerage.wire.message import encode

KEY = PeerKey.from_seed(b"k" * 32)
HOME = Address("192.0.2.7", 7411)
ONE, OTHER, THIRD, ME = (PeerId(bytes([number]) * 32) for number in range(1, 5))


def lease(issued=1000, expires=2000, addresses=(HOME,), indexes=(ONE, OTHER)):
    return make_lease(KEY, addresses, Term(issued, expires), indexes)


# --- what is signed -----------------------------------------------------------------------------------------------


def test_a_lease_comes_out_as_it_was_signed():
    read = read_lease(lease())
    assert (read.holder, read.addresses, read.issued, read.expires) == (KEY.public_key, (HOME,), 1000, 2000)
    assert read.indexes == (ONE[:8], OTHER[:8])
    assert read.peer_id == KEY.peer_id


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_changed_lease_or_claim_is_refused(data):
    for read, raw in ((read_lease, lease()), (read_claim, make_claim(KEY, bytes(32), 5))):
        place = data.draw(st.integers(0, len(raw) - 1))
        change = data.draw(st.integers(1, 255))
        with pytest.raises((ForgedError, ProtocolError)):
            read(raw[:place] + bytes([raw[place] ^ change]) + raw[place + 1 :])
        with pytest.raises((ForgedError, ProtocolError)):
            read(raw + b"x")


@given(st.binary(max_size=200))
def test_rubbish_is_no_lease(data):
    for read in (read_lease, read_claim):
        with pytest.raises((ForgedError, ProtocolError)):
            read(data)


def test_a_lease_is_no_claim_and_has_a_bound():
    with pytest.raises(ProtocolError):
        read_claim(lease())
    with pytest.raises(ProtocolError):
        read_lease(make_claim(KEY, bytes(32), 5))
    with pytest.raises(ProtocolError, match="at most"):
        read_lease(bytes(MAX_LEASE_BYTES + 1))
    with pytest.raises(LocalError):
        lease(addresses=[Address("h" * 253, 1)] * 20)


@pytest.mark.parametrize(
    ("issued", "expires", "current"),
    [(900, 1900, True), (1200, 2000, True), (1400, 2000, False), (0, 690, False), (0, 800, True), (0, 9000, False), (1000, 1000, False)],
)  # fmt: skip
def test_when_a_lease_holds(issued, expires, current):
    assert read_lease(lease(issued, expires)).is_current(1000) is current


def test_only_addresses_of_the_holder_are_believed():
    read = read_lease(lease(addresses=(HOME, Address("", 5))))
    assert read.allows(HOME)
    assert read.allows(Address("192.0.2.9", 5))
    assert not read.allows(Address("192.0.2.9", 7411))


# --- messages -------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, MAX_LEASE_BYTES), st.integers(0, 8), st.integers(1, 300)), max_size=150))
def test_answers_of_any_size_fit_their_frames(sizes):
    places = tuple(Address("h" * 253, 65535) for _ in range(8))
    holders = [
        HolderAnswer(bytes(a), places[:b], group)
        for a, b, c in sizes
        for group in cut_bodies([bytes(MAX_RECORD_BYTES if c > 290 else c)] * (c % 80 + 1))
    ]
    parts = list(cut_into_parts(holders))
    assert [holder for part in parts for holder in part.holders] == holders
    for part in parts:
        raw = encode(part)
        assert len(raw) <= MAX_CONTROL_PAYLOAD
        msgspec.msgpack.decode(raw[12:], type=type(part))


# --- whom to use ------------------------------------------------------------------------------------------------------


def known(maximum=4, configured=()):
    return KnownIndexes(ME, maximum, configured)


def at(peer_id):
    return IndexAt(peer_id, (HOME,))


def ids(indexes):
    return [each.peer_id for each in indexes]


def test_those_that_the_user_named_come_first_and_stay():
    table = known(2, [at(ONE)])
    assert table.hear(at(OTHER), proved=True)
    assert ids(table.usable(0)) == [ONE, OTHER]
    table.did_not_work(ONE, 0)
    assert not table.hear(at(THIRD), proved=True)
    assert table.get(ONE) is not None


def test_hearsay_is_not_passed_on_until_it_has_worked():
    table = known()
    assert table.hear(at(ONE), proved=False)
    assert table.to_tell() == ()
    assert table.worked(ONE)
    assert not table.worked(ONE)
    assert ids(table.to_tell()) == [ONE]


def test_hearsay_gives_way_and_does_not_change_what_is_proved():
    table = known(2)
    table.hear(at(ONE), proved=False)
    table.hear(at(OTHER), proved=True)
    assert table.hear(at(THIRD), proved=True)
    assert table.get(ONE) is None
    table.hear(IndexAt(OTHER, (Address("6.6.6.6", 6),)), proved=False)
    assert table.get(OTHER).addresses == (HOME,)


def test_this_node_itself_and_what_cannot_be_dialled_are_no_news():
    table = known()
    assert not table.hear(at(ME), proved=True)
    assert not table.hear(IndexAt(ONE, ()), proved=False)
    assert len(table) == 0


def test_who_fails_is_left_in_peace_for_longer_each_time():
    table = known(configured=[at(ONE)])
    pauses, now = [], 0.0
    for _ in range(8):
        table.did_not_work(ONE, now)
        start = now
        while not table.usable(now):
            now += 1.0
        pauses.append(now - start)
    assert pauses == sorted(pauses)
    assert pauses[0] == 30
    assert pauses[-1] == 1800
    table.worked(ONE)
    table.did_not_work(ONE, now)
    assert table.usable(now + 30)


def test_who_leaves_things_out_is_used_last():
    table = known(configured=[at(ONE)])
    table.hear(at(OTHER), proved=True)
    table.compared(ONE, 2, 2)
    assert ids(table.usable(0))[0] == ONE
    table.compared(ONE, 1, 1)
    assert ids(table.usable(0)) == [OTHER, ONE]
    table.compared(ONE, 1000, 0)
    assert ids(table.usable(0))[0] == ONE
    table.compared(THIRD, 1, 1)
    assert len(table) == 2


def test_nodes_prefer_different_indexes():
    many = [at(PeerId(bytes([number]) * 32)) for number in range(1, 9)]
    first = {KnownIndexes(PeerId(bytes([own]) * 32), 8, many).usable(0)[0].peer_id for own in range(50, 90)}
    assert len(first) >= 6


# --- whom to blame ----------------------------------------------------------------------------------------------------


def told(key, issued=1000, **changes):
    return Told(key, read_lease(lease(**changes)), issued)


def test_who_does_not_tell_what_a_lease_says_it_has_is_counted():
    compared = Comparison(100)
    compared.note(ONE, told(b"x"), 1500)
    compared.note(ONE, told(b"y"), 1500)
    compared.note(OTHER, told(b"x"), 1500)
    for index in (ONE, OTHER, THIRD):
        compared.ended(index)
    assert list(compared.verdicts()) == [Compared(ONE, 1, 0), Compared(OTHER, 1, 1), Compared(THIRD, 0, 0)]


def test_what_is_new_or_nearly_over_or_too_much_is_nobodys_fault():
    for note in (told(b"x", issued=1490), told(b"x", expires=1600), told(b"x", issued=1000, expires=1799)):
        compared = Comparison(100)
        compared.note(ONE, note, 1500)
        compared.ended(OTHER)
        assert list(compared.verdicts()) == [Compared(OTHER, 0, 0)]
    full = Comparison(1)
    full.note(ONE, told(b"x"), 1500)
    full.note(OTHER, told(b"y"), 1500)
    full.ended(OTHER)
    assert list(full.verdicts()) == []


def test_who_has_not_finished_is_not_judged():
    compared = Comparison(100)
    compared.note(ONE, told(b"x"), 1500)
    assert list(compared.verdicts()) == []


# --- whom to let in ---------------------------------------------------------------------------------------------------

RULES = IndexRules(tenants_per_subnet=2, records_per_subnet=10, queries_rate=1, queries_burst=2, records_rate=1, records_burst=8)  # fmt: skip


def test_one_subnet_has_one_share():
    gate = IndexGate(RULES)
    assert gate.enrol(ONE, Address("8.8.8.1", 1)) is None
    assert gate.enrol(OTHER, Address("8.8.8.2", 1)) is None
    assert gate.enrol(THIRD, Address("8.8.8.3", 1)) is Denied.TENANTS
    assert gate.enrol(THIRD, Address("8.8.9.3", 1)) is None
    gate.hold(ONE, 6)
    assert gate.register(OTHER, 5, 0) is Denied.SUBNET
    assert gate.register(OTHER, 4, 0) is None
    assert gate.register(THIRD, 8, 0) is None
    gate.forget(ONE)
    gate.hold(OTHER, 5)
    assert gate.register(OTHER, 6, 100) is Denied.SUBNET
    assert gate.enrol(ONE, Address("8.8.8.1", 1)) is None


def test_moving_to_another_subnet_takes_the_records_along():
    gate = IndexGate(RULES)
    gate.enrol(ONE, Address("8.8.8.1", 1))
    gate.hold(ONE, 9)
    assert gate.enrol(ONE, Address("9.9.9.1", 1)) is None
    gate.enrol(OTHER, Address("8.8.8.2", 1))
    assert gate.register(OTHER, 8, 0) is None
    assert gate.register(ONE, 2, 0) is Denied.SUBNET


def test_a_local_network_has_no_share():
    gate = IndexGate(RULES)
    for peer_id in (ONE, OTHER, THIRD):
        assert gate.enrol(peer_id, Address("10.0.0.1", 1)) is None
        gate.hold(peer_id, 9)
    assert gate.register(ONE, 8, 0) is None
    assert gate.register(ONE, 1, 0) is Denied.RECORDS


def test_who_is_gone_is_forgotten():
    gate = IndexGate(RULES)
    gate.enrol(ONE, Address("8.8.8.1", 1))
    gate.enrol(OTHER, Address("8.8.8.2", 1))
    gate.forget_all_but([OTHER])
    assert gate.enrol(THIRD, Address("8.8.8.3", 1)) is None
    gate.forget(ONE)
    gate.hold(ONE, 5)
    assert gate.register(OTHER, 8, 0) is None


def test_questions_have_a_pace():
    gate = IndexGate(RULES)
    assert [gate.ask(ONE, 0) for _ in range(3)] == [None, None, Denied.QUERIES]
    assert gate.ask(OTHER, 0) is None
    assert gate.ask(ONE, 1) is None


def test_a_costly_question_counts_as_many():
    gate = IndexGate(RULES)
    assert gate.ask(ONE, 0) is None
    gate.charge(ONE, 2, 0)
    assert gate.ask(ONE, 1) is Denied.QUERIES
    assert gate.ask(ONE, 3) is None
    gate.charge(OTHER, 50, 0)  # it has asked nothing: this node itself, say
    assert gate.ask(OTHER, 0) is None
