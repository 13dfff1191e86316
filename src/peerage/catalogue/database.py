"""The catalogue's database, from the event loop: SQLite with a full-text index, in a thread of its own.

Invariant: all work on the connection runs in one thread, one piece after the other, each piece that writes in one
transaction; large additions are cut, so that a search never waits for more than one piece. Errors of SQLite become
StoreErrors; a file found damaged is marked and rebuilt at the next start. Signatures are not checked here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from peerage.catalogue import schema
from peerage.catalogue.database_thread import DatabaseThread, transaction
from peerage.catalogue.query import Query
from peerage.catalogue.record import Record
from peerage.catalogue.record_finder import Audience, Page, RecordFinder
from peerage.catalogue.record_table import Added, Counts, RecordTable
from peerage.errors import StoreError
from peerage.identity.keys import PeerId

ResultT = TypeVar("ResultT")

_PIECE: Final = 5000  # records added in one transaction: a search may have to wait for one, about 0.15 s
_PAGE: Final = 1000


class Tables(NamedTuple):
    """What work in the database's thread gets."""

    connection: sqlite3.Connection
    records: RecordTable
    finder: RecordFinder


class Database:
    """The records this node shares and has learned; made by `open`.

    `notice` is a sentence for the user when a damaged file had to be moved aside, None otherwise.
    """

    def __init__(self, path: Path | None, executor: Executor | None) -> None:
        self.path = path
        self.notice: str | None = None
        self._thread = DatabaseThread(path, schema.CATALOGUE, executor)
        self._tables: Tables | None = None

    @classmethod
    async def open(cls, path: Path | None, owner: PeerId, executor: Executor | None = None) -> Database:
        """Open or make the database file at `path` (None: in memory) of the node `owner`.

        `executor` must run everything in one thread; without one, a thread is started. Raises StoreError when the file
        belongs to another program, to a newer Peerage, or cannot be written.
        """
        database = cls(path, executor)
        try:
            await database._thread.call(lambda: database._open(owner))
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Write everything down and let go of the file; a second call does nothing."""
        if self._tables is not None:
            await self._thread.call(self._close)
        self._thread.shutdown()

    async def search(
        self, query: Query, limit: int = 100, audience: Audience = Audience.SELF, *, own: bool = False
    ) -> list[Record]:
        """Return at most `limit` records that answer the query and that `audience` may see, the best first.

        `own`: only what this node shares itself. A query with more than SEARCH_POOL answers ranks the newest of them.
        """
        return await self.read(lambda tables: tables.finder.search(query, limit, audience, own=own))

    async def add(self, records: Sequence[Record]) -> Added:
        """Store records of others whose signatures the caller has checked."""
        total = Added()
        for piece in _pieces(records):
            total += await self.write(partial(_put_learned, piece))
        return total

    async def add_own(self, records: Sequence[Record]) -> Added:
        """Store records of this node."""
        total = Added()
        for piece in _pieces(records):
            total += await self.write(partial(_put_own, piece))
        return total

    async def remove(self, holder: PeerId, contents: Sequence[bytes]) -> int:
        """Remove what one peer said about these contents; returns how many records that were."""
        return await self.write(lambda tables: tables.records.remove(holder, contents))

    async def remove_slots(self, slots: Sequence[tuple[bytes, int]]) -> None:
        """Remove the records in these slots, each a content id and `Record.slot()`."""
        await self.write(lambda tables: tables.records.remove_slots(slots))

    async def remove_holder(self, holder: PeerId) -> int:
        """Forget everything that one peer shares; returns how many records that were."""
        return await self.write(lambda tables: tables.records.remove_holder(holder))

    async def by_content(self, content: bytes, audience: Audience = Audience.SELF) -> list[Record]:
        """Return the known records about one content, the newest first, at most MAX_SEARCH_HITS."""
        return await self.read(lambda tables: tables.finder.by_content(content, audience))

    async def own_by_content(self, content: bytes) -> list[Record]:
        """Return what this node itself shares of one content under its names, the newest first."""
        return await self.read(lambda tables: tables.finder.own_by_content(content))

    async def own(self, audience: Audience = Audience.SELF) -> AsyncIterator[list[Record]]:
        """Go through what this node shares, in pages of up to 1000 records."""
        after: int | None = 0
        while after is not None:
            page = await self._own_page(after, audience)
            after = page.after
            if page.records:
                yield page.records

    async def counts(self) -> Counts:
        """Return how many records there are, and of how many holders."""
        return await self.read(lambda tables: tables.records.counts())

    async def read(self, work: Callable[[Tables], ResultT]) -> ResultT:
        """Run work of this package that only reads, in the database's thread."""
        return await self._thread.call(lambda: work(self._opened()))

    async def write(self, work: Callable[[Tables], ResultT]) -> ResultT:
        """Run work of this package in the database's thread and in one transaction: all of it happens, or nothing."""
        return await self._thread.call(lambda: self._transaction(work))

    async def _own_page(self, after: int, audience: Audience) -> Page:
        return await self.read(lambda tables: tables.finder.own_after(after, audience, _PAGE))

    def _open(self, owner: PeerId) -> None:
        opened = schema.open_file(self.path)
        try:
            records = RecordTable(opened.connection, owner)
        except sqlite3.DatabaseError as error:  # the first look at the rows, and a large file is not checked whole
            opened.connection.close()
            if self.path is None or not schema.is_damage(error):
                raise
            schema.mark_damaged(self.path)
            opened = schema.open_file(self.path)
            records = RecordTable(opened.connection, owner)
        self._tables = Tables(opened.connection, records, RecordFinder(opened.connection, records.owner))
        self.notice = opened.notice

    def _close(self) -> None:
        tables, self._tables = self._tables, None
        if tables is not None:
            tables.connection.close()

    def _opened(self) -> Tables:
        if self._tables is None:
            raise StoreError("the catalogue is closed")
        return self._tables

    def _transaction(self, work: Callable[[Tables], ResultT]) -> ResultT:
        tables = self._opened()
        try:
            return transaction(tables.connection, lambda: work(tables))
        except BaseException:
            tables.records.recount()
            raise


def _put_learned(records: Sequence[Record], tables: Tables) -> Added:
    return tables.records.put_learned(records)


def _put_own(records: Sequence[Record], tables: Tables) -> Added:
    return tables.records.put_own(records)


def _pieces(records: Sequence[Record]) -> Iterable[Sequence[Record]]:
    return (records[start : start + _PIECE] for start in range(0, len(records), _PIECE))
