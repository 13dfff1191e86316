"""What neighbours have told of their keyword tables, and what they were told of this node's.

Level 0 is what a node answers itself, level 1 what its neighbours do, merged. All links are told the same, so one
encoding does for all; a link that is new gets the whole of what the others have.

Invariant: a link has at most one table a level, of bounded size, and brings new ones at a bounded rate. One that is
broken, or so full that it says yes to nearly everything, counts as empty: who sends it is asked less, not more. A peer
that sends none is asked as if it might have anything. Pure: no I/O, time is an argument (seconds).
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from peerage.errors import ProtocolError
from peerage.identity.keys import PeerId
from peerage.limits import MAX_LINK_DEGREE, MAX_PART_PAYLOAD, TABLE_BYTES, TABLES_BURST, TABLES_RATE
from peerage.overlay.flood.messages import TableUpdate
from peerage.overlay.flood.state import FloodRules
from peerage.overlay.keywords import MAX_FILL, KeywordTable, Need, merged, read_snapshot
from peerage.peer.limiter import TokenBucket

_NOTHING = KeywordTable()


class Taken(StrEnum):
    """What became of an update; the last two are what the counters call it."""

    PART = "part"  # more of it is to come
    TABLE = "table"
    RATE = "table-rate"
    REFUSED = "bad-table"


class Piece(msgspec.Struct, frozen=True):
    """What is sent of a table in one message, but for what depends on the link."""

    level: int
    number: int
    bits: int
    patch: bool
    more: bool
    data: bytes


class _LinkTables:
    """What came over one link."""

    __slots__ = ("bucket", "links", "numbers", "parts", "private", "tables")

    def __init__(self, depth: int, now: float) -> None:
        self.bucket = TokenBucket(TABLES_RATE, TABLES_BURST, now)
        self.tables: list[KeywordTable | None] = [None] * depth
        self.numbers = [0] * depth
        self.parts = [b""] * depth
        self.links = 0
        self.private = False


class _Edition:
    """What neighbours have been told at one level."""

    __slots__ = ("bucket", "number", "table", "whole")

    def __init__(self, rules: FloodRules, now: float) -> None:
        self.bucket = TokenBucket(1 / rules.table_interval, rules.table_burst, now)
        self.number = 0
        self.table: KeywordTable | None = None
        self.whole: list[Piece] = []  # made when somebody needs it


class TableBook:
    """The tables of one node and its neighbours."""

    def __init__(self, rules: FloodRules, now: float) -> None:
        self.depth = rules.table_depth
        self._links: dict[PeerId, _LinkTables] = {}
        self._editions = [_Edition(rules, now) for _ in range(self.depth)]

    # --- theirs -------------------------------------------------------------------------------------------------------

    def take(self, link: PeerId, update: TableUpdate, now: float) -> Taken:
        """Take an update from a link."""
        level = update.level
        if level >= self.depth:
            return Taken.PART  # this node cannot use it
        told = self._links.get(link)
        if told is None:
            told = self._links[link] = _LinkTables(self.depth, now)
        if not told.bucket.take(1, now):
            told.tables[level], told.parts[level] = _NOTHING, b""
            return Taken.RATE
        data = told.parts[level] + update.data
        told.parts[level] = b""
        told.links, told.private = update.links, update.private
        if update.more and len(data) <= TABLE_BYTES:
            told.parts[level] = data
            return Taken.PART
        try:
            told.tables[level] = _read(told, update, data)
        except ProtocolError:
            told.tables[level] = _NOTHING
            return Taken.REFUSED
        told.numbers[level] = update.number
        return Taken.TABLE

    def near(self, link: PeerId, need: Need) -> int:
        """Return the smallest ttl with which it makes sense to ask a link."""
        told = self._links.get(link)
        if told is None:
            return 1
        for level, table in enumerate(told.tables):
            if table is None or table.may_match(need):
                return level + 1
        return self.depth + 1

    def links_of(self, link: PeerId) -> int:
        """Return how many links the peer there says it has, within reason; 0 when it has not said."""
        told = self._links.get(link)
        return 0 if told is None else min(told.links, MAX_LINK_DEGREE)

    def has_more(self, link: PeerId) -> bool:
        """Whether the peer there has more for this node than its tables tell."""
        told = self._links.get(link)
        return told is not None and told.private

    def forget_link(self, link: PeerId) -> None:
        """A link has ended."""
        self._links.pop(link, None)

    def neighbours_table(self) -> KeywordTable:
        """Return what the neighbours answer, as far as they have told."""
        told = (each.tables[0] for each in self._links.values())
        return merged(table for table in told if table is not None)

    # --- ours ---------------------------------------------------------------------------------------------------------

    def change(self, level: int, table: KeywordTable | None, now: float) -> list[Piece] | None:
        """Tell of this table from now on: return what makes it of the one before.

        None: it has changed, but it is too soon to tell.
        """
        edition = self._editions[level]
        if table is not None and table.fill > MAX_FILL:
            table = None
        if table == edition.table:
            return []
        if not edition.bucket.take(1, now):
            return None
        before, edition.table = edition.table, table
        edition.number += 1
        edition.whole = []
        if before is None or table is None or before.bits != table.bits:
            return self.whole(level)
        return _pieces(level, edition, before.patch_to(table), patch=True)

    def whole(self, level: int) -> list[Piece]:
        """Return what a link needs that has been told nothing so far."""
        edition = self._editions[level]
        if not edition.whole:
            data = b"" if edition.table is None else edition.table.snapshot()
            edition.whole = _pieces(level, edition, data, patch=False)
        return edition.whole


def _read(told: _LinkTables, update: TableUpdate, data: bytes) -> KeywordTable | None:
    """Return the table as an update makes it; raises ProtocolError."""
    if update.more:
        raise ProtocolError("a keyword table that has no end")
    if not update.bits:
        return None
    if not update.patch:
        return read_snapshot(update.bits, data)
    before = told.tables[update.level]
    if before is None or before.bits != update.bits or update.number != told.numbers[update.level] + 1:
        raise ProtocolError("a patch for another keyword table")
    return before.patched(data)


def _pieces(level: int, edition: _Edition, data: bytes, *, patch: bool) -> list[Piece]:
    bits = 0 if edition.table is None else edition.table.bits
    cuts = range(0, max(1, len(data)), MAX_PART_PAYLOAD)
    return [
        Piece(level, edition.number, bits, patch, cut != cuts[-1], data[cut : cut + MAX_PART_PAYLOAD]) for cut in cuts
    ]
