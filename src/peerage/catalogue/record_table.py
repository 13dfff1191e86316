"""Records in SQLite, the writing half: put and removed. Runs in the database's own thread and blocks.

Invariant: a slot (content, holder, name, folders) holds one record, the latest; `bodies` and the word index hold
exactly the rows of `records`, `holders` exactly their holders; no holder has more than MAX_RECORDS_PER_HOLDER, and
others together not more than MAX_LEARNED_RECORDS: the oldest give way. Signatures are checked by whoever brings a
record, not here. Transactions are opened by the caller, who calls `recount` after one that was rolled back.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from peerage.catalogue.record import Record, Visibility, encode
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


class RecordTable:
    """The records of one open database; `owner` is this node."""

    def __init__(self, connection: sqlite3.Connection, owner: PeerId, max_learned: int = MAX_LEARNED_RECORDS) -> None:
        self._db = connection
        self._max_learned = max_learned
        self.owner = self._holder_row(owner)  # the row of this node in `holders`
        self._learned = 0
        self.recount()

    def recount(self) -> None:
        """Read again what is kept in memory."""
        self._learned = self.counts().learned

    def put_own(self, records: Sequence[Record]) -> Added:
        """Store what this node shares; a record for a slot that is taken replaces the one that is there."""
        fresh = {(record.content, record.slot()): record for record in records}
        self._delete([row for key in fresh for row, _ in self._find(*key)])
        self._insert(fresh.items(), {record.holder: self.owner for record in records})
        return Added(added=len(fresh))

    def put_learned(self, records: Sequence[Record]) -> Added:
        """Store checked records of others; this node's own and those only for link holders are left out."""
        rows = {key: self._holder_row(peer_id_of(key)) for key in {record.holder for record in records}}
        room = {row: MAX_RECORDS_PER_HOLDER - self._count(row) for row in rows.values()}
        fresh: dict[tuple[bytes, int], Record] = {}
        stale: list[int] = []
        known = refused = 0
        for record in sorted(records, key=lambda record: -record.issued):
            row, key = rows[record.holder], (record.content, record.slot())
            found = self._find(*key)
            if key in fresh or any(issued >= record.issued for _, issued in found):
                known += 1
            elif row == self.owner or record.visibility is Visibility.LINK or room[row] <= 0:
                refused += 1
            else:
                fresh[key] = record
                stale += [number for number, _ in found]
                room[row] -= 1
        self._delete(stale)
        self._insert(fresh.items(), rows)
        self._tally(Counter(dict.fromkeys(rows.values(), 0)))  # who was new and brought nothing is not kept
        self._evict()
        return Added(len(fresh), known, refused)

    def remove(self, holder: PeerId, contents: Iterable[bytes]) -> int:
        """Remove all records of one holder about these contents; returns how many there were."""
        row = self._known_row(holder)
        sql = f"SELECT id FROM records WHERE {HAS_CONTENT} AND +holder = ?2"  # noqa: S608 - by content, not by holder
        numbers = [found[0] for content in contents for found in self._db.execute(sql, (content, row))]
        self._delete(numbers)
        return len(numbers)

    def remove_slots(self, slots: Iterable[tuple[bytes, int]]) -> None:
        """Remove the records of these (content, slot) pairs."""
        self._delete([number for content, slot in slots for number, _ in self._find(content, slot)])

    def remove_holder(self, holder: PeerId) -> int:
        """Forget everything that one peer shares; returns how much it was."""
        sql = "SELECT id FROM records WHERE holder = ?"
        numbers = [found[0] for found in self._db.execute(sql, (self._known_row(holder),))]
        self._delete(numbers)
        return len(numbers)

    def counts(self) -> Counts:
        """Return how many records there are."""
        total, holders = self._db.execute(
            "SELECT ifnull(sum(records), 0), count(*) FROM holders WHERE records > 0"
        ).fetchone()
        own = self._count(self.owner)
        return Counts(own, total - own, holders)

    def _known_row(self, peer_id: PeerId) -> int | None:
        row = self._db.execute("SELECT id FROM holders WHERE peer_id = ?", (peer_id,)).fetchone()
        return None if row is None else int(row[0])

    def _holder_row(self, peer_id: PeerId) -> int:
        row = self._known_row(peer_id)
        if row is None:
            row = self._db.execute("INSERT INTO holders (peer_id) VALUES (?) RETURNING id", (peer_id,)).fetchone()[0]
        return int(row)

    def _count(self, row: int) -> int:
        return int(self._db.execute("SELECT records FROM holders WHERE id = ?", (row,)).fetchone()[0])

    def _find(self, content: bytes, slot: int) -> list[tuple[int, int]]:
        sql = f"SELECT id, issued FROM records WHERE {HAS_CONTENT} AND slot = ?2"  # noqa: S608
        return self._db.execute(sql, (content, slot)).fetchall()

    def _insert(self, fresh: Iterable[tuple[tuple[bytes, int], Record]], holder_rows: Mapping[bytes, int]) -> None:
        """Insert records whose slots are free; `holder_rows` are the rows of their public keys in `holders`."""
        number = self._db.execute("SELECT ifnull(max(id), 0) FROM records").fetchone()[0]
        rows, bodies, holders = [], [], Counter[int]()
        for (_, slot), record in fresh:
            number += 1
            holder = holder_rows[record.holder]
            words = record.words()
            holders[holder] += 1
            rows.append(_row(number, slot, holder, record, len(words)))
            bodies.append((number, " ".join(words), encode(record)))
        self._db.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._db.executemany("INSERT INTO bodies VALUES (?, ?, ?)", bodies)
        self._db.executemany("INSERT INTO word_index (rowid, words) VALUES (?, ?)", [body[:2] for body in bodies])
        self._tally(holders)

    def _delete(self, numbers: Sequence[int]) -> None:
        ids = [(number,) for number in numbers]
        holders = Counter[int]()
        for one in ids:
            holders[self._db.execute("SELECT holder FROM records WHERE id = ?", one).fetchone()[0]] -= 1
        self._db.executemany(
            "INSERT INTO word_index (word_index, rowid, words) SELECT 'delete', id, words FROM bodies WHERE id = ?", ids
        )
        self._db.executemany("DELETE FROM bodies WHERE id = ?", ids)
        self._db.executemany("DELETE FROM records WHERE id = ?", ids)
        self._tally(holders)

    def _tally(self, holders: Counter[int]) -> None:
        """Book what was added to or taken from holders, and forget those without any record."""
        changes = [(count, row) for row, count in holders.items()]
        self._db.executemany("UPDATE holders SET records = records + ? WHERE id = ?", changes)
        others = [(row,) for row in holders if row != self.owner]
        self._db.executemany("DELETE FROM holders WHERE id = ? AND records <= 0", others)
        self._learned += sum(count for row, count in holders.items() if row != self.owner)

    def _evict(self) -> None:
        """Drop the oldest learned records when there are too many, a little more than needed, so that it is rare."""
        excess = self._learned - self._max_learned
        if excess > 0:
            sql = "SELECT id FROM records WHERE holder != ? ORDER BY id LIMIT ?"
            wanted = (self.owner, excess + min(_EVICTED_AT_ONCE, self._max_learned // 10))
            self._delete([row[0] for row in self._db.execute(sql, wanted)])


def _row(number: int, slot: int, holder: int, record: Record, width: int) -> tuple[int | float | str | bytes, ...]:
    return (
        number,
        record.content,
        slot,
        holder,
        record.visibility.value,
        record.size,
        record.media_type.value,
        record.mime,
        record.extension,
        record.duration or 0.0,
        record.issued,
        width,
    )
