"""Votes on disk: an SQLite file of its own, read whole at the start and written in few pieces.

Invariant: what is in the file is what was saved last, all or nothing; a file that is no such database is refused with a
StoreError, never changed. All work runs in one thread of the executor that the caller gives. What is worth keeping is
decided elsewhere.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from peerage.errors import ProtocolError, StoreError
from peerage.identity.keys import ID_BYTES, PeerId
from peerage.overlay.reputation.ballots import Told
from peerage.overlay.reputation.vote import decode, encode

T = TypeVar("T")

_APPLICATION: Final = 0x50454556  # "PEEV"
_VERSION: Final = 1
_MAX_FOLLOWED: Final = 1000  # nobody chooses more by hand
_TABLES: Final = """
CREATE TABLE votes (
    content BLOB NOT NULL, voter BLOB NOT NULL, body BLOB NOT NULL, subnet TEXT NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (content, voter)
) WITHOUT ROWID;
CREATE TABLE followed (peer_id BLOB PRIMARY KEY) WITHOUT ROWID;
"""


class Saved(NamedTuple):
    """A vote in the file; `name` is what the owner of this node knew the content by, "" for votes of others."""

    told: Told
    name: str = ""


class VoteStore:
    """The votes and the follow list of one node; made by `open`."""

    def __init__(self, path: Path | None, executor: Executor | None) -> None:
        self.path = path
        self._own_executor = executor is None
        self._executor = executor or ThreadPoolExecutor(1, "votes")
        self._connection: sqlite3.Connection | None = None

    @classmethod
    async def open(cls, path: Path | None = None, executor: Executor | None = None) -> VoteStore:
        """Open or make the file at `path` (None: in memory); `executor` must run everything in one thread."""
        store = cls(path, executor)
        try:
            store._connection = await store._call(lambda: _open(path))
        except BaseException:
            await store.close()
            raise
        return store

    async def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._call(connection.close)
        if self._own_executor:
            self._executor.shutdown(wait=False)

    async def load(self) -> list[Saved]:
        """Return all votes; what can be read no more is left out."""
        return await self._work(_load)

    async def save(self, votes: Sequence[Saved]) -> None:
        """Store votes, each in the place of one by the same voter on the same content."""
        await self._work(lambda connection: _put(connection, votes))

    async def replace(self, votes: Sequence[Saved]) -> None:
        """Store these votes and no others."""
        await self._work(lambda connection: _replace(connection, votes))

    async def followed(self) -> set[PeerId]:
        """Return whom the owner follows."""
        return await self._work(_followed)

    async def follow(self, peer_id: PeerId, *, follow: bool = True) -> None:
        """Follow a peer, or no longer; raises StoreError when too many are followed."""
        await self._work(lambda connection: _follow(connection, peer_id, follow=follow))

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _work(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection
        if connection is None:
            raise StoreError("the votes are closed")
        return await self._call(lambda: work(connection))

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        except sqlite3.Error as error:
            raise StoreError(f"the votes in {self.path or 'memory'} cannot be used: {error}") from error
        except OSError as error:
            raise StoreError(f"cannot use {self.path}: {error.strerror or error}") from error


def _open(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(str(path or ":memory:"), isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path | None) -> None:
    """Look whose file it is, before anything is changed in it."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application == _APPLICATION:
        if version > _VERSION:
            raise StoreError(f"{path} was made by a newer Peerage; update this one")
        connection.execute("PRAGMA journal_mode = WAL")
        return
    if application or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreError(f"{path} is a database of another program")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(f"BEGIN IMMEDIATE; {_TABLES}")
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("COMMIT")


def _load(connection: sqlite3.Connection) -> list[Saved]:
    found = []
    for body, subnet, name in connection.execute("SELECT body, subnet, name FROM votes"):
        try:
            found.append(Saved(Told(decode(body), subnet), name))
        except ProtocolError:
            continue  # of a version that allowed more
    return found


def _put(connection: sqlite3.Connection, votes: Iterable[Saved]) -> None:
    rows = [(s.told.vote.content, s.told.vote.voter, encode(s.told.vote), s.told.subnet, s.name) for s in votes]
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("REPLACE INTO votes VALUES (?, ?, ?, ?, ?)", rows)


def _replace(connection: sqlite3.Connection, votes: Iterable[Saved]) -> None:
    rows = [(s.told.vote.content, s.told.vote.voter, encode(s.told.vote), s.told.subnet, s.name) for s in votes]
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM votes")
        connection.executemany("INSERT INTO votes VALUES (?, ?, ?, ?, ?)", rows)


def _followed(connection: sqlite3.Connection) -> set[PeerId]:
    return {PeerId(peer_id) for (peer_id,) in connection.execute("SELECT peer_id FROM followed") if _is_id(peer_id)}


def _is_id(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == ID_BYTES


def _follow(connection: sqlite3.Connection, peer_id: PeerId, *, follow: bool) -> None:
    if not follow:
        connection.execute("DELETE FROM followed WHERE peer_id = ?", (peer_id,))
    elif connection.execute("SELECT count(*) FROM followed").fetchone()[0] >= _MAX_FOLLOWED:
        raise StoreError(f"at most {_MAX_FOLLOWED} can be followed")
    else:
        connection.execute("REPLACE INTO followed VALUES (?)", (peer_id,))
