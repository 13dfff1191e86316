"""How many bytes the messages of the model have: real messages are made of a few specimens, and their means taken.

Invariant: sizes are those of frames, header included, as lab/census.py counts them.
"""

from __future__ import annotations

import random
from functools import cache
from statistics import fmean
from typing import Final, NamedTuple

import msgspec

from peerage.catalogue.record import Record
from peerage.catalogue.record import encode as encode_record
from peerage.identity.address import Address
from peerage.identity.keys import ID_BYTES, PeerId, PeerKey
from peerage.lab.clock import EPOCH
from peerage.lab.holdings import Holdings, Stock
from peerage.lab.shelf import describe
from peerage.overlay.dht.contacts import Contact
from peerage.overlay.dht.messages import Fetch, Found, FoundRecords, Kind, Look, Seen
from peerage.overlay.dht.records import Whereabouts
from peerage.overlay.dht.rules import DEFAULT_RULES
from peerage.overlay.flood.messages import QUESTION_ID_BYTES, FindRecords, RecordsFound
from peerage.overlay.index.messages import Answered, AskIndex, HolderAnswer
from peerage.overlay.index.rules import IndexRules
from peerage.overlay.index.signed import TAG_BYTES, Lease
from peerage.overlay.supernode.messages import AskSupernode, RecordsOf, RecordsTold
from peerage.wire.frame import HEADER_BYTES
from peerage.wire.message import encode

_HOST: Final = "10.123.45.67"
_PORT: Final = 7411
_WANTED: Final = 20
_NOW: Final = int(EPOCH)


class FloodSizes(NamedTuple):
    """Of a question, of an answer without records, and of a record in it."""

    question: float
    answer: float
    record: float


class DhtSizes(NamedTuple):
    """Of a question, of an answer without contacts and records, and of those."""

    question: float
    answer: float
    contact: float
    holder: float
    record: float


class IndexSizes(NamedTuple):
    """Of a question, of a part without holders, of a holder in it, of a record, and of the end of an answer."""

    question: float
    part: float
    holder: float
    record: float
    end: float


class _Specimens(NamedTuple):
    key: PeerKey
    record: float
    text: str
    raw: bytes


class SupernodeSizes(NamedTuple):
    """Of a leaf's question, of a part without records, of a record in it, and of the end of an answer."""

    question: float
    part: float
    record: float
    end: float


@cache
def _specimens() -> _Specimens:
    """Make a world's items, and records of them."""
    holdings = Holdings(random.Random(1), 400, Stock())  # noqa: S311 -- a simulation, not a secret
    key = PeerKey.from_seed(bytes(32))
    raws = [encode_record(Record.sign(key, describe(item), _NOW)) for item in holdings.items]
    length = fmean(len(word) for item in holdings.items for word in item.words)
    raw = min(raws, key=lambda each: abs(len(each) - fmean(map(len, raws))))
    return _Specimens(key, fmean(map(len, raws)), "w" * round(2 * length + 1), raw)


def flood_sizes() -> FloodSizes:
    """Return those of flooding."""
    some = _specimens()
    number = bytes(QUESTION_ID_BYTES)
    addresses = (Address(_HOST, _PORT),)
    question = len(encode(FindRecords(number, 2, _WANTED, some.text)))
    one = len(encode(RecordsFound(number, 1, addresses, (some.raw,))))
    two = len(encode(RecordsFound(number, 1, addresses, (some.raw, some.raw))))
    return FloodSizes(question, 2 * one - two, two - one)


def dht_sizes() -> DhtSizes:
    """Return those of the hash table."""
    some = _specimens()
    key = bytes(ID_BYTES)
    question = len(encode(Look(key, True, Fetch(Kind.POSTINGS, key, text=some.text))))
    contacts = (Contact(PeerId(key), (Address(_HOST, _PORT),)),) * DEFAULT_RULES.bucket
    where = Whereabouts.sign(some.key, (Address("", _PORT),), _NOW)
    bare = len(encode(Seen(True, ())))
    full = len(encode(Seen(True, contacts)))
    one = len(encode(Seen(True, contacts, Found((), (FoundRecords(where, _HOST, (some.raw,)),)))))
    two = len(encode(Seen(True, contacts, Found((), (FoundRecords(where, _HOST, (some.raw, some.raw)),)))))
    return DhtSizes(question, bare, (full - bare) / DEFAULT_RULES.bucket, one - full - (two - one), two - one)


def index_sizes() -> IndexSizes:
    """Return those of indexes."""
    some = _specimens()
    addresses = (Address(_HOST, _PORT),)
    tags = (bytes(TAG_BYTES),) * IndexRules().used
    lease = bytes(len(_encode_lease(some.key, tags)))
    bare = len(encode(Answered(())))
    one = len(encode(Answered((HolderAnswer(lease, addresses, (some.raw,)),))))
    two = len(encode(Answered((HolderAnswer(lease, addresses, (some.raw, some.raw)),))))
    question = len(encode(AskIndex(some.text, _WANTED)))
    return IndexSizes(question, bare, one - bare - (two - one), two - one, HEADER_BYTES + 1)


def supernode_sizes() -> SupernodeSizes:
    """Return those of what leaves and supernodes say to each other."""
    some = _specimens()
    one = RecordsOf(0, (Address(_HOST, _PORT),), (some.raw,))
    bare, full = len(encode(RecordsTold(()))), len(encode(RecordsTold((one,))))
    question = len(encode(AskSupernode(some.text, _WANTED, 10.0)))
    return SupernodeSizes(question, bare, full - bare, HEADER_BYTES + 1)


def _encode_lease(key: PeerKey, tags: tuple[bytes, ...]) -> bytes:
    """Return a lease as it travels; what it says does not matter here."""
    signature = key.sign(b"")
    return msgspec.msgpack.encode(Lease(key.public_key, (Address("", _PORT),), _NOW, _NOW, tags, signature))
