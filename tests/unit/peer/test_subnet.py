import pytest

from peerage.identity.address import Address
from peerage.peer.subnet import NAMES, sayable, subnet_of, subnets_of


@pytest.mark.parametrize(
    ("host", "subnet"),
    [
        ("20.1.2.3", "20.1.2.0/24"),
        ("20.1.2.255", "20.1.2.0/24"),
        ("::ffff:20.1.2.3", "20.1.2.0/24"),
        ("2a00:1:2:3::4", "2a00:1:2::/48"),
        ("192.168.1.9", ""),
        ("127.0.0.1", ""),
        ("localhost", ""),
        ("fe80::1%eth0", ""),
        ("100.64.0.1", ""),
        ("one.example.org", NAMES),
        ("another.example.org", NAMES),
    ],
)
def test_addresses_that_one_party_has_together_share_a_subnet(host: str, subnet: str) -> None:
    assert subnet_of(host) == subnet


def test_a_peer_counts_for_each_of_its_subnets_once() -> None:
    hosts = ["20.1.2.3", "192.168.1.1", "20.1.2.4", "2a00:1:2::1"]
    assert subnets_of(Address(host, 1) for host in hosts) == ("20.1.2.0/24", "2a00:1:2::/48")


@pytest.mark.parametrize(
    ("teller", "believed"),
    [
        ("127.0.0.1", ["127.0.0.1", "192.168.1.1", "20.1.2.3"]),
        ("192.168.1.7", ["192.168.1.1", "20.1.2.3"]),
        ("20.9.9.9", ["20.1.2.3"]),
    ],
)
def test_nobody_outside_can_send_this_node_to_its_own_network(teller: str, believed: list[str]) -> None:
    told = [Address(host, 5) for host in ["127.0.0.1", "192.168.1.1", "20.1.2.3", "0.0.0.0", "255.255.255.255"]]  # noqa: S104 -- not bound
    assert [each.host for each in sayable([*told, Address("20.1.2.3", 0)], Address(teller, 1))] == believed
