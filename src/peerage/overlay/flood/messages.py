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
)
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
