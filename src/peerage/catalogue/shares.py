"""What the library tells about shares: plain values, no behaviour."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from peerage.catalogue.hashing import FileStat, Skipped
from peerage.catalogue.record import Kind, Record, Visibility


class ShareState(IntEnum):
    """How far a share in the database can be relied on."""

    READY = 0
    MISSING = 1  # its path has vanished, perhaps with a disk; it comes back with it, and nothing is hashed again
    CHANGING = 2  # work on all its records has begun; if it is found so at a start, it begins again


class Shared(msgspec.Struct, frozen=True):
    """A shared file or folder; `content` is None as long as it has never been read to the end."""

    path: str
    name: str
    kind: Kind
    content: bytes | None
    size: int  # bytes of all its files
    files: int
    visibility: Visibility
    state: ShareState
    skipped: tuple[Skipped, ...] = ()  # what the last look at it left out, the first of them
    skipped_count: int = 0


class SharedFile(msgspec.Struct, frozen=True, gc=False):
    """A file that can be served as long as `stat` is what the disk says about it."""

    path: str
    relative: str  # within its folder; empty for a file by itself
    content: bytes
    stat: FileStat


class SharedContent(msgspec.Struct, frozen=True):
    """Where a content is on this disk: one file, or the files of a folder in the order of its manifest."""

    content: bytes
    kind: Kind
    size: int
    visibility: Visibility  # the most open of all shares it is in
    files: tuple[SharedFile, ...]


class Change(msgspec.Struct, frozen=True):
    """Records that others should hear of, and records that hold no longer; large changes come in several of these."""

    published: tuple[Record, ...] = ()
    withdrawn: tuple[Record, ...] = ()


class Progress(msgspec.Struct, frozen=True):
    """How far hashing has come; only files that are not known already count."""

    files_done: int
    files: int
    bytes_done: int
    bytes: int


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One content of a share as the database keeps it; `relative` is empty for the shared path itself."""

    relative: str
    path: str
    kind: Kind
    content: bytes
    slot: int
    stat: FileStat


class ShareRow(msgspec.Struct, frozen=True):
    """A share as the database keeps it."""

    id: int
    path: str
    visibility: Visibility
    kind: Kind
    state: ShareState
    content: bytes | None
    size: int
    files: int
