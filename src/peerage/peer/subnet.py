"""Which addresses are cheap to have for one who has one of them: the networks that caps count.

Invariant: two public addresses have the same subnet if they share a /24 (IPv4) or a /48 (IPv6). Addresses that only a
household can dial are not counted, as all of a local network share theirs; names count as one subnet, since whoever
has a domain has as many as he likes. Pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from peerage.identity.address import Address, literal_ip

NAMES: Final = "names"
_CACHED: Final = 16_384  # hosts whose text was read lately: reading one takes microseconds, and each message has dozens


@lru_cache(maxsize=_CACHED)
def subnet_of(host: str) -> str:
    """Return the subnet of a host, "" for one on a local network or on this computer."""
    literal = literal_ip(host)
    if literal is None:
        return "" if host == "localhost" else NAMES
    if not literal.is_global:
        return ""
    prefix = 24 if isinstance(literal, ipaddress.IPv4Address) else 48
    return str(ipaddress.ip_network((literal, prefix), strict=False))


def subnets_of(addresses: Iterable[Address]) -> tuple[str, ...]:
    """Return the subnets that a peer at these addresses counts for."""
    found = [subnet_of(each.host) for each in addresses]
    if len(found) == 1:  # as most often
        return tuple(found) if found[0] else ()
    return tuple(dict.fromkeys(each for each in found if each))


def sayable(addresses: Iterable[Address], to: Address) -> tuple[Address, ...]:
    """Leave out what the peer at `to` cannot dial, or cannot have learned: addresses of a nearer scope than its own."""
    scope = max(_scope(to.host), 0)
    if isinstance(addresses, tuple) and len(addresses) == 1:  # as most often
        return addresses if addresses[0].port and _scope(addresses[0].host) >= scope else ()
    return tuple([each for each in addresses if each.port and _scope(each.host) >= scope])


@lru_cache(maxsize=_CACHED)
def _scope(host: str) -> int:
    """Return 0 for this computer, 1 for a local network, 2 for the world and for names, -1 for no place at all."""
    if not Address(host, 1).is_dialable:
        return -1
    literal = literal_ip(host)
    if literal is None:
        return 0 if host == "localhost" else 2
    if literal.is_loopback:
        return 0
    return 2 if literal.is_global else 1
