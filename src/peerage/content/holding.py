"""What can be served of one content: pieces of a shared file or folder, or those a download has so far.

Invariant: `read_piece` reads a piece only as long as it is what the manifest says, as far as the disk tells; who may
have it is decided by the exchange.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from peerage.catalogue.library import Library
from peerage.catalogue.record import Visibility
from peerage.content.bitmap import Bitmap
from peerage.content.manifest import PieceSpace, decode
from peerage.content.reader import SharedContent, SharedFile, SharedFiles
from peerage.content.scheduler import Scheduler
from peerage.content.store import PartialStore


class Holding(Protocol):
    """Some or all pieces of one content."""

    manifest: bytes
    space: PieceSpace
    visibility: Visibility

    def pieces(self) -> Bitmap | None:
        """Return which pieces are here; None for all of them."""

    def news(self, cursor: int) -> tuple[list[int], int]:
        """Return the pieces that came since a cursor (0 at first), and the cursor for the next time."""

    def read_piece(self, index: int, buffer: memoryview) -> None:
        """Read one piece into a buffer of its length; blocks. Raises a StoreError when it cannot be read as it was."""


FindHolding = Callable[[bytes], Awaitable[Holding | None]]


class WholeHolding:
    """All pieces, in files that stand where they belong."""

    def __init__(self, manifest: bytes, content: SharedContent, visibility: Visibility) -> None:
        self.manifest = manifest
        self.space = content.space
        self.visibility = visibility
        self._content = content

    def pieces(self) -> Bitmap | None:
        """All of them."""
        return None

    def news(self, cursor: int) -> tuple[list[int], int]:
        """Nothing ever changes."""
        return [], cursor

    def read_piece(self, index: int, buffer: memoryview) -> None:
        """Read one piece; raises ChangedError when its file is no longer what was hashed."""
        self._content.read_piece(index, buffer)


class RunningHolding:
    """What a download has so far."""

    def __init__(self, manifest: bytes, store: PartialStore, scheduler: Scheduler, visibility: Visibility) -> None:
        self.manifest = manifest
        self.space = store.space
        self.visibility = visibility
        self._store = store
        self._scheduler = scheduler

    def pieces(self) -> Bitmap | None:
        """Return which pieces are here."""
        return self._scheduler.have()

    def news(self, cursor: int) -> tuple[list[int], int]:
        """Return the pieces that came since a cursor."""
        return self._scheduler.verified_since(cursor)

    def read_piece(self, index: int, buffer: memoryview) -> None:
        """Read a piece that is here; blocks."""
        self._store.read_piece(index, buffer)


class LibraryHoldings:
    """Finds what the library shares."""

    def __init__(self, library: Library, reader: SharedFiles) -> None:
        self._library = library
        self._reader = reader

    async def find(self, content_id: bytes) -> Holding | None:
        """Return the shared content of this id; None when it is not shared."""
        shared = await self._library.locate(content_id)
        manifest = await self._library.manifest(content_id)
        if shared is None or manifest is None:
            return None
        files = [SharedFile(file.path, file.stat) for file in shared.files]
        content = SharedContent(PieceSpace(decode(manifest, content_id)), files, self._reader)
        return WholeHolding(manifest, content, shared.visibility)
