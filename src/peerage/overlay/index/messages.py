"""What peers say to an index and what it says to them: log in, register, ask, and where indexes are.

Invariant: every length is checked while a message is decoded; no message is larger than a frame. Leases, records and
claims travel as the bytes that their holder signed, through the index and back out, unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Final

import msgspec

from peerage.identity.keys import ID_BYTES, PeerIdField
from peerage.limits import (
    ANSWER_RECORDS,
    INDEX_KEYS,
    INDEXES_TOLD,
    MAX_LEASE_BYTES,
    MAX_PART_PAYLOAD,
    MAX_QUERY_CHARS,
    MAX_RECORD_BYTES,
    MAX_SEARCH_HITS,
)
from peerage.peer.messages import Addresses
from peerage.wire.message import Done, Message, Request

Locator = Annotated[bytes, msgspec.Meta(min_length=ID_BYTES, max_length=ID_BYTES)]
_Lease = Annotated[bytes, msgspec.Meta(min_length=1, max_length=MAX_LEASE_BYTES)]
_Body = Annotated[bytes, msgspec.Meta(min_length=1, max_length=MAX_RECORD_BYTES)]
_Bodies = Annotated[tuple[_Body, ...], msgspec.Meta(max_length=ANSWER_RECORDS)]
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Wanted = Annotated[int, msgspec.Meta(ge=1, le=MAX_SEARCH_HITS)]
_ADDRESS_COST: Final = 16  # bytes of an address beside its host, at the most


class Enrolled(Message, frozen=True):
    """What the index has of the sender: how many records and claims, and the XOR of their fingerprints."""

    code: ClassVar[bytes] = b"IXED"
    count: _Number
    digest: _Number


class Enrol(Request[Enrolled], frozen=True):
    """Log in, or renew: all that the sender has here lasts as long as this lease; `fresh`: forget it first."""

    code: ClassVar[bytes] = b"IXEN"
    lease: _Lease
    fresh: bool = False


class Registered(Message, frozen=True):
    """What became of what was registered."""

    code: ClassVar[bytes] = b"IXRD"
    added: _Number
    known: _Number
    refused: _Number


class Register(Request[Registered], frozen=True):
    """Public records of the sender, and claims to contents that it tells nobody about."""

    code: ClassVar[bytes] = b"IXRG"
    records: _Bodies
    claims: _Bodies = ()


class WireKey(msgspec.Struct, frozen=True, array_like=True):
    """One record or claim of the sender's."""

    locator: Locator
    slot: _Number


class Unregister(Request[Done], frozen=True):
    """The sender has these no more."""

    code: ClassVar[bytes] = b"IXUN"
    keys: Annotated[tuple[WireKey, ...], msgspec.Meta(max_length=INDEX_KEYS)]


class Leave(Message, frozen=True):
    """The sender logs out: nobody is to be told of it any more."""

    code: ClassVar[bytes] = b"IXLV"


class HolderAnswer(msgspec.Struct, frozen=True, array_like=True):
    """What the index knows of one holder that fits: its lease, where it can be dialled, and records (or one claim).

    The addresses are those of the lease with the gaps filled; an empty host means "where you see me".
    """

    lease: _Lease
    addresses: Addresses
    bodies: Annotated[tuple[_Body, ...], msgspec.Meta(min_length=1, max_length=ANSWER_RECORDS)]


class Answered(Message, frozen=True):
    """One part of an answer."""

    code: ClassVar[bytes] = b"IXAN"
    holders: Annotated[tuple[HolderAnswer, ...], msgspec.Meta(max_length=ANSWER_RECORDS)]


class AskIndex(Request[Answered], frozen=True):
    """Who shares something that this query describes? Answered in parts."""

    code: ClassVar[bytes] = b"IXQR"
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_QUERY_CHARS)]
    wanted: _Wanted


class SeekInIndex(Request[Answered], frozen=True):
    """Who has the content of this locator? Answered in parts."""

    code: ClassVar[bytes] = b"IXSK"
    locator: Locator
    wanted: _Wanted


class IndexAt(msgspec.Struct, frozen=True, array_like=True):
    """A peer that serves an index, and where it can be dialled."""

    peer_id: PeerIdField
    addresses: Addresses


class IndexesKnown(Message, frozen=True):
    """Indexes that the sender serves or has used itself; of others this is hearsay."""

    code: ClassVar[bytes] = b"IXAD"
    indexes: Annotated[tuple[IndexAt, ...], msgspec.Meta(max_length=INDEXES_TOLD)]


def cut_into_parts(holders: Iterable[HolderAnswer]) -> Iterator[Answered]:
    """Cut what is known of many holders into messages, each of which fits a frame."""
    group: list[HolderAnswer] = []
    size = 0
    for holder in holders:
        cost = _size_of(holder)
        if group and (len(group) >= ANSWER_RECORDS or size + cost > MAX_PART_PAYLOAD):
            yield Answered(tuple(group))
            group, size = [], 0
        group.append(holder)
        size += cost
    if group:
        yield Answered(tuple(group))


def _size_of(holder: HolderAnswer) -> int:
    places = sum(4 * len(each.host) + _ADDRESS_COST for each in holder.addresses)
    return len(holder.lease) + places + sum(map(len, holder.bodies)) + _ADDRESS_COST


def cut_bodies(bodies: Iterable[bytes]) -> Iterator[tuple[bytes, ...]]:
    """Cut encoded records or claims into groups of which each fits one message."""
    group: list[bytes] = []
    size = 0
    for body in bodies:
        if group and (len(group) >= ANSWER_RECORDS or size + len(body) > MAX_PART_PAYLOAD):
            yield tuple(group)
            group, size = [], 0
        group.append(body)
        size += len(body)
    if group:
        yield tuple(group)
