from peerage.identity.address import Address
from peerage.limits import MAX_ADDRESSES
from peerage.overlay.reach import reachable, told_addresses

FAR = Address("198.51.100.7", 50_000)
HERE = Address("127.0.0.1", 50_000)


def test_a_wildcard_is_told_as_where_you_see_me():
    listening = [Address("0.0.0.0", 7411), Address("::", 7411), Address("192.0.2.1", 7412)]
    assert told_addresses(listening) == (Address("", 7411), Address("192.0.2.1", 7412))


def test_no_more_addresses_are_told_than_others_take():
    assert len(told_addresses(Address("192.0.2.1", port) for port in range(1, 100))) == MAX_ADDRESSES


def test_the_first_peer_on_the_way_fills_in_the_host_it_sees():
    assert reachable([Address("", 7411)], FAR, first_hop=True) == (Address("198.51.100.7", 7411),)
    assert reachable([Address("", 7411)], FAR, first_hop=False) == ()


def test_nothing_from_afar_points_at_this_computer():
    told = [Address("127.0.0.1", 22), Address("::1", 22), Address("localhost", 22), Address("::ffff:127.0.0.1", 22)]
    assert reachable(told, FAR, first_hop=True) == ()
    assert reachable(told[:1], HERE, first_hop=False) == (Address("127.0.0.1", 22),)


def test_what_names_no_single_place_is_left_out():
    told = [Address("0.0.0.0", 1), Address("224.0.0.1", 1), Address("255.255.255.255", 1), Address("192.0.2.1", 0)]
    assert reachable([*told, Address("bad host", 1)], FAR, first_hop=True) == ()
