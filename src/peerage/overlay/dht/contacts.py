"""Who takes part in the table, and where: contacts, their distances, and what kind of place an address is.

Invariant: distances are numbers of 256 bits, the XOR of two ids (Kademlia, Maymounkov and Mazieres 2002). Nothing here
knows whether a contact lives. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Final, NamedTuple

import msgspec

from peerage.identity.address import Address
from peerage.identity.keys import ID_BYTES, PeerId, PeerIdField
from peerage.overlay.dht.limits import DHT_CONTACT_ADDRESSES
from peerage.peer import subnet

BITS: Final = 8 * ID_BYTES
SPACE: Final = 1 << BITS
_PLACES: Final = 16_384  # hosts whose kind is remembered by the process: spelling them out costs microseconds each


class Contact(msgspec.Struct, frozen=True, array_like=True):
    """A peer that takes part, as it is told to others."""

    peer_id: PeerIdField
    addresses: Annotated[tuple[Address, ...], msgspec.Meta(min_length=1, max_length=DHT_CONTACT_ADDRESSES)]


class Place(NamedTuple):
    """What a host is; `subnet` is its /24 or /48, as peer/subnet.py cuts them."""

    dialable: bool
    loopback: bool
    subnet: str


def number_of(peer_id: PeerId | bytes) -> int:
    """Return an id or key as a number."""
    return int.from_bytes(peer_id, "big")


@lru_cache(maxsize=_PLACES)
def place_of(host: str) -> Place:
    """Return what kind of place a host names; local networks count as no subnet (as in BEP 42)."""
    address = Address(host, 1)
    return Place(address.is_dialable, address.is_loopback, subnet.subnet_of(host))


def subnet_of(contact: Contact) -> str:
    """Return the subnet of a contact's first address."""
    return place_of(contact.addresses[0].host).subnet


def believable(told: Iterable[Contact], *, near: bool) -> Iterable[Contact]:
    """Leave out contacts that no one may dial, and those on this computer unless the teller is `near`, on it, too."""
    for contact in told:
        for address in contact.addresses:
            dialable, loopback, _ = place_of(address.host)
            if not address.port or not dialable or (loopback and not near):
                break
        else:
            yield contact
