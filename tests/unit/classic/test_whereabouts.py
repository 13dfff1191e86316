"""Who is believed to be where."""

from __future__ import annotations

import pytest

from peerage.classic.whereabouts import Whereabouts, address_of_id
from peerage.identity.address import Address, parse_address


@pytest.fixture
def here() -> Whereabouts:
    whereabouts = Whereabouts(lambda: {"192.168.1.5", "fe80::1"})
    whereabouts.listening = Address("127.0.0.1", 5678)
    return whereabouts


@pytest.mark.parametrize(
    ("claimed", "source", "believed"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("localhost", "127.0.0.1", True),
        ("192.168.1.5", "127.0.0.1", True),  # an old peer on this computer calls itself by the network's address
        ("127.0.0.1", "192.168.1.5", True),
        ("localhost", "203.0.113.7", False),
        ("192.168.1.5", "203.0.113.7", False),
        ("example.org", "203.0.113.7", False),  # names are not resolved for a stranger
        ("", "203.0.113.7", False),
        ("", "", False),
    ],
)
def test_a_claim_counts_for_the_place_it_comes_from(
    here: Whereabouts, claimed: str, source: str, believed: bool
) -> None:
    assert here.is_from(claimed, source) is believed


@pytest.mark.parametrize(
    ("address", "me"),
    [
        ("127.0.0.1:5678", True),
        ("192.168.1.5:5678", True),
        ("localhost:5678", True),
        ("127.0.0.1:5679", False),
        ("8.8.8.8:5678", False),
    ],
)
def test_it_knows_itself(here: Whereabouts, address: str, me: bool) -> None:
    assert here.is_me(parse_address(address)) is me


def test_its_id_is_where_it_can_be_dialled(here: Whereabouts) -> None:
    assert here.id_at(Address("192.168.1.5", 40000)) == "127.0.0.1:5678"
    here.listening = Address("0.0.0.0", 5678)
    assert here.id_at(Address("192.168.1.5", 40000)) == "192.168.1.5:5678"


@pytest.mark.parametrize(
    ("told", "teller", "follow"),
    [
        ("8.8.4.4:5000", "8.8.8.8:5000", True),
        ("192.168.1.9:5000", "8.8.8.8:5000", False),
        ("127.0.0.1:5000", "8.8.8.8:5000", False),
        ("127.0.0.1:5000", "192.168.1.9:5000", False),
        ("192.168.1.9:5000", "192.168.1.7:5000", True),
        ("127.0.0.1:5000", "127.0.0.1:5001", True),
        ("8.8.8.8:5000", "127.0.0.1:5001", True),
        ("8.8.8.8:25", "8.8.4.4:5000", False),
        ("example.org:5000", "8.8.4.4:5000", False),
        ("0.0.0.0:5000", "8.8.4.4:5000", False),
        ("169.254.169.254:8080", "8.8.4.4:5000", False),
    ],
)
def test_hearsay_leads_no_nearer_to_us_than_who_told_it(
    here: Whereabouts, told: str, teller: str, follow: bool
) -> None:
    assert here.may_follow(parse_address(told), parse_address(teller)) is follow


@pytest.mark.parametrize(
    "peer_id", ["alice", "alice:", ":5", "[::1]:5000", "a b:5", "127.0.0.1:0", "0.0.0.0:5", "1.2.3.4:99999"]
)
def test_an_id_that_is_no_address(peer_id: str) -> None:
    assert address_of_id(peer_id) is None
