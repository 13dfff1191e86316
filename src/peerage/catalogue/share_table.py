"""Shares, their entries, hashes and manifests in SQLite. Runs in the database's thread and blocks.

Invariant: every content in `entries` of a share that is there has its manifest in `manifests`. Functions that write
expect to be in a transaction. Which records follow from entries is publisher.py's business.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from peerage.catalogue.hashing import FileStat, Hashed, HashedContent
from peerage.catalogue.record import Kind, Meta, Visibility
from peerage.catalogue.shares import Entry, ShareRow, ShareState

_SHARE: Final = "SELECT id, path, visibility, kind, state, content, size, files FROM shares"
_ENTRY: Final = "SELECT relative, path, kind, content, slot, size, mtime_ns, inode, ctime_ns FROM entries"

_meta_decoder: Final = msgspec.msgpack.Decoder(Meta)


class KnownHash(msgspec.Struct, frozen=True, gc=False):
    """A file hashed earlier."""

    content: bytes
    stat: FileStat
    meta: Meta | None


def all_shares(db: sqlite3.Connection) -> list[ShareRow]:
    """Return all shares in the order in which they were made."""
    return [_share(row) for row in db.execute(f"{_SHARE} ORDER BY id")]


def share_at(db: sqlite3.Connection, path: str) -> ShareRow | None:
    """Return the share of exactly this path."""
    row = db.execute(f"{_SHARE} WHERE path = ?", (path,)).fetchone()
    return row and _share(row)


def put_share(db: sqlite3.Connection, path: str, visibility: Visibility, kind: Kind) -> ShareRow:
    """Make a share, or change who may see it; a change of either kind leaves it CHANGING."""
    old = share_at(db, path)
    if old is not None and (old.visibility, old.kind) == (visibility, kind):
        return old
    db.execute(
        "INSERT INTO shares (path, visibility, kind, state, size, files) VALUES (?1, ?2, ?3, ?4, 0, 0)"
        " ON CONFLICT (path) DO UPDATE SET visibility = ?2, kind = ?3, state = ?4",
        (path, visibility.value, kind.value, ShareState.CHANGING.value),
    )
    share = share_at(db, path)
    assert share is not None
    return share


def set_state(db: sqlite3.Connection, share: int, state: ShareState) -> None:
    """Note how far a share can be relied on."""
    db.execute("UPDATE shares SET state = ? WHERE id = ?", (state.value, share))


def finish_share(db: sqlite3.Connection, row: ShareRow) -> None:
    """Note that all entries of a share are in place, and what they come to."""
    db.execute(
        "UPDATE shares SET state = ?, content = ?, size = ?, files = ? WHERE id = ?",
        (ShareState.READY.value, row.content, row.size, row.files, row.id),
    )


def drop_share(db: sqlite3.Connection, share: int) -> None:
    """Forget a share; its entries are left for `orphans` until their records are withdrawn."""
    db.execute("DELETE FROM shares WHERE id = ?", (share,))


def orphans(db: sqlite3.Connection) -> list[int]:
    """Return the ids of shares that are gone while entries of them are left."""
    return [
        row[0] for row in db.execute("SELECT DISTINCT share FROM entries WHERE share NOT IN (SELECT id FROM shares)")
    ]


def entries_of(db: sqlite3.Connection, share: int) -> list[Entry]:
    """Return the entries of a share, sorted by relative path, the shared path itself first."""
    return [_entry(row) for row in db.execute(f"{_ENTRY} WHERE share = ? ORDER BY relative", (share,))]


def put_entries(db: sqlite3.Connection, share: int, entries: Iterable[Entry]) -> None:
    """Store entries, each in the place of one with the same relative path."""
    db.executemany(
        "REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (share, entry.relative, entry.path, entry.kind.value, entry.content, entry.slot, *_numbers(entry.stat))
            for entry in entries
        ],
    )


def drop_entries(db: sqlite3.Connection, share: int, entries: Iterable[Entry]) -> None:
    """Remove entries."""
    db.executemany(
        "DELETE FROM entries WHERE share = ? AND relative = ?", [(share, entry.relative) for entry in entries]
    )


def visibility_of(db: sqlite3.Connection, content: bytes, slot: int) -> Visibility | None:
    """Return the most open visibility that any share gives to this entry; None when no share has it."""
    row = db.execute(
        "SELECT min(shares.visibility) FROM entries JOIN shares ON shares.id = entries.share"
        " WHERE entries.content = ? AND entries.slot = ? AND shares.state != ?",
        (content, slot, ShareState.MISSING.value),
    ).fetchone()
    return None if row[0] is None else Visibility(row[0])


def places_of(db: sqlite3.Connection, content: bytes) -> list[tuple[int, Visibility, Entry]]:
    """Return every place of a content: the share's id and visibility, and the entry."""
    rows = db.execute(
        "SELECT shares.id, shares.visibility, relative, entries.path, entries.kind, entries.content, slot,"
        " entries.size, mtime_ns, inode, ctime_ns FROM entries JOIN shares ON shares.id = entries.share"
        " WHERE entries.content = ? AND shares.state != ? ORDER BY shares.id, relative",
        (content, ShareState.MISSING.value),
    )
    return [(row[0], Visibility(row[1]), _entry(row[2:])) for row in rows]


