"""What leaves and supernodes say to each other, and the family of messages by which supernodes flood.

Invariant: every length is checked while a message is decoded; no message is larger than a frame. Records travel as the
bytes that their holder signed, from the leaf to whoever searches, unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Final

import msgspec

from peerage.identity.keys import ID_BYTES, PeerIdField
from peerage.limits import (
    ANSWER_RECORDS,
    LEAF_KEYS,
    MAX_PART_PAYLOAD,
    MAX_QUERY_CHARS,
    MAX_RECORD_BYTES,
    MAX_SEARCH_HITS,
    SUPERNODES_TOLD,
)
from peerage.overlay.flood.messages import Family, FindHolders, FindRecords, HolderFound, RecordsFound, TableUpdate
from peerage.peer.messages import Addresses
from peerage.wire.message import Message, Request

_ADDRESS_COST: Final = 16  # bytes of an address beside its host, at the most
_HOLDER_COST: Final = 64  # bytes of an offer beside its records and addresses

Locator = Annotated[bytes, msgspec.Meta(min_length=ID_BYTES, max_length=ID_BYTES)]
_Body = Annotated[bytes, msgspec.Meta(min_length=1, max_length=MAX_RECORD_BYTES)]
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
_Hops = Annotated[int, msgspec.Meta(ge=0, le=255)]
_Wanted = Annotated[int, msgspec.Meta(ge=1, le=MAX_SEARCH_HITS)]
_Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]


class SupernodeAt(msgspec.Struct, frozen=True, array_like=True):
    """A supernode, and where it can be dialled."""

    peer_id: PeerIdField
    addresses: Addresses


Supernodes = Annotated[tuple[SupernodeAt, ...], msgspec.Meta(max_length=SUPERNODES_TOLD)]


# --- where supernodes are ---------------------------------------------------------------------------------------------


class SupernodesKnown(Message, frozen=True):
    """Supernodes that the sender is or has used itself; of others than itself this is hearsay."""

    code: ClassVar[bytes] = b"SNKN"
    supernodes: Supernodes


class WhereSupernodes(Request[SupernodesKnown], frozen=True):
    """Which supernodes do you know?"""

    code: ClassVar[bytes] = b"SNWH"


# --- leaves -----------------------------------------------------------------------------------------------------------


class Attached(Message, frozen=True):
    """Whether the sender is a leaf, what is here of it (how many, and the XOR of their fingerprints), and whom else."""

    code: ClassVar[bytes] = b"SNAD"
    accepted: bool
    count: _Number
    digest: _Number
    others: Supernodes


class Attach(Request[Attached], frozen=True):
    """Be my supernode, or still be it; `fresh`: forget what is there of me first.

    `capable`: the sender could be a supernode itself. An empty host means "at the address you see me from".
    """

    code: ClassVar[bytes] = b"SNAT"
    addresses: Addresses
    capable: bool
    fresh: bool


class Kept(Message, frozen=True):
    """What is here of the sender now."""

    code: ClassVar[bytes] = b"SNKE"
    count: _Number
    digest: _Number


class WireKey(msgspec.Struct, frozen=True, array_like=True):
    """One record or locator of the sender's."""

    locator: Locator
    slot: _Number


class HandOver(Request[Kept], frozen=True):
    """Public records of the sender, locators of what else it has, and what it has no more."""

    code: ClassVar[bytes] = b"SNHO"
    records: Annotated[tuple[_Body, ...], msgspec.Meta(max_length=ANSWER_RECORDS)] = ()
    locators: Annotated[tuple[Locator, ...], msgspec.Meta(max_length=LEAF_KEYS)] = ()
    removed: Annotated[tuple[WireKey, ...], msgspec.Meta(max_length=LEAF_KEYS)] = ()


class Detach(Message, frozen=True):
    """The sender is no leaf, or no supernode, of the receiver any more; others that may be."""

    code: ClassVar[bytes] = b"SNDE"
    others: Supernodes


class StepUp(Message, frozen=True):
    """There is no room for leaves here, nor at those known: be a supernode yourself."""

    code: ClassVar[bytes] = b"SNUP"


# --- questions of leaves ----------------------------------------------------------------------------------------------


class RecordsOf(msgspec.Struct, frozen=True, array_like=True):
    """Records of one holder, and where it can be dialled; `hops` is how many links from here the answer came from."""

    hops: _Hops
    addresses: Addresses
    records: Annotated[tuple[_Body, ...], msgspec.Meta(min_length=1, max_length=ANSWER_RECORDS)]


