import pytest
from dht_samples import contact, peer_id

from peerage.identity.address import Address
from peerage.overlay.dht.contacts import Contact, believable, number_of, place_of, subnet_of


@pytest.mark.parametrize(
    ("host", "subnet"),
    [
        ("5.6.7.8", "4:50607"),
        ("5.6.7.255", "4:50607"),
        ("2a01:4f8:1::1", "6:2a0104f80001"),
        ("2a01:4f8:1:ffff::1", "6:2a0104f80001"),
        ("::ffff:5.6.7.8", "4:50607"),
        ("10.1.2.3", ""),
        ("192.168.1.1", ""),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("peer.example", ""),
    ],
)
def test_the_subnet_of_a_host(host, subnet):
    assert place_of(host).subnet == subnet
    assert subnet_of(contact(1, host)) == subnet


def test_ids_are_numbers():
    assert number_of(peer_id(2**255 + 1)) == 2**255 + 1


def test_what_nobody_can_dial_is_not_believed():
    bad = [
        contact(1, "0.0.0.0"),
        contact(2, "224.0.0.1"),
        contact(3, "127.0.0.1"),
        contact(4, ""),
        Contact(peer_id(5), (Address("5.6.7.8", 0),)),
        Contact(peer_id(6), (Address("5.6.7.8", 1), Address("::1", 1))),
        contact(7, "not a name"),
    ]
    good = [contact(8, "5.6.7.8"), contact(9, "192.168.0.1"), contact(10, "peer.example")]
    assert list(believable([*bad, *good], near=False)) == good
    assert list(believable([*bad, *good], near=True)) == [bad[2], bad[5], *good]
