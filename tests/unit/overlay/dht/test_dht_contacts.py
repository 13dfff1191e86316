from dht_samples import contact, peer_id

from peerage.identity.address import Address
from peerage.overlay.dht.contacts import Contact, believable, number_of, place_of, subnet_of


def test_a_contact_counts_for_the_subnet_of_its_first_address():
    assert subnet_of(contact(1, "5.6.7.8")) == place_of("5.6.7.255").subnet == "5.6.7.0/24"
    assert subnet_of(contact(1, "10.1.2.3")) == ""


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
