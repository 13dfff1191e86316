"""Records of many holders, as an index server or a supernode keeps them, from the event loop: SQLite in threads.

Invariant: what a holder has here ends at one time, when it does not renew it; all of it is public, or a claim that
tells nobody what the content is. Writes are cut into pieces, so that a search never waits for more than one.
**Signatures are not checked here**: whoever adds records has checked that their holder signed them. An index in memory
takes none until the first record comes. Who may register, and how often, is decided by the service that serves it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

from peerage.catalogue import schema
from peerage.catalogue.database_thread import DatabaseThread, transaction
from peerage.catalogue.index_table import Claim, Held, IndexBounds, Indexed, IndexFinder, IndexTable, Key, Tenant
from peerage.catalogue.query import Query
from peerage.catalogue.record import Record
from peerage.catalogue.record_table import Added
from peerage.errors import LocalError, StoreError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, peer_id_of
from peerage.limits import INDEX_PIECE, INDEX_READERS

T = TypeVar("T")


class _Opened(NamedTuple):
    """What work in the writing thread gets."""

    connection: sqlite3.Connection
    table: IndexTable
    finder: IndexFinder


class Found(NamedTuple):
    """Answers, and what it cost to find them in WORK_STEPS instructions of the database: nothing for most."""

    answers: list[Indexed]
    work: int


class RecordIndex:
    """An index of records; made by `open`.

    `notice` is a sentence for the user when a damaged file had to be moved aside, None otherwise. `closed` says that
    nothing more can be asked.
    """

    def __init__(self, path: Path | None, executor: Executor | None, bounds: IndexBounds) -> None:
        self.path = path
        self.notice: str | None = None
        self.closed = False
        self._bounds = bounds
        self._thread = DatabaseThread(path, schema.INDEX, executor)
        self._opened: _Opened | None = None
        self._readers: deque[tuple[sqlite3.Connection, IndexFinder]] = deque()
        self._reading = ThreadPoolExecutor(INDEX_READERS, "index-reader") if path and executor is None else None

    @classmethod
    async def open(
        cls, path: Path | None, executor: Executor | None = None, bounds: IndexBounds | None = None
    ) -> RecordIndex:
        """Open or make the index file at `path` (None: in memory).

        `executor` must run everything in one thread; without one, threads are started: one that writes and, for a file,
        some that search meanwhile. Raises StoreError when the file belongs to another program, to a newer Peerage, or
        cannot be written.
        """
        index = cls(path, executor, bounds or IndexBounds())
        if path is not None:
            try:
                await index._thread.call(index._open)
            except BaseException:
                await index.close()
                raise
        return index

    async def close(self) -> None:
        """Write everything down and let go of the file; a second call does nothing."""
        self.closed = True
        if self._reading is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._reading.shutdown)
        if self._opened is not None:
            await self._thread.call(self._close)
        self._thread.shutdown()

    @property
    def count(self) -> int:
        """How many records and claims there are."""
        return self._opened.table.total if self._opened else 0

    # --- what holders do ------------------------------------------------------------------------------------------

    async def add(
        self, records: Sequence[Record], addresses: Iterable[Address], expires: float, proof: bytes = b""
    ) -> Added:
        """Store public records of one holder, which can be dialled at `addresses`, until `expires` (time of day).

        The caller has checked their signatures. Addresses, end and proof then hold for all that the holder has here. A
        record whose slot is taken replaces an older one; what is not public or over a bound is refused.
        """
        holders = {record.holder for record in records}
        if len(holders) > 1:
            raise LocalError("records of several holders: add those of each by themselves")
        if not holders:
            return Added()
        return await self.put(Tenant(peer_id_of(holders.pop()), tuple(addresses), expires, proof), records)

    async def put(self, tenant: Tenant, records: Sequence[Record], claims: Sequence[Claim] = ()) -> Added:
        """Store public records and claims of one tenant, all of them checked by the caller."""
        total = Added()
        for start in range(0, len(records), INDEX_PIECE):
            piece = records[start : start + INDEX_PIECE]
            total += await self._write(lambda table, piece=piece: table.put(tenant, piece))  # type: ignore[misc]
        for start in range(0, len(claims), INDEX_PIECE):
            told = claims[start : start + INDEX_PIECE]
            total += await self._write(lambda table, told=told: table.put(tenant, (), told))  # type: ignore[misc]
        return total

    async def remove(self, holder: PeerId, keys: Sequence[Key]) -> int:
        """Remove these of a holder's records and claims; returns how many there were."""
        return await self._write(lambda table: table.remove(holder, keys)) if self._opened else 0

    async def renew(
        self, holder: PeerId, expires: float, addresses: Iterable[Address] = (), proof: bytes = b""
    ) -> Held:
        """Let all that a holder has here end at another time, and have other addresses; returns what that is."""
        tenant = Tenant(holder, tuple(addresses), expires, proof)
        return await self._write(lambda table: table.renew(tenant)) if self._opened else Held()

    async def held(self, holder: PeerId) -> Held:
        """Return how much a holder has here."""
        return await self._read_in_order(lambda opened: opened.table.held(holder)) if self._opened else Held()

    async def drop_holder(self, holder: PeerId) -> int:
        """Forget a holder; returns how many records and claims it had."""
        return await self._drop_all(lambda table: table.drop_some(holder, INDEX_PIECE))

    async def expire(self, now: float) -> int:
        """Forget those whose time is over at `now` (time of day); returns how many records and claims they had."""
        return await self._drop_all(lambda table: table.expire_some(now, INDEX_PIECE))

    # --- what searchers do ------------------------------------------------------------------------------------------

    async def search(self, query: Query, limit: int) -> list[Indexed]:
        """Return at most `limit` records that answer the query, those with the fewest other words first."""
        return (await self.ask(query, limit)).answers

    async def ask(self, query: Query, limit: int) -> Found:
        """Search, and say what it cost."""
        return await self._find(lambda finder: finder.search(query, limit))

    async def holders(self, locator: bytes, limit: int) -> list[Indexed]:
        """Return at most `limit` holders of a content, each once: with a record of it, or the body of a claim."""
        return (await self._find(lambda finder: finder.holders(locator, limit))).answers

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _drop_all(self, drop: Callable[[IndexTable], int]) -> int:
        total = 0
        while self._opened is not None and (dropped := await self._write(drop)):
            total += dropped
        return total

    async def _find(self, work: Callable[[IndexFinder], list[Indexed]]) -> Found:
        self._check_open()
        if self._opened is None:
            return Found([], 0)
        if self._reading is None:
            return await self._read_in_order(lambda opened: _costed(work, opened.finder))
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reading, self._thread.guarded, lambda: self._with_reader(work))

    def _with_reader(self, work: Callable[[IndexFinder], list[Indexed]]) -> Found:
        """Run in a reading thread: one connection for each, made when it is first needed."""
        assert self.path is not None
        try:
            connection, finder = self._readers.popleft()
        except IndexError:
            connection = schema.open_reader(self.path)
            finder = IndexFinder(connection)
        try:
            return _costed(work, finder)
        finally:
            self._readers.append((connection, finder))

    async def _read_in_order(self, work: Callable[[_Opened], T]) -> T:
        return await self._thread.call(lambda: work(self._open()))

    async def _write(self, work: Callable[[IndexTable], T]) -> T:
        self._check_open()
        return await self._thread.call(lambda: self._transaction(work))

    def _check_open(self) -> None:
        if self.closed:
            raise StoreError("the index is closed")

    def _transaction(self, work: Callable[[IndexTable], T]) -> T:
        connection, table, _ = self._open()
        try:
            return transaction(connection, lambda: work(table))
        except BaseException:
            table.recount()
            raise

    def _open(self) -> _Opened:
        """Return what is open, and open it first where that is still to be done."""
        if self._opened is None:
            opened = schema.open_file(self.path, schema.INDEX)
            self.notice = opened.notice
            table = IndexTable(opened.connection, self._bounds)
            self._opened = _Opened(opened.connection, table, IndexFinder(opened.connection))
        return self._opened

    def _close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            for connection, _ in self._readers:
                connection.close()
            self._readers.clear()
            opened.connection.close()


def _costed(work: Callable[[IndexFinder], list[Indexed]], finder: IndexFinder) -> Found:
    before = finder.work
    return Found(work(finder), finder.work - before)