class RecordsTold(Message, frozen=True):
    """One part of an answer."""

    code: ClassVar[bytes] = b"SNRT"
    holders: Annotated[tuple[RecordsOf, ...], msgspec.Meta(max_length=ANSWER_RECORDS)]


class AskSupernode(Request[RecordsTold], frozen=True):
    """Who shares something that this query describes? Answered in parts, within so many seconds."""

    code: ClassVar[bytes] = b"SNAS"
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_QUERY_CHARS)]
    wanted: _Wanted
    seconds: _Seconds


class HolderOf(msgspec.Struct, frozen=True, array_like=True):
    """A peer that says it has the content."""

    hops: _Hops
    addresses: Addresses
    peer_id: PeerIdField


class HoldersTold(Message, frozen=True):
    """One part of an answer."""

    code: ClassVar[bytes] = b"SNHT"
    holders: Annotated[tuple[HolderOf, ...], msgspec.Meta(max_length=ANSWER_RECORDS)]


class SeekAtSupernode(Request[HoldersTold], frozen=True):
    """Who has the content of this locator? Answered in parts, within so many seconds."""

    code: ClassVar[bytes] = b"SNSE"
    locator: Locator
    wanted: _Wanted
    seconds: _Seconds


# --- among supernodes -------------------------------------------------------------------------------------------------


class Load(Message, frozen=True):
    """How many leaves the sender has, how many more it would take, and how many links to supernodes it has."""

    code: ClassVar[bytes] = b"SNLD"
    leaves: _Count
    room: _Count
    links: _Count


class Paired(Message, frozen=True):
    """Whether the link counts as one between supernodes, the sender's load, and others."""

    code: ClassVar[bytes] = b"SNPD"
    accepted: bool
    load: Load
    others: Supernodes


class Pair(Request[Paired], frozen=True):
    """The sender is a supernode; let us be linked as such."""

    code: ClassVar[bytes] = b"SNPA"
    addresses: Addresses
    load: Load


class Unpair(Message, frozen=True):
    """The link is none between supernodes any more; `over`: the sender is no supernode any more."""

    code: ClassVar[bytes] = b"SNUN"
    over: bool


class FindRecordsHere(FindRecords, frozen=True):
    """Whose leaves share something that this query describes?"""

    code: ClassVar[bytes] = b"SNQU"


class FindHoldersHere(FindHolders, frozen=True):
    """Whose leaves have the content of this locator?"""

    code: ClassVar[bytes] = b"SNSK"


class RecordsFoundHere(RecordsFound, frozen=True):
    """Records of a leaf of the answering supernode, or of that itself."""

    code: ClassVar[bytes] = b"SNHI"


class HolderFoundHere(HolderFound, frozen=True):
    """A leaf of the answering supernode has the content, or that itself."""

    code: ClassVar[bytes] = b"SNHE"


class LeavesTable(TableUpdate, frozen=True):
    """The keyword table of a supernode and all its leaves."""

    code: ClassVar[bytes] = b"SNTB"


SUPERNODES: Final = Family(
    "supernode", FindRecordsHere, FindHoldersHere, RecordsFoundHere, HolderFoundHere, LeavesTable, direct=False
)


# --- cutting ----------------------------------------------------------------------------------------------------------


def cut_records(holders: Iterable[RecordsOf]) -> Iterator[RecordsTold]:
    """Cut what is known of many holders into messages, each of which fits a frame."""
    group: list[RecordsOf] = []
    size = 0
    for holder in holders:
        cost = _cost_of(holder.addresses) + sum(map(len, holder.records))
        if group and (len(group) >= ANSWER_RECORDS or size + cost > MAX_PART_PAYLOAD):
            yield RecordsTold(tuple(group))
            group, size = [], 0
        group.append(holder)
        size += cost
    if group:
        yield RecordsTold(tuple(group))


def cut_holders(holders: Iterable[HolderOf]) -> Iterator[HoldersTold]:
    """Cut many holders into messages, each of which fits a frame."""
    found = list(holders)
    most = min(ANSWER_RECORDS, MAX_PART_PAYLOAD // max([_cost_of(each.addresses) for each in found], default=1))
    for start in range(0, len(found), most):
        yield HoldersTold(tuple(found[start : start + most]))


def _cost_of(addresses: Addresses) -> int:
    return _HOLDER_COST + sum(4 * len(each.host) + _ADDRESS_COST for each in addresses)
