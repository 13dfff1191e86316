"""What can be served of one content: pieces of a shared file or folder, or those a download has so far.

Invariant: `read_piece` reads a piece only as long as it is what the manifest says, as far as the disk tells; who may
have it is decided by the exchange.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Final, Protocol
from weakref import WeakValueDictionary

from peerage.catalogue.library import Library
from peerage.catalogue.record import Visibility
from peerage.catalogue.shares import SharedContent as Shared
from peerage.content.bitmap import Bitmap
from peerage.content.manifest import PieceSpace, decode
from peerage.content.reader import SharedContent, SharedFile, SharedFiles
from peerage.content.scheduler import Scheduler
from peerage.content.store import PartialStore

_KEPT: Final = 8  # holdings that nobody has asked for lately; those in use are kept anyway


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
    """What a download has so far; once its store is closed, reading raises a StoreError."""

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


class HoldingCache:
    """Holdings that are costly to make: the latest few, and those that somebody uses anyway.

    Each has a stamp, what it was made from; one with another stamp is out of date.
    """

    def __init__(self, maximum: int = _KEPT) -> None:
        self._maximum = maximum
        self._recent: OrderedDict[bytes, Holding] = OrderedDict()
        self._alive: WeakValueDictionary[bytes, Holding] = WeakValueDictionary()
        self._stamps: dict[bytes, object] = {}  # of those alive

    def get(self, content: bytes, stamp: object) -> Holding | None:
        """Return the holding of a content that was made from the same."""
        holding = self._alive.get(content)
        if holding is None or self._stamps.get(content) != stamp:
            return None
        self._keep(content, holding)
        return holding

    def put(self, content: bytes, stamp: object, holding: Holding) -> None:
        """Keep one that was made."""
        self._alive[content] = holding
        self._stamps[content] = stamp
        self._keep(content, holding)
        if len(self._stamps) > 2 * len(self._alive) + self._maximum:
            self._stamps = {each: self._stamps[each] for each in self._alive}

    def _keep(self, content: bytes, holding: Holding) -> None:
        self._recent[content] = holding
        self._recent.move_to_end(content)
        while len(self._recent) > self._maximum:
            self._recent.popitem(last=False)


class LibraryHoldings:
    """Finds what the library shares; `executor` is where large manifests are read, None: the loop's own threads."""

    def __init__(self, library: Library, reader: SharedFiles, executor: Executor | None = None) -> None:
        self._library = library
        self._reader = reader
        self._executor = executor
        self._cache = HoldingCache()
        self._making = asyncio.Lock()  # a thousand who ask at once cost no more than one

    async def find(self, content_id: bytes) -> Holding | None:
        """Return the shared content of this id; None when it is not shared."""
        shared = await self._library.locate(content_id)
        if shared is None:
            return None
        async with self._making:
            return self._cache.get(content_id, shared) or await self._make(content_id, shared)

    async def _make(self, content_id: bytes, shared: Shared) -> Holding | None:
        manifest = await self._library.manifest(content_id)
        if manifest is None:
            return None
        loop = asyncio.get_running_loop()
        made = await loop.run_in_executor(self._executor, _whole, content_id, manifest, shared, self._reader)
        self._cache.put(content_id, shared, made)
        return made


def _whole(content_id: bytes, manifest: bytes, shared: Shared, reader: SharedFiles) -> WholeHolding:
    files = [SharedFile(file.path, file.stat) for file in shared.files]
    content = SharedContent(PieceSpace(decode(manifest, content_id)), files, reader)
    return WholeHolding(manifest, content, shared.visibility)
