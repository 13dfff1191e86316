"""The records of a node's catalogue, the writing half: put and removed. Runs in the database's own thread and blocks.

Invariant: besides that of record_rows.py, no holder has more than MAX_RECORDS_PER_HOLDER, and others together not more
than MAX_LEARNED_RECORDS: the oldest give way. Signatures are checked by whoever brings a record, not here. Transactions
are opened by the caller, who calls `recount` after one that was rolled back.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from peerage.catalogue.record import Record, Visibility
from peerage.catalogue.record_rows import RecordRows, row_of
from peerage.catalogue.schema import HAS_CONTENT
from peerage.identity.keys import PeerId, peer_id_of
from peerage.limits import MAX_LEARNED_RECORDS, MAX_RECORDS_PER_HOLDER

_EVICTED_AT_ONCE: Final = 1000


class Added(msgspec.Struct, frozen=True):
    """What became of records that were put: new or newer ones, ones known already, ones over a bound."""

    added: int = 0
    known: int = 0
    refused: int = 0

    def __add__(self, other: Added) -> Added:
        return Added(self.added + other.added, self.known + other.known, self.refused + other.refused)


class Counts(msgspec.Struct, frozen=True):
    """How much the catalogue holds."""

    own: int
    learned: int
    holders: int


class RecordTable(RecordRows):
    """The records of one open database; `owner` is this node."""

    def __init__(self, connection: sqlite3.Connection, owner: PeerId, max_learned: int = MAX_LEARNED_RECORDS) -> None:
        super().__init__(connection)
        self._max_learned = max_learned
        self.owner = self.holder_row(owner)  # the row of this node in `holders`
        self._learned = 0
        self.recount()

    def recount(self) -> None:
        """Read again what is kept in memory."""
        self._learned = self.counts().learned

    def put_own(self, records: Sequence[Record]) -> Added:
        """Store what this node shares; a record for a slot that is taken replaces the one that is there."""
        fresh = {(record.content, record.slot()): record for record in records}
        stale = [row for key in fresh for row, _ in self.find(*key)]
        self.insert([row_of(record, slot, self.owner) for (_, slot), record in fresh.items()])
        self.delete(stale)
        return Added(added=len(fresh))

    def put_learned(self, records: Sequence[Record]) -> Added:
        """Store checked records of others; this node's own and those only for link holders are left out."""
        rows = {key: self.holder_row(peer_id_of(key)) for key in {record.holder for record in records}}
        room = {row: MAX_RECORDS_PER_HOLDER - self.count(row) for row in rows.values()}
        fresh: dict[tuple[bytes, int], Record] = {}
        stale: list[int] = []
        known = refused = 0
        for record in sorted(records, key=lambda record: -record.issued):
            row, key = rows[record.holder], (record.content, record.slot())
            found = self.find(*key)
            if key in fresh or any(issued >= record.issued for _, issued in found):
                known += 1
            elif row == self.owner or record.visibility is Visibility.LINK or room[row] <= 0:
                refused += 1
            else:
                fresh[key] = record
                stale += [number for number, _ in found]
                room[row] -= 1
        self.insert([row_of(record, slot, rows[record.holder]) for (_, slot), record in fresh.items()])
        self.delete(stale)
        self.tally(Counter(dict.fromkeys(rows.values(), 0)))  # who was new and brought nothing is not kept
        self._evict()
        return Added(len(fresh), known, refused)

    def remove(self, holder: PeerId, contents: Iterable[bytes]) -> int:
        """Remove all records of one holder about these contents; returns how many there were."""
        row = self.known_row(holder)
        sql = f"SELECT id FROM records WHERE {HAS_CONTENT} AND +holder = ?2"  # noqa: S608 - by content, not by holder
        numbers = [found[0] for content in contents for found in self._db.execute(sql, (content, row))]
        self.delete(numbers)
        return len(numbers)

    def remove_slots(self, slots: Iterable[tuple[bytes, int]]) -> None:
        """Remove the records of these (content, slot) pairs."""
        self.delete([number for content, slot in slots for number, _ in self.find(content, slot)])

    def remove_holder(self, holder: PeerId) -> int:
        """Forget everything that one peer shares; returns how much it was."""
        sql = "SELECT id FROM records WHERE holder = ?"
        numbers = [found[0] for found in self._db.execute(sql, (self.known_row(holder),))]
        self.delete(numbers)
        return len(numbers)

    def counts(self) -> Counts:
        """Return how many records there are."""
        total, holders = self._db.execute(
            "SELECT ifnull(sum(records), 0), count(*) FROM holders WHERE records > 0"
        ).fetchone()
        own = self.count(self.owner)
        return Counts(own, total - own, holders)

    def tally(self, holders: Counter[int]) -> None:
        """Book what was added to or taken from holders."""
        super().tally(holders)
        self._learned += sum(count for row, count in holders.items() if row != self.owner)

    def forget_empty(self, holders: Iterable[int]) -> None:
        """Forget holders without any record, but never this node."""
        super().forget_empty(row for row in holders if row != self.owner)

    def _evict(self) -> None:
        """Drop the oldest learned records when there are too many, a little more than needed, so that it is rare."""
        excess = self._learned - self._max_learned
        if excess > 0:
            sql = "SELECT id FROM records WHERE holder != ? ORDER BY id LIMIT ?"
            wanted = (self.owner, excess + min(_EVICTED_AT_ONCE, self._max_learned // 10))
            self.delete([row[0] for row in self._db.execute(sql, wanted)])
