import random

from hypothesis import given
from hypothesis import strategies as st

from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.supernode.known import KnownSupernodes
from peerage.overlay.supernode.messages import SupernodeAt

ME = PeerId(bytes(32))


def at(number: int, host: str = "") -> SupernodeAt:
    return SupernodeAt(PeerId(number.to_bytes(32, "big")), (Address(host or f"20.{number}.0.1", 7411),))


def known(*numbers: int, maximum: int = 10) -> KnownSupernodes:
    made = KnownSupernodes(ME, maximum)
    for number in numbers:
        made.met(at(number))
    return made


def usable(one, now=0.0):
    return [int.from_bytes(each.peer_id, "big") for each in one.usable(now, random.Random(1))]


def test_hearsay_is_a_candidate_and_not_passed_on():
    one = known()
    assert one.hear(at(1))
    assert not one.hear(at(1))
    assert usable(one) == [1]
    assert one.to_tell(random.Random(1), 0.0) == ()
    assert one.to_keep() == ()
    one.met(at(1))
    assert one.to_tell(random.Random(1), 0.0) == one.to_keep() == (at(1),)


def test_this_node_and_those_without_an_address_are_none():
    one = known()
    assert not one.hear(SupernodeAt(ME, at(1).addresses))
    assert not one.hear(SupernodeAt(at(2).peer_id, ()))
    one.met(SupernodeAt(ME, at(1).addresses))
    assert len(one) == 0


def test_of_one_subnet_only_a_few_are_remembered():
    one = known()
    heard = [one.hear(at(number, f"20.1.1.{number}")) for number in range(1, 6)]
    assert heard == [True, True, False, False, False]
    assert one.hear(at(7, "192.168.1.1"))
    assert all(one.hear(at(8 + number, f"192.168.1.{2 + number}")) for number in range(3))


def test_hearsay_never_displaces_who_was_met():
    one = known(*range(1, 11))
    assert not one.hear(at(11))
    one.failed(at(3).peer_id, 0.0)
    assert one.hear(at(11))
    assert at(3).peer_id not in one


def test_who_was_met_displaces_hearsay():
    one = known()
    for number in range(1, 11):
        one.hear(at(number))
    one.met(at(11))
    assert len(one) == 10
    assert at(11).peer_id in one


def test_who_failed_waits_longer_each_time_and_hearsay_that_failed_is_forgotten():
    one = known(1)
    one.hear(at(2))
    one.failed(at(2).peer_id, 0.0)
    assert at(2).peer_id not in one
    one.failed(at(1).peer_id, 0.0)
    assert usable(one, 59.0) == []
    assert usable(one, 60.0) == [1]
    one.failed(at(1).peer_id, 60.0)
    assert usable(one, 179.0) == []
    assert usable(one, 180.0) == [1]
    one.met(at(1))
    assert usable(one, 180.0) == [1]


def test_who_lied_is_neither_used_nor_told_for_an_hour():
    one = known(1)
    one.lied(at(1).peer_id, 0.0)
    assert usable(one, 3599.0) == []
    assert one.to_tell(random.Random(1), 3599.0) == one.to_keep() == ()
    assert not one.hear(at(1))  # others' praise changes nothing


def test_who_is_full_is_asked_a_little_later():
    one = known(1)
    one.is_full(at(1).peer_id, 0.0)
    assert (usable(one, 59.0), usable(one, 60.0)) == ([], [1])
    assert one.to_keep() == (at(1),)


def test_what_was_kept_begins_as_hearsay():
    again = KnownSupernodes(ME)
    again.restore(known(1, 2, 3).to_keep())
    assert sorted(usable(again)) == [1, 2, 3]
    assert again.to_keep() == ()


@given(st.lists(st.tuples(st.sampled_from("hmflr"), st.integers(1, 40)), max_size=120))
def test_there_are_never_too_many(events):
    one = KnownSupernodes(ME, 8)
    for number, (what, which) in enumerate(events):
        match what:
            case "h":
                one.hear(at(which))
            case "m":
                one.met(at(which))
            case "f":
                one.failed(at(which).peer_id, float(number))
            case "l":
                one.lied(at(which).peer_id, float(number))
            case "r":
                one.is_full(at(which).peer_id, float(number))
        assert len(one) <= 8
        assert len(one.to_tell(random.Random(1), float(number))) <= 8
