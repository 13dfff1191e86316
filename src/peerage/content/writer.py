"""The store of a running download as the event loop sees it: blocking work in threads, brought to its end in order.

Invariant: whatever is cancelled or fails, the store is closed only when no thread works on it any more; after a flush
that failed nothing more is marked (what the disk holds is then unknown until the store is opened anew).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, TypeVar

from peerage.content.finished import PlacedFile, placed_files
from peerage.content.manifest import Manifest
from peerage.content.store import PartialStore
from peerage.errors import LocalError, StoreError

T = TypeVar("T")

log = logging.getLogger("peerage.content")


class PieceWriter:
    """Opens, writes, flushes and closes one store; from one task, but for `write`."""

    def __init__(self, target: Path, manifest: Manifest, content_id: bytes, executor: Executor | None) -> None:
        self._place = (target, manifest, content_id)
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self._busy: set[asyncio.Future[Any]] = set()
        self._store: PartialStore | None = None
        self._sound = True  # no flush has failed
        self.finished = False
        self.placed: tuple[PlacedFile, ...] = ()  # what stands at the target once it is finished

    @property
    def is_open(self) -> bool:
        """Whether there is an open store now."""
        return self._store is not None

    @property
    def store(self) -> PartialStore:
        """The open store."""
        if self._store is None:
            raise LocalError("the download is not open")
        return self._store

    async def open(self, chosen: Collection[int]) -> PartialStore:
        """Open the store, or go on with other files chosen; raises StoreErrors."""
        await self.close()
        return await self._wait_for(self._begin(self._open, chosen))

    def write(self, index: int, buffer: memoryview) -> asyncio.Future[bool]:
        """Begin to check and write a piece."""
        return self._begin(self.store.write_piece, index, buffer)

    async def commit(self) -> None:
        """Flush what was written, and mark it; raises StoreErrors."""
        await self._wait_for(self._begin(self._commit))

    async def finish(self) -> None:
        """Put the files in place; raises StoreErrors. When it is cancelled, it goes on all the same."""
        await self._wait_for(self._begin(self._finish))

    async def close(self) -> None:
        """Wait for what is under way, keep what is verified, and let go of the store."""
        while self._busy:
            await asyncio.wait(self._busy)
        await self._wait_for(self._begin(self._close))

    # --- inside -------------------------------------------------------------------------------------------------

    def _begin(self, work: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        future = self._loop.run_in_executor(self._executor, work, *arguments)
        self._busy.add(future)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, future: asyncio.Future[Any]) -> None:
        self._busy.discard(future)
        if not future.cancelled():
            future.exception()  # whoever waited for it has seen it; nobody may be waiting any more

    async def _wait_for(self, future: asyncio.Future[T]) -> T:
        """Wait without taking the work along when the waiting is cancelled."""
        return await asyncio.shield(future)

    def _open(self, chosen: Collection[int]) -> PartialStore:
        self._store = PartialStore.open(*self._place, chosen)
        self._sound = True
        return self._store

    def _commit(self) -> None:
        try:
            self.store.commit()
        except StoreError:
            self._sound = False
            raise

    def _finish(self) -> None:
        self._commit()
        self.store.finish()
        self.finished, self.placed = True, placed_files(self.store)

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is None:
            return
        try:
            if self._sound and not self.finished:
                store.commit()
        except StoreError as error:
            log.warning("what came last could not be kept: %s", error)
        finally:
            store.close()
