"""Where others can dial this node: what it listens at, with a wildcard spelt out as the addresses of this computer.

Invariant: an address that only this computer can dial is offered only when there is no other. Whether a router or a
firewall is in the way is not known here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from peerage.identity.address import Address, literal_ip
from peerage.limits import MAX_ADDRESSES

_WILDCARDS: Final = {"0.0.0.0": 4, "::": 6}  # noqa: S104 -- compared, not bound


def own_addresses(listening: Iterable[Address]) -> tuple[Address, ...]:
    """Return where others could dial, the widest reach first."""
    return dialable(tuple(listening), tuple(interface_hosts()))


def interface_hosts() -> Iterable[str]:
    """Return the IP addresses of this computer's interfaces."""
    import ifaddr  # noqa: PLC0415 -- only a node that listens needs it

    for adapter in ifaddr.get_adapters():
        for each in adapter.ips:
            yield each.ip if isinstance(each.ip, str) else each.ip[0]


def dialable(listening: tuple[Address, ...], hosts: tuple[str, ...]) -> tuple[Address, ...]:
    """Spell out wildcards with `hosts`, drop what nobody else can dial, and put the widest reach first."""
    places: dict[Address, None] = {}
    for address in listening:
        family = _WILDCARDS.get(address.host)
        if family is None:
            places[address] = None
        else:
            places |= {Address(host, address.port): None for host in hosts if _family(host) == family}
    usable = [place for place in places if place.is_dialable and not _is_link_local(place.host)]
    outside = [place for place in usable if not place.is_loopback]
    return tuple(sorted(outside or usable, key=_reach)[:MAX_ADDRESSES])


def _family(host: str) -> int:
    literal = literal_ip(host)
    return literal.version if literal is not None else 0


def _is_link_local(host: str) -> bool:
    """Whether the address means something else on every interface; others cannot dial it without naming one."""
    literal = literal_ip(host)
    return literal is not None and literal.is_link_local


def _reach(place: Address) -> int:
    literal = literal_ip(place.host)
    if literal is None or literal.is_global:
        return 0
    return 1 if isinstance(literal, ipaddress.IPv4Address) else 2
