"""What peers say to each other to find things by flooding: the deck's QUER and RESP, with ids and bounds.

Invariant: every length is checked while a message is decoded; no message is larger than a frame. Records travel as the
bytes that were signed, so that a relay passes them on unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Final

import msgspec

from peerage.identity.keys import ID_BYTES, PeerIdField
from peerage.limits import (
    ANSWER_RECORDS,
    MAX_PART_PAYLOAD,
    MAX_QUERY_CHARS,
    MAX_RECORD_BYTES,
    MAX_SEARCH_HITS,
    MAX_TABLE_DEPTH,
)
from peerage.overlay.keywords import MAX_BITS
from peerage.peer.messages import Addresses
from peerage.wire.message import Message

QUESTION_ID_BYTES: Final = 16

QuestionId = Annotated[bytes, msgspec.Meta(min_length=QUESTION_ID_BYTES, max_length=QUESTION_ID_BYTES)]
_Locator = Annotated[bytes, msgspec.Meta(min_length=ID_BYTES, max_length=ID_BYTES)]
_Small = Annotated[int, msgspec.Meta(ge=0, le=255)]
_RecordBytes = Annotated[bytes, msgspec.Meta(min_length=1, max_length=MAX_RECORD_BYTES)]


class Question(Message, frozen=True):
    """What all questions have: an id nobody can guess, and how many links they may still travel."""

    question_id: QuestionId
    ttl: _Small
    wanted: Annotated[int, msgspec.Meta(ge=1, le=MAX_SEARCH_HITS)]


class FindRecords(Question, frozen=True):
    """Who shares something that this query describes?"""

    code: ClassVar[bytes] = b"QUER"
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_QUERY_CHARS)]


class FindHolders(Question, frozen=True):
    """Who has the content of this locator (locators.py)?"""

    code: ClassVar[bytes] = b"SEEK"
    locator: _Locator


class Finding(Message, frozen=True):
    """What all answers have: the question, the links they came over so far, and where the answering peer listens.

    An empty host means "at the address you see me from"; the first peer on the way fills it in.
    """

    question_id: QuestionId
    hops: _Small
    addresses: Addresses


class RecordsFound(Finding, frozen=True):
    """Records of the answering peer."""

    code: ClassVar[bytes] = b"HITS"
    records: Annotated[tuple[_RecordBytes, ...], msgspec.Meta(min_length=1, max_length=ANSWER_RECORDS)]


class HolderFound(Finding, frozen=True):
    """The answering peer has the content; `private`: this is for the one it is sent to, and nobody else."""

    code: ClassVar[bytes] = b"HELD"
    peer_id: PeerIdField
    private: bool = False


class TableUpdate(Message, frozen=True):
    """A keyword table (overlay/keywords.py) of the sender (level 0), or of all its neighbours merged (level 1).

    `patch`: `data` is the difference to the table of the number before. `bits` 0: there is no table, ask in any case.
    `more`: the rest of `data` follows. `links` is how many the sender has; `private`: it has more for the receiver
    than its tables tell.
    """

    code: ClassVar[bytes] = b"TABL"
    level: Annotated[int, msgspec.Meta(ge=0, lt=MAX_TABLE_DEPTH)]
    number: Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
    bits: Annotated[int, msgspec.Meta(ge=0, le=MAX_BITS)]
    patch: bool
    more: bool
    links: _Small
    private: bool
    data: Annotated[bytes, msgspec.Meta(max_length=MAX_PART_PAYLOAD)]


class Family(msgspec.Struct, frozen=True):
    """The messages of one overlay that floods, and what its counters are called.

    `direct`: whoever answers holds what it tells of. Otherwise answers are about others, and must be public.
    """

    name: str
    find_records: type[FindRecords]
    find_holders: type[FindHolders]
    records_found: type[RecordsFound]
    holder_found: type[HolderFound]
    table_update: type[TableUpdate]
    direct: bool = True


FLOOD: Final = Family("flood", FindRecords, FindHolders, RecordsFound, HolderFound, TableUpdate)


def cut_into_messages(records: Iterable[bytes]) -> Iterator[tuple[bytes, ...]]:
    """Cut encoded records into groups of which each fits one RecordsFound."""
    group: list[bytes] = []
    size = 0
    for record in records:
        size += len(record)
        if group and (len(group) >= ANSWER_RECORDS or size > MAX_PART_PAYLOAD):
            yield tuple(group)
            group, size = [], len(record)
        group.append(record)
    if group:
        yield tuple(group)
