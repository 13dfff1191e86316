"""The tables of the database files: made, opened, brought up to date, and moved aside when damaged.

There are two layouts, the catalogue of a node and the index of records that it keeps for others; both hold records in
the same tables, so that both are searched in the same way.

Invariant: `open_file` returns a working database of this version, or raises a StoreError; it never changes a file that
a newer Peerage or another program made, and never deletes one. What a rebuilt database lacks can be hashed or learned
again; the list of shared paths is kept beside it (share_list.py) for that reason.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from pathlib import Path
from typing import Final

import msgspec

from peerage.catalogue.record import decode
from peerage.errors import DiskFullError, PeerageError, ProtocolError, StoreError

SCHEMA_VERSION: Final = 1
_CHECK_BYTES: Final = 64 * 1024 * 1024  # files up to here are checked whole at the start: below a quarter of a second
_PRAGMAS: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;       -- after a crash of the machine the last moments may be missing, never broken
PRAGMA secure_delete = OFF;        -- nothing secret is in here, and overwriting costs
PRAGMA cache_size = -65536;         -- KiB, taken only as the catalogue grows: holds the tops of all indexes
PRAGMA wal_autocheckpoint = 16000; -- pages: scattered index pages are written back once for many changes
PRAGMA journal_size_limit = 67108864;
PRAGMA foreign_keys = OFF;
PRAGMA temp_store = MEMORY;
"""
_READER_PRAGMAS: Final = """
PRAGMA query_only = ON;
PRAGMA cache_size = -65536;
PRAGMA temp_store = MEMORY;
"""
# `records` is narrow, so that a scan for a filter reads little; texts and the signed bytes are in `bodies`. The index
# holds words that are already folded and cut: its own tokenizer only splits at spaces. `entries` says what each share
# consists of, with what the disk said about each file when it was hashed; `hashes` keeps every file hashed so far, so
# that nothing is hashed twice. Content ids are random, so their index grows slow first: it holds 8 bytes of each.
HAS_CONTENT: Final = "substr(records.content, 1, 8) = substr(?1, 1, 8) AND records.content = ?1"
_RECORD_TABLES: Final = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE holders (id INTEGER PRIMARY KEY, peer_id BLOB NOT NULL UNIQUE, records INTEGER NOT NULL DEFAULT 0);
CREATE TABLE records (
    id INTEGER PRIMARY KEY, content BLOB NOT NULL, slot INTEGER NOT NULL, holder INTEGER NOT NULL,
    visibility INTEGER NOT NULL, size INTEGER NOT NULL, media_type TEXT NOT NULL, mime TEXT NOT NULL,
    extension TEXT NOT NULL, duration REAL NOT NULL, issued INTEGER NOT NULL, width INTEGER NOT NULL
);
CREATE INDEX record_slots ON records (substr(content, 1, 8), slot);
CREATE INDEX record_holders ON records (holder);
CREATE TABLE bodies (id INTEGER PRIMARY KEY, words TEXT NOT NULL, body BLOB NOT NULL);
CREATE VIRTUAL TABLE word_index USING fts5 (
    words, content = 'bodies', content_rowid = 'id', tokenize = 'ascii', columnsize = 0, prefix = '2 3'
);
INSERT INTO word_index (word_index, rank) VALUES ('automerge', 16);     -- half the merging, a little more per search
INSERT INTO word_index (word_index, rank) VALUES ('hashsize', 8388608);  -- a transaction's words go out in one piece
"""
_LIBRARY_TABLES: Final = """
CREATE TABLE shares (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, visibility INTEGER NOT NULL, kind INTEGER NOT NULL,
    state INTEGER NOT NULL, content BLOB, size INTEGER NOT NULL, files INTEGER NOT NULL
);
CREATE TABLE entries (
    share INTEGER NOT NULL, relative TEXT NOT NULL, path TEXT NOT NULL, kind INTEGER NOT NULL, content BLOB NOT NULL,
    slot INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL, PRIMARY KEY (share, relative)
) WITHOUT ROWID;
CREATE INDEX entry_contents ON entries (content, slot);
CREATE INDEX entry_paths ON entries (path);
CREATE TABLE hashes (
    path TEXT PRIMARY KEY, content BLOB NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, ctime_ns INTEGER NOT NULL, meta BLOB
) WITHOUT ROWID;
CREATE INDEX hash_contents ON hashes (content);
CREATE TABLE manifests (content BLOB PRIMARY KEY, body BLOB NOT NULL);
"""
# What an index knows of each holder beside its records; `id` is that of `holders`.
_TENANT_TABLES: Final = """
CREATE TABLE tenants (
    id INTEGER PRIMARY KEY, addresses BLOB NOT NULL, expires REAL NOT NULL, proof BLOB NOT NULL, digest INTEGER NOT NULL
);
CREATE INDEX tenant_ends ON tenants (expires);
"""
_NEXT_BODIES: Final = "SELECT id, body FROM bodies WHERE id > ? ORDER BY id LIMIT 10000"
_RECORD_NAMES: Final = ("settings", "holders", "records", "bodies", "word_index")


class Layout(msgspec.Struct, frozen=True):
    """One kind of database file: what is in it, and how it is told from others."""

    application: int  # in the header of the file: tells ours from anybody's, and one kind from the other
    title: str  # what it is called to the user
    tables: str  # SQL that makes them
    names: tuple[str, ...]
    rebuilding: str  # what becomes of the contents of a damaged one


CATALOGUE: Final = Layout(
    0x50454552,  # "PEER"
    "catalogue",
    _RECORD_TABLES + _LIBRARY_TABLES,
    (*_RECORD_NAMES, "shares", "entries", "hashes", "manifests"),
    "shared files are hashed again, records of others come back with the next searches",
)
INDEX: Final = Layout(
    0x50454549,  # "PEEI"
    "index",
    _RECORD_TABLES + _TENANT_TABLES,
    (*_RECORD_NAMES, "tenants"),
    "those whose records were in it register them again",
)


class Opened(msgspec.Struct, frozen=True):
    """A working database, and what to tell the user when the old one had to be moved aside."""

    connection: sqlite3.Connection
    notice: str | None


def open_file(path: Path | None, layout: Layout = CATALOGUE) -> Opened:
    """Open or make the database at `path` (None: in memory); a damaged file is moved aside and a new one made."""
    if path is None:
        return Opened(_prepare(":memory:", layout), None)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if _marker(path).exists():
            return _rebuild(path, layout, "the database was found damaged while in use")
        return Opened(_prepare(str(path), layout), None)
    except OSError as error:
        raise StoreError(f"cannot use {path}: {error.strerror or error}") from error
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise store_error(error, str(path)) from error
        return _rebuild(path, layout, str(error))


def open_reader(path: Path) -> sqlite3.Connection:
    """Open one more connection to a file that is open, for reading, by one thread at a time."""
    connection = sqlite3.connect(
        path.absolute().as_uri() + "?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.executescript(_READER_PRAGMAS)
    return connection


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the error means that the file's content cannot be trusted."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def store_error(error: sqlite3.Error, name: str, title: str = CATALOGUE.title) -> PeerageError:
    """Return what the rest of Peerage understands of an error of SQLite."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return DiskFullError(f"no space is left for the {title} {name}; make room, nothing is lost")
    return StoreError(f"the {title} {name} refused: {error}")


