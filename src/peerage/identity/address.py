"""Addresses: where a peer can be dialled, as `host:port` (IPv6 hosts in brackets).

Invariant: `str(parse_address(text))` dials the same place as `text`. Nothing is resolved here.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Annotated, Final

import msgspec

from peerage.errors import AddressError

_MAX_HOST: Final = 253  # characters, RFC 1035
_LABEL: Final = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"({_LABEL}\.)*(?!(\d+|0[xX][0-9a-fA-F]*)\.?$){_LABEL}\.?")
"""A host name. What ends in a number is none: resolvers read `127.1` and `0x7f.1` as addresses."""
_LITERALS: Final = 16_384  # hosts whose reading is remembered: the same ones are judged again and again
_SCOPE: Final = re.compile(r"[A-Za-z0-9_.-]{1,15}")


class Address(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A host (name, IPv4 or IPv6 without brackets) and a TCP port."""

    host: Annotated[str, msgspec.Meta(max_length=_MAX_HOST)]
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)]

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this computer can dial it."""
        literal = literal_ip(self.host)
        return self.host == "localhost" if literal is None else literal.is_loopback

    @property
    def is_dialable(self) -> bool:
        """Whether it names one place: a port, and not a wildcard, multicast or reserved host."""
        if not self.port:
            return False
        literal = literal_ip(self.host)
        if literal is None:
            return _is_name(self.host)
        return not (literal.is_unspecified or literal.is_multicast or _is_broadcast(literal))


@lru_cache(maxsize=_LITERALS)
def literal_ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the IP address that `host` spells, IPv4-mapped IPv6 as IPv4; None when it is a name."""
    _, percent, scope = host.partition("%")
    if percent and not _SCOPE.fullmatch(scope):
        return None
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_name(host: str) -> bool:
    return len(host) <= _MAX_HOST and _NAME.fullmatch(host) is not None


def _is_broadcast(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.version == 4 and int(address) == 0xFFFFFFFF


def parse_address(text: str) -> Address:
    """Read `host:port`, `[ipv6]:port` or `:port` (all interfaces); raises AddressError."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
        raise AddressError(f"{text!r} is not an address: write HOST:PORT, such as 192.0.2.7:7411 or [2001:db8::7]:7411")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if literal_ip(host) is None:
            raise AddressError(f"{text!r} is not an address: only an IPv6 address goes in brackets")
    elif ":" in host:
        raise AddressError(f"{text!r} is not an address: put the IPv6 address in brackets, [{host}]:{port}")
    if host and literal_ip(host) is None and not _is_name(host):
        raise AddressError(f"{text!r} is not an address: {host!r} is not a host name")
    return Address(host, int(port))
