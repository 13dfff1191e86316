"""Records in SQLite, the reading half: searches, look-ups and pages. Runs in the database's own thread and blocks.

Invariant: a search costs a bounded amount of work whatever the query and however many records match: it looks at the
newest SEARCH_POOL matches, within SEARCH_STEPS instructions of the database, and decodes a few of them. SQL text is
made of constants of this package and of row numbers; everything else is a parameter.
"""

from __future__ import annotations

import sqlite3
from enum import Enum
from typing import Any, Final, NamedTuple

import msgspec

from peerage.catalogue.query import Query
from peerage.catalogue.query_sql import Compiled, Parameter, compile_query
from peerage.catalogue.ranking import rank
from peerage.catalogue.record import Record, decode
from peerage.catalogue.schema import HAS_CONTENT
from peerage.errors import LimitError
from peerage.limits import MAX_SEARCH_HITS, SEARCH_POOL, SEARCH_STEPS, WORK_STEPS

_CLOSER_LOOK: Final = 3  # this many times the wanted number of records is ranked by their names


class Audience(Enum):
    """Who asks; the value is the condition on what they may see (`{owner}`: the row of this node in `holders`)."""

    SELF = "1"
    FRIEND = "(records.visibility = 0 OR (records.visibility = 1 AND records.holder = {owner}))"
    ANYONE = "records.visibility = 0"


class Page(msgspec.Struct, frozen=True):
    """Some records, and the row after which the next page begins; None at the end."""

    records: list[Record]
    after: int | None


class Match(NamedTuple):
    """One row that answers a query."""

    holder: int  # its row in `holders`
    body: bytes  # the record as it was put


class RecordFinder:
    """Reads the records of one open database; `owner` is the row of this node in `holders`."""

    def __init__(self, connection: sqlite3.Connection, owner: int) -> None:
        self._db = connection
        self._owner = owner
        self.work = (
            0  # what all searches have cost so far, in WORK_STEPS instructions of the database; small ones nothing
        )

    def by_content(self, content: bytes, audience: Audience) -> list[Record]:
        """Return who has one content, the newest records first, at most MAX_SEARCH_HITS."""
        where = f"{HAS_CONTENT} AND {self._visible(audience)}"
        return self._decoded(f"WHERE {where} ORDER BY records.issued DESC LIMIT ?2", (content, MAX_SEARCH_HITS))

    def own_by_content(self, content: bytes) -> list[Record]:
        """Return what this node itself says about one content, the newest first."""
        where = f"{HAS_CONTENT} AND +records.holder = {self._owner}"  # by content: a node may share half a million
        return self._decoded(f"WHERE {where} ORDER BY records.issued DESC LIMIT ?2", (content, MAX_SEARCH_HITS))

    def at(self, content: bytes, slot: int) -> Record | None:
        """Return the record in one slot."""
        found = self._decoded(f"WHERE {HAS_CONTENT} AND records.slot = ?2", (content, slot))
        return found[0] if found else None

    def own_after(self, row: int, audience: Audience, count: int) -> Page:
        """Return a page of what this node shares, in the order in which it was put."""
        where = f"records.holder = {self._owner} AND records.id > ? AND {self._visible(audience)}"
        sql = (
            f"SELECT records.id, bodies.body FROM records JOIN bodies ON bodies.id = records.id WHERE {where}"  # noqa: S608
            " ORDER BY records.id LIMIT ?"
        )
        rows = self._db.execute(sql, (row, count)).fetchall()
        return Page([decode(body) for _, body in rows], rows[-1][0] if len(rows) == count else None)

    def search(self, query: Query, limit: int, audience: Audience, *, own: bool) -> list[Record]:
        """Return the best `limit` of the newest SEARCH_POOL records that answer the query."""
        check_limit(limit)
        matches = self.matches(query, limit * _CLOSER_LOOK, audience, own=own)
        return rank(query, (decode(match.body) for match in matches))[:limit]

    def matches(self, query: Query, count: int, audience: Audience, *, own: bool = False) -> list[Match]:
        """Return, of the newest SEARCH_POOL records that answer the query, the `count` with the fewest words."""
        compiled = compile_query(query)
        pool, values = self._pool(compiled, audience, own=own)
        if compiled.match is not None:
            # All in one statement: each row that Python sees costs a fight for its lock with the other threads.
            best = f"SELECT id, width, holder FROM ({pool}) ORDER BY width, id DESC LIMIT ?"  # noqa: S608
            sql = f"SELECT holder, body FROM ({best}) CROSS JOIN bodies USING (id) ORDER BY width, id DESC"  # noqa: S608
            rows, whole = self._within_steps(sql, (*values, count))
            if whole:
                return [Match(*row) for row in rows]
        found, _ = self._within_steps(pool, values)
        found.sort(key=lambda row: (row[1], -row[0]))
        sql = "SELECT body FROM bodies WHERE id = ?"
        return [Match(holder, self._db.execute(sql, (row,)).fetchone()[0]) for row, _, holder in found[:count]]

    def _pool(self, compiled: Compiled, audience: Audience, *, own: bool) -> tuple[str, tuple[Parameter, ...]]:
        """Return SQL for row, number of words and holder of the newest matches, at most SEARCH_POOL."""
        where = [condition.sql for condition in compiled.conditions]
        values: list[Parameter] = [value for condition in compiled.conditions for value in condition.parameters]
        where.append(self._visible(audience))
        if own:
            where.append(f"records.holder = {self._owner}")
        source, order = "records", "records.id"
        if compiled.match is not None:
            source, order = "word_index CROSS JOIN records ON records.id = word_index.rowid", "word_index.rowid"
            where.insert(0, "word_index MATCH ?")
            values.insert(0, compiled.match)
        sql = (
            f"SELECT records.id, records.width, records.holder FROM {source}"  # noqa: S608
            f" WHERE {' AND '.join(where)} ORDER BY {order} DESC LIMIT {SEARCH_POOL}"
        )
        return sql, tuple(values)

    def _within_steps(self, sql: str, values: tuple[Parameter, ...]) -> tuple[list[Any], bool]:
        """Return the rows that come within half of SEARCH_STEPS, and whether that was all of them."""
        found: list[Any] = []
        most = SEARCH_STEPS // 2
        step = min(WORK_STEPS, most)
        last = self.work + most // step
        self._db.set_progress_handler(lambda: self._count_work(last), step)
        try:
            found.extend(self._db.execute(sql, values))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            return found, False
        finally:
            self._db.set_progress_handler(None, 0)
        return found, True

    def _count_work(self, last: int) -> bool:
        """Count some instructions; returns whether it has to end."""
        self.work += 1
        return self.work >= last

    def _visible(self, audience: Audience) -> str:
        return audience.value.format(owner=self._owner)

    def _decoded(self, rest: str, parameters: tuple[Parameter, ...]) -> list[Record]:
        sql = f"SELECT bodies.body FROM records JOIN bodies ON bodies.id = records.id {rest}"  # noqa: S608
        return [decode(body) for (body,) in self._db.execute(sql, parameters)]


def check_limit(limit: int) -> None:
    """Refuse a number of hits that no search gives."""
    if not 0 < limit <= MAX_SEARCH_HITS:
        raise LimitError("MAX_SEARCH_HITS", "ours", f"a search gives 1 to {MAX_SEARCH_HITS} hits, not {limit}")