def mark_damaged(path: Path) -> None:
    """Note beside the file that the next start should rebuild it."""
    _marker(path).touch()


def _marker(path: Path) -> Path:
    return path.with_name(path.name + ".damaged-mark")


def _rebuild(path: Path, layout: Layout, reason: str) -> Opened:
    """Move the damaged file aside, under a name that is free, and start anew."""
    aside = _free_name(path)
    path.replace(aside)
    for suffix in ("-wal", "-shm"):  # the journal of the old file would be played into the new one
        side = path.with_name(path.name + suffix)
        if side.exists():
            side.replace(aside.with_name(aside.name + suffix))
    _marker(path).unlink(missing_ok=True)
    notice = (
        f"The {layout.title} {path} was damaged ({reason}). It was moved to {aside} and is being rebuilt: "
        f"{layout.rebuilding}."
    )
    return Opened(_prepare(str(path), layout), notice)


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return aside


def _prepare(name: str, layout: Layout) -> sqlite3.Connection:
    """Open, check and complete one database file; sqlite3.DatabaseError when it is damaged."""
    connection = sqlite3.connect(name, isolation_level=None)  # transactions are opened by hand
    try:
        connection.executescript(_PRAGMAS)
        version = _read_version(connection, name, layout)
        if version == 0:
            _make_tables(connection, layout)
        _check(connection, name, layout)
        _refold(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _read_version(connection: sqlite3.Connection, name: str, layout: Layout) -> int:
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != layout.application and (tables or application):
        raise StoreError(f"{name} is a database of another program; give Peerage a home folder of its own")
    if version > SCHEMA_VERSION:
        raise StoreError(f"{name} was made by a newer Peerage; update this one, or use another home folder")
    return version


def _make_tables(connection: sqlite3.Connection, layout: Layout) -> None:
    """Make everything in one transaction, so that a crash leaves either nothing or all of it."""
    connection.executescript(f"BEGIN IMMEDIATE; {layout.tables}")
    connection.execute("INSERT INTO settings VALUES ('unicode', ?)", (unicodedata.unidata_version,))
    connection.execute(f"PRAGMA application_id = {layout.application}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _check(connection: sqlite3.Connection, name: str, layout: Layout) -> None:
    """Look for damage: the whole of a small file, the top of every table of a large one."""
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    size = pages * connection.execute("PRAGMA page_size").fetchone()[0]
    if size <= _CHECK_BYTES:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            error = sqlite3.DatabaseError(f"{name}: {verdict}")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error
    for table in layout.names:
        connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchall()  # noqa: S608 - fixed names


def _refold(connection: sqlite3.Connection) -> None:
    """Cut all texts into words again when this Python knows another Unicode than the one that wrote them."""
    known = connection.execute("SELECT value FROM settings WHERE name = 'unicode'").fetchone()
    if known == (unicodedata.unidata_version,):
        return
    connection.execute("BEGIN IMMEDIATE")
    after = -1
    while page := connection.execute(_NEXT_BODIES, (after,)).fetchall():
        after = page[-1][0]
        connection.executemany("UPDATE bodies SET words = ? WHERE id = ?", [(_words(body), row) for row, body in page])
    connection.execute("INSERT INTO word_index (word_index) VALUES ('rebuild')")
    connection.execute("REPLACE INTO settings VALUES ('unicode', ?)", (unicodedata.unidata_version,))
    connection.execute("COMMIT")


def _words(body: bytes) -> str:
    try:
        return " ".join(decode(body).words())
    except ProtocolError:  # what was allowed once may not be now, and what is no record has no words: it is not found
        return ""
