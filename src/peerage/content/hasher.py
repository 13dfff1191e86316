"""Files and folders to contents: the hasher that the catalogue's library works with.

Invariant: a content is made of one state of a file; one that changes while it is read gives a ChangedError instead.
It runs in whatever thread calls it, and keeps nothing but one buffer for each of these threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from peerage.catalogue.hashing import FileStat, FolderEntry, HashedContent
from peerage.content.manifest import (
    FileManifest,
    FolderFile,
    Manifest,
    PieceHasher,
    content_id_of,
    decode,
    encode,
    folder_of,
)
from peerage.errors import ChangedError, LocalError
from peerage.limits import MIB

_PORTION: Final = MIB  # fits the cache of a core, and Python's share of the time is lost in it


class ManifestHasher:
    """Hashes files into manifests; safe to use from several threads at once."""

    def __init__(self) -> None:
        self._local = threading.local()

    def hash_file(self, path: Path, progress: Callable[[int], None]) -> HashedContent:
        """Read one file; `progress` is told the bytes of every portion, and may raise to stop.

        Raises ChangedError when the file changes meanwhile; OSError goes through.
        """
        with path.open("rb", buffering=0) as file:
            before = FileStat.of(os.fstat(file.fileno()))
            hasher = PieceHasher(before.size)
            buffer = self._buffer()
            left = before.size
            while left and (count := file.readinto(buffer[: min(left, len(buffer))])):
                hasher.feed(buffer[:count])
                left -= count
                progress(count)
            if left or FileStat.of(os.fstat(file.fileno())) != before:
                raise ChangedError(f"{path}: it changed while it was read; share it when it has come to rest")
        return _content_of(hasher.finish(), before.size)

    def combine_folder(self, entries: Sequence[FolderEntry]) -> HashedContent:
        """Put hashed files together to their folder; raises UnsafeNameError or LimitError when it cannot be shared."""
        files = [FolderFile(entry.relative, _file_of(entry)) for entry in entries]
        return _content_of(folder_of(files), sum(entry.content.size for entry in entries))

    def _buffer(self) -> memoryview:
        buffer: memoryview | None = getattr(self._local, "buffer", None)
        if buffer is None:
            buffer = self._local.buffer = memoryview(bytearray(_PORTION))
        return buffer


def _content_of(manifest: Manifest, size: int) -> HashedContent:
    encoded = encode(manifest)
    return HashedContent(content_id_of(encoded), size, encoded)


def _file_of(entry: FolderEntry) -> FileManifest:
    manifest = decode(entry.content.manifest, entry.content.content)
    if not isinstance(manifest, FileManifest):
        raise LocalError(f"{entry.relative} is a folder; a folder is put together from files")
    return manifest
