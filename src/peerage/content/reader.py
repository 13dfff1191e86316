"""Pieces of what this node shares, read from the shared files themselves.

Invariant: bytes leave this module only while the disk says the same about their file as when it was hashed; otherwise
a ChangedError says so, and nothing is served as what it no longer is. It does not hash: who receives a piece does.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import Final

import msgspec

from peerage.catalogue.hashing import FileStat
from peerage.content.disk import read_into
from peerage.content.handles import Handles
from peerage.content.manifest import PieceSpace
from peerage.errors import ChangedError, StoreError
from peerage.limits import MAX_OPEN_FILES

_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class SharedFile(msgspec.Struct, frozen=True):
    """A file as it was hashed: absolute path, and what the disk said about it."""

    path: str
    stat: FileStat


class SharedFiles:
    """Reads from shared files, of which it keeps a bounded number open; safe to use from several threads."""

    def __init__(self, limit: int = MAX_OPEN_FILES) -> None:
        self._handles: Handles[SharedFile] = Handles(_open, limit)

    def read(self, file: SharedFile, offset: int, buffer: memoryview) -> None:
        """Fill a buffer with bytes of a file; raises ChangedError when it is not, or no longer, what was hashed."""
        try:
            if FileStat.of(os.lstat(file.path)) != file.stat:
                raise _changed(file)
            with self._handles.borrow(file) as handle:
                count = read_into(handle, buffer, offset)
                after = os.fstat(handle)
        except OSError as error:
            self._handles.discard(file)
            if isinstance(error, FileNotFoundError | NotADirectoryError):
                raise ChangedError(f"{file.path}: it is gone, so it is no longer shared") from error
            raise StoreError(f"{file.path}: {error.strerror}") from error
        except ChangedError:
            self._handles.discard(file)
            raise
        if FileStat.of(after) != file.stat or count != len(buffer):
            self._handles.discard(file)
            raise _changed(file)

    def close(self) -> None:
        """Close all files."""
        self._handles.close()


class SharedContent:
    """The pieces of one shared content; `files` are in the order of its manifest."""

    def __init__(self, space: PieceSpace, files: Sequence[SharedFile], reader: SharedFiles) -> None:
        if len(files) != space.file_count:
            raise ChangedError(f"{len(files)} files for a content of {space.file_count}")
        self.space = space
        self._files = files
        self._reader = reader

    def read_piece(self, index: int, buffer: memoryview) -> None:
        """Read a piece into a buffer of its length; raises ChangedError when its file is not what was hashed."""
        location = self.space.locate(index)
        self._reader.read(self._files[location.file], location.offset, buffer)


def _open(file: SharedFile) -> int:
    handle = os.open(file.path, _FLAGS)
    found = os.fstat(handle)
    if FileStat.of(found) != file.stat or not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise _changed(file)
    return handle


def _changed(file: SharedFile) -> ChangedError:
    return ChangedError(f"{file.path}: it changed since it was hashed; it is shared again once it has been read anew")
