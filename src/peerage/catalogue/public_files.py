"""The single files that this node shares with everybody, by parts of their names; for protocols that know no more.

Invariant: only files of shares that are public and there are ever returned; the number of rows that one question looks
at is bounded. Whether a file is still what was hashed shows its `stat`, which whoever reads it compares with the disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePath
from typing import Final, NamedTuple

from peerage.catalogue.database import Database, Tables
from peerage.catalogue.hashing import FileStat
from peerage.catalogue.record import Kind, Visibility
from peerage.catalogue.shares import SharedFile, ShareState
from peerage.limits import MAX_SEARCH_HITS, SEARCH_STEPS

_FILES: Final = (
    "SELECT entries.path, relative, entries.content, entries.size, mtime_ns, inode, ctime_ns"
    " FROM shares JOIN entries ON entries.share = shares.id"
    " WHERE shares.visibility = ? AND shares.state != ? AND entries.kind = ?"
)
_ORDER: Final = " ORDER BY shares.id, relative"


class PublicFile(NamedTuple):
    """A file, and whether no other content has its name."""

    file: SharedFile
    alone: bool

    @property
    def name(self) -> str:
        """Return its name without the folders."""
        return PurePath(self.file.path).name


class PublicFiles:
    """Looks names up in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def containing(self, part: str, limit: int) -> list[PublicFile]:
        """Return at most `limit` files whose name contains `part`, in upper or lower case."""
        return await self._database.read(lambda tables: _find(tables, part, limit))

    async def named(self, name: str) -> list[SharedFile]:
        """Return the files of exactly this name, one for each content, the oldest share's first."""
        found = await self._database.read(lambda tables: _find(tables, name, MAX_SEARCH_HITS))
        return [each.file for each in found if each.name == name]


def _find(tables: Tables, part: str, limit: int) -> list[PublicFile]:
    """Go through the files; equal contents with equal names are one."""
    folded = part.casefold()
    found: dict[str, dict[bytes, SharedFile]] = {}
    count = 0
    for file in _bounded(tables.connection, part):
        name = PurePath(file.path).name
        if folded not in name.casefold():
            continue
        same = found.get(name)
        if same is None and count < limit:
            same = found[name] = {}
        if same is not None and file.content not in same:
            same[file.content] = file
            count += 1
    files = (PublicFile(file, len(same) == 1) for same in found.values() for file in same.values())
    return list(islice(files, limit))


def _bounded(database: sqlite3.Connection, part: str) -> Iterator[SharedFile]:
    """Yield rows until SEARCH_STEPS are used up."""
    database.set_progress_handler(lambda: 1, SEARCH_STEPS)
    try:
        yield from _rows(database, part)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
    finally:
        database.set_progress_handler(None, 0)


def _rows(database: sqlite3.Connection, part: str) -> Iterator[SharedFile]:
    """Yield the public files whose path contains `part`, as far as SQLite can tell: it folds only ASCII."""
    values: tuple[int | str, ...] = (Visibility.PUBLIC.value, ShareState.MISSING.value, Kind.FILE.value)
    condition = ""
    if part.isascii():
        condition, values = " AND instr(lower(entries.path), ?)", (*values, part.lower())
    for path, relative, content, *numbers in database.execute(_FILES + condition + _ORDER, values):
        yield SharedFile(path, relative, content, FileStat(*numbers))
