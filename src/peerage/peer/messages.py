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
MAX_CONTACTS: Final = 16  # in one message
MAX_WALK: Final = 16  # steps of a random walk that others may ask for; a node cuts them to its own

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
    """The answer to a ping; `time` is the sender's clock, in whole seconds since 1970, 0 when it does not say."""

    code: ClassVar[bytes] = b"PONG"
    time: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0


class Ping(Request[Pong], frozen=True):
    """Are you there?"""

    code: ClassVar[bytes] = b"PING"
    reply: ClassVar[type[Message]] = Pong


class Quit(Message, frozen=True):
    """The sender leaves; the deck's QUIT."""

    code: ClassVar[bytes] = b"QUIT"


class Contact(msgspec.Struct, frozen=True, array_like=True):
    """A peer and where it may be dialled; hearsay until its key was proved on a link."""

    peer_id: PeerIdField
    addresses: Addresses


Contacts = Annotated[tuple[Contact, ...], msgspec.Meta(max_length=MAX_CONTACTS)]
Ttl = Annotated[int, msgspec.Meta(ge=0, le=MAX_WALK)]
NUMBER_BITS: Final = 63  # of a random number that ties an answer to a question
Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << NUMBER_BITS) - 1)]


class Joined(Message, frozen=True):
    """You are a neighbour now; some others that the answering side has met."""

    code: ClassVar[bytes] = b"JOND"
    peers: Contacts


class Join(Request[Joined], frozen=True):
    """The sender is new here and becomes a neighbour in any case; the deck's JOIN."""

    code: ClassVar[bytes] = b"JOIN"


class ForwardJoin(Message, frozen=True):
    """A newcomer on its random walk: where the walk ends it gets a further neighbour."""

    code: ClassVar[bytes] = b"FJOI"
    newcomer: Contact
    ttl: Ttl


class Neighboured(Message, frozen=True):
    """Whether the asker is a neighbour now; if not, others to ask."""

    code: ClassVar[bytes] = b"NGHD"
    accepted: bool
    peers: Contacts = ()


class Neighbour(Request[Neighboured], frozen=True):
    """Be my neighbour; `urgent`: the sender has none, or has been away, and is not to be refused."""

    code: ClassVar[bytes] = b"NGHB"
    urgent: bool


class Disconnect(Message, frozen=True):
    """Sender and receiver are neighbours no longer; others to ask instead. The link may stay for other uses."""

    code: ClassVar[bytes] = b"DISC"
    peers: Contacts = ()


class Shuffle(Message, frozen=True):
    """Peers that the origin has met, on a random walk; None as origin means the sender."""

    code: ClassVar[bytes] = b"SHUF"
    number: Number
    ttl: Ttl
    origin: Contact | None
    peers: Contacts


class Shuffled(Message, frozen=True):
    """What the end of the walk has met, on the way back."""

    code: ClassVar[bytes] = b"SHFD"
    number: Number
    peers: Contacts


class DialledBack(Message, frozen=True):
    """Whether the answering side could dial the asker; `number` goes over the new link as well."""

    code: ClassVar[bytes] = b"DIBD"
    reached: bool


class DialBack(Request[DialledBack], frozen=True):
    """Dial me at the address where you see me and this port, and say over that link the number."""

    code: ClassVar[bytes] = b"DIBK"
    number: Number
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]


class DialProof(Message, frozen=True):
    """Sent over the link that was dialled back."""

    code: ClassVar[bytes] = b"DIPR"
    number: Number
