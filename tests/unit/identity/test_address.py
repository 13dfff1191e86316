"""Addresses: what is read is what is shown, and hostile text is an AddressError and nothing else."""

from __future__ import annotations

import ipaddress
import socket

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.errors import AddressError
from peerage.identity.address import Address, literal_ip, parse_address

ports = st.integers(0, 65535)
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
names = st.lists(labels, min_size=1, max_size=4).map(".".join).filter(lambda name: not name.split(".")[-1][0].isdigit())
hosts = st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str), names)


@given(hosts, ports)
def test_round_trip(host: str, port: int) -> None:
    address = Address(host, port)
    assert parse_address(str(address)) == address


@given(st.text(max_size=80))
def test_hostile_text_is_an_address_error_and_nothing_else(text: str) -> None:
    try:
        address = parse_address(text)
    except AddressError:
        return
    assert parse_address(str(address)) == address


@given(st.text(alphabet="a1.-_%:fe80x \0\u00e9", max_size=80))
def test_what_others_say_is_dialable_only_if_a_resolver_takes_it(host: str) -> None:
    if Address(host, 80).is_dialable:
        host.encode("idna")  # socket.getaddrinfo would raise UnicodeError, which is no OSError
        assert "\0" not in host


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.7:7411", "192.0.2.7", 7411),
        ("  example.net:80 ", "example.net", 80),
        ("[2001:db8::7]:7411", "2001:db8::7", 7411),
        ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
        (":7411", "", 7411),
        ("localhost:0", "localhost", 0),
    ],
)
def test_what_people_write(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host",
        "host:",
        "host:http",
        "host:65536",
        "host:-1",
        "host:٣",
        "host:" + "9" * 5000,
        "2001:db8::7:80",
        "[2001:db8::7]",
        "[example.net]:80",
        "[fe80::1%a b]:80",
        "[fe80::1%\0]:80",
        "a..b:80",
        f"{'a' * 64}:80",
        f"{'a.' * 130}:80",
        "-a:80",
        "a b:80",
        "a\0b:80",
        "a/b:80",
        "127.1:80",
        "2130706433:80",
        "0x7f.1:80",
        "256.1.1.1:80",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(AddressError, match="is not an address"):
        parse_address(text)


def test_messages_say_what_to_write() -> None:
    with pytest.raises(AddressError, match=r"put the IPv6 address in brackets, \[2001:db8::7\]:80"):
        parse_address("2001:db8::7:80")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "255.255.255.255", "224.0.0.1", "ff02::1", "", "::ffff:0.0.0.0"])
def test_what_names_no_single_place_is_not_dialable(host: str) -> None:
    assert not Address(host, 80).is_dialable


def test_loopback_however_it_is_written() -> None:
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost", "::ffff:127.0.0.1"):
        assert Address(host, 1).is_loopback
    assert not Address("192.0.2.1", 1).is_loopback
    assert not Address("127.1", 1).is_dialable  # a resolver would turn it into loopback behind our back


def test_ipv4_mapped_is_ipv4() -> None:
    assert literal_ip("::ffff:192.0.2.1") == ipaddress.IPv4Address("192.0.2.1")


def test_limits_hold_inside_a_message() -> None:
    for bad in (["h" * 254, 1], ["h", 65536], ["h", -1]):
        with pytest.raises(msgspec.ValidationError):
            msgspec.msgpack.decode(msgspec.msgpack.encode(bad), type=Address)


def test_a_resolver_agrees_about_literals() -> None:
    for host in ("127.0.0.1", "::1"):
        assert socket.getaddrinfo(host, 1, flags=socket.AI_NUMERICHOST)[0][4][0] == host
