"""What any two peers say to each other, whatever features they have."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final

import msgspec

from peerage.identity.address import Address
from peerage.identity.keys import PeerIdField
from peerage.limits import MAX_ADDRESSES
from peerage.wire.message import Message, Request

PROTOCOL_VERSION: Final = 1
MAX_LISTED_PEERS: Final = 16

Addresses = Annotated[tuple[Address, ...], msgspec.Meta(max_length=MAX_ADDRESSES)]


class LinkKind(StrEnum):
    """What a link is for: small talk, or pieces of content that must not delay it."""

    TALK = "talk"
    BULK = "bulk"


class Hello(Message, frozen=True):
    """The first message of either side on every link; the deck's NAME."""

    code: ClassVar[bytes] = b"HELO"
    version: int
    kind: LinkKind
    agent: Annotated[str, msgspec.Meta(max_length=64)]
    addresses: Addresses = ()  # where the sender listens; an empty host means "at the address you see me from"
    features: Annotated[tuple[Annotated[str, msgspec.Meta(max_length=32)], ...], msgspec.Meta(max_length=32)] = ()


class Pong(Message, frozen=True):
    """The answer to a ping."""

    code: ClassVar[bytes] = b"PONG"


class Ping(Request[Pong], frozen=True):
    """Are you there?"""

    code: ClassVar[bytes] = b"PING"
    reply: ClassVar[type[Message]] = Pong


class Quit(Message, frozen=True):
    """The sender leaves; the deck's QUIT."""

    code: ClassVar[bytes] = b"QUIT"


class ListedPeer(msgspec.Struct, frozen=True, array_like=True):
    """A peer that the answering side has talked to lately."""

    peer_id: PeerIdField
    addresses: Addresses


class Listed(Message, frozen=True):
    """Some known peers."""

    code: ClassVar[bytes] = b"LSTD"
    peers: Annotated[tuple[ListedPeer, ...], msgspec.Meta(max_length=MAX_LISTED_PEERS)]


class ListPeers(Request[Listed], frozen=True):
    """Which peers do you know? The deck's LIST."""

    code: ClassVar[bytes] = b"LIST"
    reply: ClassVar[type[Message]] = Listed
