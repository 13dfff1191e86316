"""Contacts with ids of one's own choice, and small numbers for rules."""

from __future__ import annotations

import msgspec

from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.dht.contacts import BITS, Contact
from peerage.overlay.dht.rules import DhtRules

OWN = PeerId(bytes(32))
RULES = DhtRules(stamp_bits=4, join_delay=0.02)


def peer_id(number: int) -> PeerId:
    return PeerId(number.to_bytes(32, "big"))


def contact(number: int, host: str = "10.0.0.1") -> Contact:
    return Contact(peer_id(number), (Address(host, 7411),))


def near(prefix_bits: int, rest: int = 0, host: str = "10.0.0.1") -> Contact:
    """Return a contact that shares exactly so many leading bits with an id of zeros."""
    return contact((1 << (BITS - 1 - prefix_bits)) | rest, host)


def rules(**changes) -> DhtRules:
    return msgspec.structs.replace(RULES, **changes)
