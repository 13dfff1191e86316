"""The book of shares: share_table.py from the event loop, and the list beside the database.

Invariant: after each change of which paths are shared, the list beside the database is written before anything else
happens. What the book holds is not compared with the disk here, but for the choice between several places of one file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Final

from peerage.catalogue import share_table
from peerage.catalogue.database import Database, Tables
from peerage.catalogue.hashing import FileStat
from peerage.catalogue.record import Kind, Visibility
from peerage.catalogue.share_list import ListedShare, list_path, read_list, write_list
from peerage.catalogue.shares import Entry, SharedContent, SharedFile, ShareRow, ShareState

_PLACES: Final = 16  # copies of a file that are looked at for one that is still as it was


class ShareBook:
    """Shares and their entries in one database; `count` is how many shares there are, once `restore` was called."""

    def __init__(self, database: Database, executor: Executor) -> None:
        self.count = 0
        self._database = database
        self._executor = executor

    async def rows(self) -> list[ShareRow]:
        """Return all shares in the order in which they were made."""
        return await self._database.read(lambda tables: share_table.all_shares(tables.connection))

    async def row(self, path: str) -> ShareRow | None:
        """Return the share of exactly this path."""
        return await self._database.read(lambda tables: share_table.share_at(tables.connection, path))

    async def entries(self, share: int) -> list[Entry]:
        """Return the entries of a share, sorted by relative path."""
        return await self._database.read(lambda tables: share_table.entries_of(tables.connection, share))

    async def put(self, path: str, visibility: Visibility, kind: Kind) -> ShareRow:
        """Make a share, or change who may see it."""
        work = partial(_put, ListedShare(path, visibility), kind)
        row = await self._database.write(work)
        await self._write_list()
        return row

    async def drop(self, share: int) -> None:
        """Forget a share; its entries stay until their records are withdrawn."""
        await self._database.write(lambda tables: share_table.drop_share(tables.connection, share))
        await self._write_list()

    async def orphans(self) -> list[int]:
        """Return the ids of shares that were dropped while entries of them are left."""
        return await self._database.read(lambda tables: share_table.orphans(tables.connection))

    async def set_state(self, share: int, state: ShareState) -> None:
        """Note how far a share can be relied on."""
        await self._database.write(lambda tables: share_table.set_state(tables.connection, share, state))

    async def finish(self, row: ShareRow) -> None:
        """Note that all entries of a share are in place, and what they come to."""
        await self._database.write(lambda tables: share_table.finish_share(tables.connection, row))

    async def prune(self, root: str, entries: Sequence[Entry]) -> None:
        """Forget hashes below `root` and manifests of these entries that nothing needs any more."""
        contents = {entry.content for entry in entries}
        await self._database.write(lambda tables: share_table.prune(tables.connection, root, contents))

    async def manifest(self, content: bytes) -> bytes | None:
        """Return the encoded manifest of a content."""
        return await self._database.read(lambda tables: share_table.manifest_of(tables.connection, content))

    async def locate(self, content: bytes) -> SharedContent | None:
        """Return where a shared content is on the disk."""
        return await self._database.read(partial(_locate, content))

    async def restore(self) -> None:
        """Take over the list beside the database when this one knows of no share."""
        self.count = len(await self.rows())
        if self._database.path is None or self.count:
            return
        path = list_path(self._database.path)
        for listed in await asyncio.get_running_loop().run_in_executor(self._executor, read_list, path):
            await self._database.write(partial(_put, listed, Kind.FILE))  # what it is shows when it is looked at
        self.count = len(await self.rows())

    async def _write_list(self) -> None:
        rows = await self.rows()
        self.count = len(rows)
        if self._database.path is not None:
            listed = [ListedShare(row.path, row.visibility) for row in rows]
            path = list_path(self._database.path)
            await asyncio.get_running_loop().run_in_executor(self._executor, write_list, path, listed)


def _put(listed: ListedShare, kind: Kind, tables: Tables) -> ShareRow:
    return share_table.put_share(tables.connection, listed.path, listed.visibility, kind)


def _locate(content: bytes, tables: Tables) -> SharedContent | None:
    places = share_table.places_of(tables.connection, content)
    if not places:
        return None
    visibility = min(seen for _, seen, _ in places)
    share, _, first = places[0]
    if first.kind is Kind.FILE:
        entries = [_untouched([entry for _, _, entry in places[:_PLACES]])]
    else:
        entries = [entry for entry in share_table.entries_of(tables.connection, share) if entry.relative]
    files = tuple(SharedFile(entry.path, entry.relative, entry.content, entry.stat) for entry in entries)
    return SharedContent(content, first.kind, first.stat.size, visibility, files)


def _untouched(entries: Sequence[Entry]) -> Entry:
    """Return the first of several copies that is still as it was hashed; without one, just the first."""
    return next((entry for entry in entries if _is_untouched(entry)), entries[0])


def _is_untouched(entry: Entry) -> bool:
    try:
        return FileStat.of(Path(entry.path).stat()) == entry.stat
    except OSError:
        return False
