"""The list of downloads on disk, so that a restart goes on where the node stopped.

Invariant: each entry is one small file, replaced all at once; manifests are kept beside them, under their content id. A
damaged entry is left alone and named, never deleted. All methods may raise StoreErrors.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from peerage.catalogue.record import Visibility
from peerage.content.choice import Rule
from peerage.content.disk import storing
from peerage.content.finished import PlacedFile
from peerage.content.source import Source
from peerage.identity.keys import format_id
from peerage.whole_file import write_whole

log = logging.getLogger("peerage.content")

_ENTRY: Final = ".json"
_MANIFEST: Final = ".manifest"


class BookEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one download."""

    content: bytes
    target: str
    only: str = ""
    size: int | None = None
    visibility: Visibility = Visibility.LINK
    rules: tuple[Rule, ...] = ()
    wanted: int | None = None  # bytes, of the files that were chosen
    got: int = 0  # bytes of them, when it came to rest
    paused: bool = False
    error: str = ""
    added: float = 0.0  # seconds since 1970
    finished: float | None = None  # the same
    place: int | None = None  # in the queue; None in entries of old, which stand there as they were added
    level: int = 0  # the higher, the sooner it is begun
    limit: int = 0  # bytes a second, 0 for none
    file_count: int = 0  # in the content, once that is known
    folder: bool = False
    sources: tuple[Source, ...] = ()
    done: bool = False
    files: tuple[PlacedFile, ...] = ()


class TransferBook:
    """Reads and writes the entries; all methods block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self) -> list[BookEntry]:
        """Return all entries, the oldest first."""
        with storing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        entries = []
        for path in sorted(self._folder.glob(f"*{_ENTRY}")):
            try:
                entries.append(msgspec.json.decode(path.read_bytes(), type=BookEntry))
            except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
                log.warning("the download noted in %s cannot be read and is left alone: %s", path, error)
        return sorted(entries, key=lambda entry: entry.added)

    def save(self, entry: BookEntry) -> None:
        """Write one entry, all or nothing."""
        self._write(self._path(entry.content, _ENTRY), msgspec.json.encode(entry))

    def remove(self, content: bytes) -> None:
        """Forget a download."""
        for ending in (_ENTRY, _MANIFEST):
            path = self._path(content, ending)
            with storing(path):
                path.unlink(missing_ok=True)

    def remove_all(self, contents: Iterable[bytes]) -> None:
        """Forget several."""
        for content in contents:
            self.remove(content)

    def save_manifest(self, content: bytes, manifest: bytes) -> None:
        """Keep the manifest of a download."""
        self._write(self._path(content, _MANIFEST), manifest)

    def manifest(self, content: bytes) -> bytes:
        """Return a kept manifest; empty when there is none."""
        path = self._path(content, _MANIFEST)
        with storing(path):
            return path.read_bytes() if path.exists() else b""

    def _path(self, content: bytes, ending: str) -> Path:
        return self._folder / (format_id(content) + ending)

    def _write(self, path: Path, data: bytes) -> None:
        with storing(path):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
