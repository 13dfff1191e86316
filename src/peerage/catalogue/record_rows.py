"""The rows of records in SQLite, whoever keeps them: found, inserted, deleted, counted by holder. Blocks.

Invariant: a slot (content, holder, name, folders) holds one record; `bodies` and the word index hold exactly the rows
of `records`, `holders` exactly their holders with how many they have. What may be put, and how much, is decided by the
classes that build on this one. Transactions are opened by the caller.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from peerage.catalogue.record import Record, encode
from peerage.catalogue.schema import HAS_CONTENT
from peerage.identity.keys import PeerId


class Row(NamedTuple):
    """One row to insert: the columns of `records` and `bodies`."""

    content: bytes  # the content id, or what stands for it in this file
    slot: int
    holder: int  # its row in `holders`
    visibility: int
    size: int
    media_type: str
    mime: str
    extension: str
    duration: float
    issued: int
    words: list[str]
    body: bytes


def row_of(record: Record, slot: int, holder: int, content: bytes | None = None) -> Row:
    """Return the row of a record; `content` stands for its content id in files that are kept by something else."""
    return Row(
        record.content if content is None else content,
        slot,
        holder,
        record.visibility.value,
        record.size,
        record.media_type.value,
        record.mime,
        record.extension,
        record.duration or 0.0,
        record.issued,
        record.words(),
        encode(record),
    )


class RecordRows:
    """The rows of one open database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def known_row(self, peer_id: PeerId) -> int | None:
        """Return the row of a holder, None when it has none."""
        row = self._db.execute("SELECT id FROM holders WHERE peer_id = ?", (peer_id,)).fetchone()
        return None if row is None else int(row[0])

    def holder_row(self, peer_id: PeerId) -> int:
        """Return the row of a holder, and make one when there is none."""
        row = self.known_row(peer_id)
        if row is None:
            row = self._db.execute("INSERT INTO holders (peer_id) VALUES (?) RETURNING id", (peer_id,)).fetchone()[0]
        return int(row)

    def count(self, row: int) -> int:
        """Return how many records a holder has."""
        return int(self._db.execute("SELECT records FROM holders WHERE id = ?", (row,)).fetchone()[0])

    def find(self, content: bytes, slot: int) -> list[tuple[int, int]]:
        """Return row and date of what is in a slot."""
        sql = f"SELECT id, issued FROM records WHERE {HAS_CONTENT} AND slot = ?2"  # noqa: S608
        return self._db.execute(sql, (content, slot)).fetchall()

    def insert(self, fresh: Sequence[Row]) -> None:
        """Insert records; what they replace is deleted after that, so that their holder is not forgotten in between."""
        number = self._db.execute("SELECT ifnull(max(id), 0) FROM records").fetchone()[0] + 1
        numbered = list(enumerate(fresh, number))
        self._db.executemany(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(each, *row[:10], len(row.words)) for each, row in numbered],
        )
        texts = [(each, " ".join(row.words)) for each, row in numbered]
        self._db.executemany(
            "INSERT INTO bodies VALUES (?, ?, ?)",
            [(*text, row.body) for text, row in zip(texts, fresh, strict=True)],
        )
        self._db.executemany("INSERT INTO word_index (rowid, words) VALUES (?, ?)", texts)
        self.tally(Counter(row.holder for row in fresh))

    def delete(self, numbers: Sequence[int]) -> None:
        """Delete these rows, all of which are there."""
        ids = [(number,) for number in numbers]
        holders = Counter[int]()
        for one in ids:
            holders[self._db.execute("SELECT holder FROM records WHERE id = ?", one).fetchone()[0]] -= 1
        self._db.executemany(
            "INSERT INTO word_index (word_index, rowid, words) SELECT 'delete', id, words FROM bodies WHERE id = ?", ids
        )
        self._db.executemany("DELETE FROM bodies WHERE id = ?", ids)
        self._db.executemany("DELETE FROM records WHERE id = ?", ids)
        self.tally(holders)

    def tally(self, holders: Counter[int]) -> None:
        """Book what was added to or taken from holders, and forget those without any record."""
        self._db.executemany(
            "UPDATE holders SET records = records + ? WHERE id = ?", [(count, row) for row, count in holders.items()]
        )
        self.forget_empty(holders)

    def forget_empty(self, holders: Iterable[int]) -> None:
        """Forget those of these holders that have no record."""
        self._db.executemany("DELETE FROM holders WHERE id = ? AND records <= 0", [(row,) for row in holders])
