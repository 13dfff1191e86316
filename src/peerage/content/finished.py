"""A download that has ended well, and goes on being served.

Invariant: its files are served only while the disk says the same about them as when they were put in place.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from peerage.catalogue.hashing import FileStat
from peerage.catalogue.record import Visibility
from peerage.content.bitmap import Bitmap
from peerage.content.manifest import FolderManifest, PieceSpace, decode
from peerage.content.names import local_paths
from peerage.content.reader import SharedFile, SharedFiles
from peerage.errors import ChangedError


class PlacedFile(msgspec.Struct, frozen=True, array_like=True):
    """One file of a finished download: its number in the manifest, its path, and what the disk said about it."""

    number: int
    path: str
    stat: FileStat


def placed_files(target: Path, space: PieceSpace, chosen: frozenset[int]) -> tuple[PlacedFile, ...]:
    """Look at the files of a download that has just been finished; blocks."""
    manifest = space.manifest
    if isinstance(manifest, FolderManifest):
        names = local_paths((file.path for file in manifest.files), fold_case=sys.platform in {"darwin", "win32"})
        paths = [target / name for name in names]
    else:
        paths = [target]
    return tuple(
        PlacedFile(number, str(path), FileStat.of(path.lstat()))
        for number, path in enumerate(paths)
        if number in chosen
    )


class FinishedHolding:
    """All pieces of the files that were chosen."""

    def __init__(self, manifest: bytes, space: PieceSpace, files: tuple[PlacedFile, ...], reader: SharedFiles) -> None:
        self.manifest = manifest
        self.space = space
        self.visibility = Visibility.LINK
        self._files = {file.number: SharedFile(file.path, file.stat) for file in files}
        self._reader = reader

    @classmethod
    def of(
        cls, content_id: bytes, manifest: bytes, files: tuple[PlacedFile, ...], reader: SharedFiles
    ) -> FinishedHolding:
        """Make one from what was saved."""
        return cls(manifest, PieceSpace(decode(manifest, content_id)), files, reader)

    def pieces(self) -> Bitmap | None:
        """Return which pieces are here."""
        if len(self._files) == self.space.file_count:
            return None
        return Bitmap(self.space.count, (index for file in self._files for index in self.space.pieces_of(file)))

    def news(self, cursor: int) -> tuple[list[int], int]:
        """Nothing ever changes."""
        return [], cursor

    def read_piece(self, index: int, buffer: memoryview) -> None:
        """Read one piece; raises ChangedError when its file is no longer what was put in place."""
        location = self.space.locate(index)
        file = self._files.get(location.file)
        if file is None:
            raise ChangedError(f"piece {index} is not here")
        self._reader.read(file, location.offset, buffer)
