"""Who is where, as far as a protocol without authentication can tell: by the address a connection comes from.

Invariant: an address is believed only when it is the one the claim comes from; names are never resolved for a stranger.
On one computer an old peer calls itself by the address of its network while it connects over loopback, so all
addresses of this computer count as one place. Source of the ids: 2007, `host:port`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection
from typing import Final

from peerage.errors import AddressError
from peerage.identity.address import Address, literal_ip, parse_address

_LOCAL_NAME: Final = "localhost"
_PRIVILEGED: Final = 1024  # ports below are other services, which nobody should be made to knock at by hearsay


def address_of_id(peer_id: str) -> Address | None:
    """Return where a peer with an id `host:port` is; None for other ids, and for what nobody could dial."""
    try:
        address = parse_address(peer_id)
    except AddressError:
        return None
    return address if address.is_dialable and ":" not in address.host else None


class Whereabouts:
    """Where this node is for old peers; `own_hosts` are the IP addresses of this computer."""

    def __init__(self, own_hosts: Callable[[], Collection[str]] = tuple) -> None:
        self._own_hosts = own_hosts
        self.listening: Address | None = None  # None while there is no classic port

    def id_at(self, local: Address) -> str:
        """Return this node's id for whoever it talks to from this address."""
        return str(self.address_at(local))

    def address_at(self, local: Address) -> Address:
        """Return where whoever is talked to from `local` can dial this node."""
        listening = self.listening or Address(local.host, 0)
        literal = literal_ip(listening.host)
        return Address(local.host, listening.port) if literal is None or literal.is_unspecified else listening

    def is_me(self, address: Address) -> bool:
        """Whether this is this node's own classic port."""
        return self.listening is not None and address.port == self.listening.port and self.is_here(address.host)

    def is_here(self, host: str) -> bool:
        """Whether a host is this computer."""
        literal = literal_ip(host)
        if self.listening is not None and host == self.listening.host:
            return True
        return host == _LOCAL_NAME or (literal is not None and literal.is_loopback) or host in self._own_hosts()

    def is_from(self, claimed: str, source: str) -> bool:
        """Whether a host that somebody claims to be is where the connection comes from."""
        return (claimed != "" and claimed == source) or (self.is_here(claimed) and self.is_here(source))

    def may_follow(self, told: Address, teller: Address) -> bool:
        """Whether to dial an address that another peer told: a number, and never nearer to us than who told it."""
        literal = literal_ip(told.host)
        if literal is None or not told.is_dialable or told.port < _PRIVILEGED:
            return False
        return _nearness(told.host) <= _nearness(teller.host)


def _nearness(host: str) -> int:
    """Return 0 for the internet, 1 for a private network, 2 for this computer."""
    literal = ipaddress.ip_address("127.0.0.1") if host == _LOCAL_NAME else literal_ip(host)
    if literal is None or literal.is_global:
        return 0
    return 2 if literal.is_loopback else 1