def known_hashes(db: sqlite3.Connection, root: str) -> dict[str, KnownHash]:
    """Return what is known about the file at `root` or the files below it, by path."""
    rows = db.execute(
        "SELECT path, content, meta, size, mtime_ns, inode, ctime_ns FROM hashes"
        " WHERE path = ?1 OR path > ?1 || '/' AND path < ?1 || '0'",
        (root,),
    )
    return {
        path: KnownHash(content, FileStat(*numbers), meta and _meta_decoder.decode(meta))
        for path, content, meta, *numbers in rows
    }


def put_hashes(db: sqlite3.Connection, hashed: Sequence[Hashed]) -> None:
    """Remember files with their contents, and the manifests of these."""
    put_manifests(db, [one.content for one in hashed])
    db.executemany(
        "REPLACE INTO hashes VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                one.found.path,
                one.content.content,
                *_numbers(one.found.stat),
                one.meta and msgspec.msgpack.encode(one.meta),
            )
            for one in hashed
        ],
    )


def put_manifests(db: sqlite3.Connection, contents: Iterable[HashedContent]) -> None:
    """Store manifests."""
    db.executemany("INSERT OR IGNORE INTO manifests VALUES (?, ?)", [(one.content, one.manifest) for one in contents])


def manifest_of(db: sqlite3.Connection, content: bytes) -> bytes | None:
    """Return the encoded manifest of a content."""
    row = db.execute("SELECT body FROM manifests WHERE content = ?", (content,)).fetchone()
    return row and bytes(row[0])


def manifests_of(db: sqlite3.Connection, contents: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return the encoded manifests of contents, by content id."""
    found = ((content, manifest_of(db, content)) for content in contents)
    return {content: manifest for content, manifest in found if manifest is not None}


def prune(db: sqlite3.Connection, root: str, contents: Iterable[bytes]) -> None:
    """Forget hashes below `root` that no share needs, and those manifests of `contents` that nothing refers to."""
    db.execute(
        "DELETE FROM hashes WHERE (path = ?1 OR path > ?1 || '/' AND path < ?1 || '0')"
        " AND NOT EXISTS (SELECT 1 FROM entries WHERE entries.path = hashes.path)",
        (root,),
    )
    db.executemany(
        "DELETE FROM manifests WHERE content = ?1 AND NOT EXISTS (SELECT 1 FROM entries WHERE content = ?1)"
        " AND NOT EXISTS (SELECT 1 FROM hashes WHERE content = ?1)",
        [(content,) for content in contents],
    )


def _share(row: Any) -> ShareRow:
    number, path, visibility, kind, state, *rest = row
    return ShareRow(number, path, Visibility(visibility), Kind(kind), ShareState(state), *rest)


def _entry(row: Any) -> Entry:
    relative, path, kind, content, slot, *numbers = row
    return Entry(relative, path, Kind(kind), content, slot, FileStat(*numbers))


def _numbers(stat: FileStat) -> tuple[int, int, int, int]:
    return stat.size, stat.mtime_ns, stat.inode, stat.ctime_ns
