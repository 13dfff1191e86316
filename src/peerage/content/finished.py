"""A download that has ended well, and goes on being served.

Invariant: its files are served only while the disk says the same about them as when they were put in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from peerage.catalogue.hashing import FileStat
from peerage.catalogue.record import Visibility
from peerage.content.bitmap import Bitmap
from peerage.content.manifest import PieceSpace, decode
from peerage.content.reader import SharedFile, SharedFiles
from peerage.content.store import PartialStore
from peerage.errors import ChangedError


class PlacedFile(msgspec.Struct, frozen=True, array_like=True):
    """One file of a finished download: its number in the manifest, its path, and what the disk said about it."""

    number: int
    path: str
    stat: FileStat


def placed_files(store: PartialStore) -> tuple[PlacedFile, ...]:
    """Look at the files of a download that has just been finished; blocks. Those moved away already are left out."""
    placed = []
    for file in sorted(store.chosen):
        path = store.place_of(file)
        with suppress(OSError):
            placed.append(PlacedFile(file, str(path), FileStat.of(path.lstat())))
    return tuple(placed)


class FinishedHolding:
    """All pieces of the files that were chosen."""

    def __init__(
        self, content_id: bytes, manifest: bytes, files: Sequence[PlacedFile], reader: SharedFiles, who: Visibility
    ) -> None:
        self.manifest = manifest
        self.space = PieceSpace(decode(manifest, content_id))
        self.visibility = who
        self._files = {file.number: SharedFile(file.path, file.stat) for file in files}
        self._reader = reader

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
