"""The library: the files and folders that this node shares, kept in step with the disk.

Invariant: what the library tells others (records) and lets be served (`locate`) is what was read from the disk, with
what the disk said at that moment; a file that changed since is known by its `FileStat`. No file is hashed twice as long
as its `FileStat` stays. The shares are changed by one task at a time. Bytes are served by content/, records are spread
by overlay/; nothing of either is known here.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path

import msgspec

from peerage.catalogue.database import Database
from peerage.catalogue.hash_pool import HashPool, ProgressCallback
from peerage.catalogue.hashing import ContentHasher, Skipped
from peerage.catalogue.intake import Intake, Taken, scan_in
from peerage.catalogue.publisher import Publisher
from peerage.catalogue.record import Kind, Visibility
from peerage.catalogue.share_book import ShareBook
from peerage.catalogue.shares import Change, Shared, SharedContent, ShareRow, ShareState
from peerage.catalogue.walk import Scan
from peerage.catalogue.watch import Watched, Watcher, watch_disk
from peerage.errors import LocalError, PeerageError, StoreError
from peerage.identity.keys import PeerKey, format_id
from peerage.transport.base import Clock

_log = logging.getLogger(__name__)


class Library:
    """What this node shares.

    `hasher` turns files into contents, in the threads of `executor`, where all work on the disk is done. The folder of
    the database is the node's own and never becomes part of a share; folders inside it can be shared by themselves.
    """

    def __init__(
        self, database: Database, key: PeerKey, hasher: ContentHasher, clock: Clock, executor: Executor
    ) -> None:
        self._executor = executor
        self._book = ShareBook(database, executor)
        self._intake = Intake(database, HashPool(hasher, executor), key.public_key)
        self._publisher = Publisher(database, key, clock, executor, self._tell)
        self._private = Path(os.path.realpath(database.path.parent)) if database.path else None
        self._lock = asyncio.Lock()  # over everything that changes shares
        self._reshuffled = asyncio.Event()  # what is to be watched is something else now
        self._watched: set[str] = set()  # shared paths that are being watched
        self._beginning: set[str] = set()  # those among them of which no report has come yet
        self._listeners: list[Callable[[Change], None]] = []
        self._left_out: dict[str, tuple[tuple[Skipped, ...], int]] = {}  # by shared path: some of them, and how many

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Have `listener` told, in the event loop, of records that came or went."""
        self._listeners.append(listener)

    async def start(self, progress: ProgressCallback | None = None) -> None:
        """Finish what a crash interrupted, remember what was shared, and look what changed on the disk meanwhile."""
        async with self._lock:
            for share in await self._book.orphans():
                await self._publisher.withdraw(share, await self._book.entries(share))
            await self._book.restore()
        await self.rescan(progress)

    async def share(
        self, path: Path, visibility: Visibility = Visibility.PUBLIC, progress: ProgressCallback | None = None
    ) -> Shared:
        """Share a file or a folder with all that is in it; a path shared already is looked at anew.

        Raises StoreError when the path cannot be read, LocalError when it must not be shared, LimitError when it is
        too large. What is left out of a folder is listed in the answer. After a call that was cancelled while it
        hashed, nothing is shared that was not before, and what was hashed is remembered.
        """
        root = _absolute(path)
        async with self._lock:
            scanned = await scan_in(self._executor, root, self._private)
            old = await self._book.row(str(root))
            taken = await self._intake.take(scanned, root, await self._book.entries(old.id) if old else [], progress)
            row = await self._book.put(str(root), visibility, taken.kind)
            if old is None:
                self._reshuffled.set()
            return self._shared(await self._settle(row, taken))

    async def unshare(self, target: Path | bytes) -> Shared:
        """Stop sharing a path, or the shared path with this content id; returns what it was.

        Raises LocalError when nothing of the kind is shared.
        """
        async with self._lock:
            row = _wanted(target, await self._book.rows())
            await self._book.drop(row.id)
            self._reshuffled.set()
            entries = await self._book.entries(row.id)
            await self._publisher.withdraw(row.id, entries)
            await self._book.prune(row.path, entries)
            shared = self._shared(row)
            self._left_out.pop(row.path, None)
            return shared

    @property
    def count(self) -> int:
        """How many files and folders are shared; without a look at the database, as it is asked for often."""
        return self._book.count

    async def shares(self) -> list[Shared]:
        """Return what is shared, in the order in which it was."""
        return [self._shared(row) for row in await self._book.rows()]

    async def rescan(self, progress: ProgressCallback | None = None) -> None:
        """Look at all shares again: take in what is new or changed, withdraw what has gone."""
        for row in await self._book.rows():
            await self._refresh(row.path, progress)

    async def watch(self, watcher: Watcher = watch_disk) -> None:
        """Follow changes on the disk until cancelled."""
        self._watched.clear()
        while True:
            self._reshuffled.clear()
            roots = tuple(Path(row.path) for row in await self._book.rows())
            fresh = frozenset(root for root in roots if str(root) not in self._watched)
            self._beginning = {str(root) for root in fresh}
            self._watched = {str(root) for root in roots}
            if roots:
                await watcher(Watched(roots, fresh), self._reshuffled, self._look_at)
            else:
                await self._reshuffled.wait()

    async def manifest(self, content: bytes) -> bytes | None:
        """Return the encoded manifest of a shared content; None for others."""
        return await self._book.manifest(content)

    async def locate(self, content: bytes) -> SharedContent | None:
        """Return where the files of a shared content are; None when it is not shared (any longer).

        Whoever reads them compares each file's `stat` with the disk first: it may have changed since it was hashed.
        """
        return await self._book.locate(content)

    async def _refresh(self, path: str, progress: ProgressCallback | None) -> None:
        """Bring one share in step with the disk; trouble with it is noted and leaves the others alone."""
        async with self._lock:
            row = await self._book.row(path)
            if row is None:
                return  # unshared while another was looked at
            try:
                scanned = await scan_in(self._executor, Path(path), self._private)
            except (StoreError, LocalError) as error:
                await self._mark_missing(row, error)
            except PeerageError as error:
                self._note(row, error)
            else:
                await self._take_again(row, scanned, progress)

    async def _take_again(self, row: ShareRow, scanned: Scan, progress: ProgressCallback | None) -> None:
        try:
            taken = await self._intake.take(scanned, Path(row.path), await self._book.entries(row.id), progress)
            if taken.kind is not row.kind:  # a folder stands where a file was, or the other way round
                row = await self._book.put(row.path, row.visibility, taken.kind)
            await self._settle(row, taken)
        except PeerageError as error:
            self._note(row, error)

    async def _settle(self, row: ShareRow, taken: Taken) -> ShareRow:
        """Make entries and records of a share those that were taken in."""
        self._left_out[row.path] = (taken.skipped, taken.skipped_count)
        old = await self._book.entries(row.id)
        if row.state is ShareState.READY and set(old) == {item.entry for item in taken.items}:
            return row
        await self._book.set_state(row.id, ShareState.CHANGING)
        await self._publisher.update(row.id, old, taken.items, republish=row.state is not ShareState.READY)
        row = msgspec.structs.replace(
            row, state=ShareState.READY, content=taken.content, size=taken.size, files=taken.files
        )
        await self._book.finish(row)
        if not taken.skipped_count:  # what cannot be read today may be there again tomorrow: its hashes stay
            await self._book.prune(row.path, old)
        return row

    async def _mark_missing(self, row: ShareRow, error: PeerageError) -> None:
        """Withdraw the records of a share that has vanished; its hashes stay for the day when it comes back."""
        self._note(row, error)
        await self._book.set_state(row.id, ShareState.MISSING)
        await self._publisher.withdraw(row.id, await self._book.entries(row.id), keep_entries=True)

    async def _look_at(self, paths: set[Path]) -> None:
        """Refresh the shares that these changed paths belong to."""
        texts = {str(path) for path in paths}
        for row in await self._book.rows():
            below = row.path + os.sep
            if any(text == row.path or text.startswith(below) for text in texts):
                await self._refresh(row.path, None)
            if row.path in texts and row.kind is Kind.FOLDER:
                self._follow_again(row.path)

    def _follow_again(self, path: str) -> None:
        """Have a folder watched anew that was reported itself: the kernel may still watch one that is gone.

        Inodes would not tell, as file systems use them again at once. The first report of each folder is the watcher's
        own, that it has begun.
        """
        if path in self._beginning:
            self._beginning.remove(path)
        else:
            self._watched.discard(path)
            self._reshuffled.set()

    def _note(self, row: ShareRow, error: PeerageError) -> None:
        """Keep the reason why a share is not what it should be, for `shares` to tell."""
        _log.warning("%s: %s", row.path, error)
        self._left_out[row.path] = ((Skipped(row.path, str(error)),), 1)

    def _shared(self, row: ShareRow) -> Shared:
        skipped, count = self._left_out.get(row.path, ((), 0))
        return Shared(
            path=row.path,
            name=Path(row.path).name,
            kind=row.kind,
            content=row.content,
            size=row.size,
            files=row.files,
            visibility=row.visibility,
            state=row.state,
            skipped=skipped,
            skipped_count=count,
        )

    def _tell(self, change: Change) -> None:
        for listener in self._listeners:
            listener(change)


def _absolute(path: Path) -> Path:
    """Complete a path without following links: a link that is shared keeps its own name."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute leaves ".." in


def _wanted(target: Path | bytes, rows: Sequence[ShareRow]) -> ShareRow:
    """Find the share that is meant."""
    if isinstance(target, bytes):
        found = [row for row in rows if row.content == target]
        name = format_id(target)
    else:
        name = str(_absolute(target))
        found = [row for row in rows if row.path == name]
        above = next((row.path for row in rows if name.startswith(row.path + os.sep)), None)
        if not found and above:
            raise LocalError(f"{name} is shared as part of {above}; list it in a .peerageignore there to leave it out")
    if not found:
        raise LocalError(f"{name} is not shared")
    return found[0]
