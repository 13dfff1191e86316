"""What peers say to each other to keep a distributed hash table together and to use it.

Invariant: every length is checked while a message is decoded; no message is larger than a frame. One question does for
walking and for finding: it names a point, and may ask for what is kept under a key.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, ClassVar

import msgspec

from peerage.catalogue.record import ContentId
from peerage.limits import MAX_QUERY_CHARS
from peerage.overlay.dht.contacts import Contact
from peerage.overlay.dht.limits import DHT_ANSWER_ENTRIES, DHT_BUCKET, DHT_STORE_ITEMS
from peerage.overlay.dht.records import Key, Posting, Provider, RecordBytes, Value, Whereabouts
from peerage.wire.message import Message, Request

_Count = Annotated[int, msgspec.Meta(ge=0, le=100_000)]
_Host = Annotated[str, msgspec.Meta(max_length=64)]
_Bits = Annotated[int, msgspec.Meta(ge=0, le=64)]
_Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
_MANY = msgspec.Meta(max_length=DHT_STORE_ITEMS)
_ENTRIES = msgspec.Meta(max_length=DHT_ANSWER_ENTRIES)


class Kind(IntEnum):
    """What is kept under a key."""

    PROVIDERS = 0
    POSTINGS = 1
    VALUE = 2


class Fetch(msgspec.Struct, frozen=True, array_like=True):
    """What to look for on the way: at most `limit` entries after the first `skip`; `text` is the whole query."""

    kind: Kind
    key: Key
    limit: Annotated[int, msgspec.Meta(ge=1, le=DHT_ANSWER_ENTRIES)] = DHT_ANSWER_ENTRIES
    skip: _Count = 0
    text: Annotated[str, msgspec.Meta(max_length=MAX_QUERY_CHARS)] = ""


class FoundProvider(msgspec.Struct, frozen=True, array_like=True):
    """A provider, and the host that the answering peer saw it at; empty when that helps nobody."""

    provider: Provider
    seen: _Host


class FoundRecords(msgspec.Struct, frozen=True, array_like=True):
    """Records of one holder, with where it says it is and the host it was seen at."""

    whereabouts: Whereabouts
    seen: _Host
    records: Annotated[tuple[RecordBytes, ...], _ENTRIES]


class Found(msgspec.Struct, frozen=True, array_like=True):
    """What a peer keeps of what was asked for; `more` entries did not fit."""

    providers: Annotated[tuple[FoundProvider, ...], _ENTRIES] = ()
    records: Annotated[tuple[FoundRecords, ...], _ENTRIES] = ()
    value: Value | None = None
    more: _Count = 0


class Seen(Message, frozen=True):
    """The nearest contacts that the answering peer knows, and what it keeps; `serving`: whether it keeps anything."""

    code: ClassVar[bytes] = b"SEEN"
    serving: bool
    contacts: Annotated[tuple[Contact, ...], msgspec.Meta(max_length=DHT_BUCKET)]
    found: Found | None = None


class Look(Request[Seen], frozen=True):
    """Who is near this point, and what do you keep of this? `serving`: whether the asker keeps records, too."""

    code: ClassVar[bytes] = b"LOOK"
    target: Key
    serving: bool
    fetch: Fetch | None = None


class Put(msgspec.Struct, frozen=True, array_like=True):
    """A value to be kept; with `cas` only if the value kept now has that sequence number."""

    value: Value
    cas: Annotated[int, msgspec.Meta(ge=0)] | None = None


class Drop(msgspec.Struct, frozen=True, array_like=True):
    """Forget what the sender has stored under this key; `content` says which posting, and is empty for a provider."""

    kind: Kind
    key: Key
    content: ContentId | None = None


class Verdict(IntEnum):
    """What became of one item."""

    STORED = 0
    RENEWED = 1  # it was here already
    FULL = 2  # there is no room under this key, for this publisher, or at all
    FAR = 3  # the key is none of this peer's business
    STALE = 4  # expired, or older than what is kept
    CONFLICT = 5  # the value kept has another sequence number than `cas`
    FOREIGN = 6  # not the sender's own to store
    MALFORMED = 7
    UNSTAMPED = 8  # its stamp is worth too little
    FORGED = 9
    DROPPED = 10


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """A verdict, and how full this key is, in per cent: publishers of common words hold back.

    `bits`: what the stamp must be worth that this posting lacks.
    """

    verdict: Verdict
    load: _Percent
    bits: _Bits = 0


class Kept(Message, frozen=True):
    """One outcome for each item: providers first, then postings, values and drops, each in order."""

    code: ClassVar[bytes] = b"KEPT"
    outcomes: Annotated[tuple[Outcome, ...], msgspec.Meta(max_length=4 * DHT_STORE_ITEMS)]


class Store(Request[Kept], frozen=True):
    """Keep these; all but values are the sender's own. Postings need its whereabouts."""

    code: ClassVar[bytes] = b"STOR"
    whereabouts: Whereabouts | None = None
    providers: Annotated[tuple[Provider, ...], _MANY] = ()
    postings: Annotated[tuple[Posting, ...], _MANY] = ()
    values: Annotated[tuple[Put, ...], _MANY] = ()
    drops: Annotated[tuple[Drop, ...], _MANY] = ()
