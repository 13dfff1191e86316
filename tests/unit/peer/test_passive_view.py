"""The remembered peers: bounded by teller, by subnet and in all, whatever is told."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.limits import PASSIVE_VIEW, PEERS_PER_SUBNET, TOLD_SHARE
from peerage.peer.messages import Contact
from peerage.peer.passive_view import PassiveView


def peer_id(number: int) -> PeerId:
    return PeerId(number.to_bytes(32, "big"))


def contact(number: int, host: str | None = None) -> Contact:
    return Contact(peer_id(number), (Address(host or f"20.{number % 250}.{number // 250}.1", 7411),))


def view() -> PassiveView:
    return PassiveView(PASSIVE_VIEW, random.Random(1))  # noqa: S311 -- a test


def hearsay(passive: PassiveView) -> int:
    return len(passive) - len(passive.met())


def test_one_teller_fills_no_more_than_its_share() -> None:
    passive = view()
    for number in range(1000):
        passive.add_told(contact(number), peer_id(9999), float(number))
    assert len(passive) == PASSIVE_VIEW // TOLD_SHARE


def test_many_tellers_together_leave_a_third_for_those_that_were_met() -> None:
    passive = view()
    for number in range(1000):
        passive.add_told(contact(number), peer_id(9000 + number % 50), float(number))
    assert len(passive) == PASSIVE_VIEW - PASSIVE_VIEW // 3
    for number in range(2000, 2100):
        assert passive.add_met(contact(number), float(number))
    assert hearsay(passive) == 0


def test_who_was_met_first_is_displaced_by_nobody() -> None:
    passive = view()
    for number in range(PASSIVE_VIEW):
        passive.add_met(contact(number), float(number))
    for number in range(100, 2000):
        passive.add_told(contact(number), peer_id(9000 + number % 50), 1e6)
        passive.add_met(contact(number + 10_000), 1e6)
    assert all(peer_id(number) in passive for number in range(PASSIVE_VIEW // 3))


def test_one_subnet_has_two_places_and_who_was_met_comes_first() -> None:
    passive = view()
    for number in range(10):
        passive.add_told(contact(number, f"20.1.1.{number}"), peer_id(9000 + number), 0.0)
    assert len(passive) == PEERS_PER_SUBNET
    assert passive.add_met(contact(50, "20.1.1.50"), 1.0)
    assert passive.add_met(contact(51, "20.1.1.51"), 1.0)
    assert not passive.add_met(contact(52, "20.1.1.52"), 1.0)
    assert {each.peer_id for each in passive.met()} == {peer_id(50), peer_id(51)}
    assert len(passive) == PEERS_PER_SUBNET


def test_a_local_network_has_no_cap() -> None:
    passive = view()
    for number in range(20):
        passive.add_met(contact(number, f"192.168.1.{number}"), 0.0)
    assert len(passive) == 20


def test_nobody_without_an_address_is_remembered() -> None:
    passive = view()
    assert not passive.add_met(Contact(peer_id(1), ()), 0.0)
    assert not passive.add_told(Contact(peer_id(2), ()), peer_id(3), 0.0)
    assert len(passive) == 0


def test_those_that_were_met_are_asked_first_and_none_before_its_time() -> None:
    passive = view()
    passive.add_told(contact(1), peer_id(99), 0.0)
    passive.add_met(contact(2), 0.0)
    passive.add_met(contact(3), 0.0)
    passive.postpone(peer_id(3), 10.0)
    assert [each.contact for each in passive.candidates(5.0)] == [contact(2), contact(1)]
    assert len(passive.candidates(10.0)) == 3


def test_meeting_a_peer_again_keeps_how_long_it_is_known() -> None:
    passive = view()
    for number in range(PASSIVE_VIEW):
        passive.add_met(contact(number), float(number))
    passive.add_met(contact(0), 1e6)
    for number in range(100, 1000):
        passive.add_met(contact(number), 2e6)
    assert peer_id(0) in passive


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 400), st.integers(0, 12), st.integers(0, 30)), max_size=100))
def test_the_bounds_hold_whatever_comes(events: list[tuple[bool, int, int, int]]) -> None:
    passive = view()
    for now, (met, number, teller, net) in enumerate(events):
        told = contact(number, f"20.7.{net}.{number % 250}")
        if met:
            passive.add_met(told, float(now))
        else:
            passive.add_told(told, peer_id(5000 + teller), float(now))
        entries = list(passive)
        assert len(entries) <= PASSIVE_VIEW
        assert hearsay(passive) <= PASSIVE_VIEW - PASSIVE_VIEW // 3
        for subnet in {each for entry in entries for each in entry.subnets}:
            assert sum(subnet in entry.subnets for entry in entries) <= PEERS_PER_SUBNET
        for who in {entry.teller for entry in entries} - {None}:
            assert sum(entry.teller == who for entry in entries) <= PASSIVE_VIEW // TOLD_SHARE
