"""Hashing in threads, from the event loop.

Invariant: at most HASHING_JOBS portions are in the executor at once, and none is started after the caller was
cancelled; those under way stop at their next report of progress. Progress is reported in the event loop, never from a
thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor

from peerage.catalogue.hashing import (
    ContentHasher,
    FolderEntry,
    Found,
    Hashed,
    HashedContent,
    HashingStoppedError,
    Skipped,
    batches,
    hash_batch,
)
from peerage.catalogue.shares import Progress
from peerage.limits import HASHING_JOBS

ProgressCallback = Callable[[Progress], None]
Keep = Callable[[list[Hashed]], Awaitable[None]]


class HashPool:
    """Hashes files with a `ContentHasher` in the threads of an executor."""

    def __init__(self, hasher: ContentHasher, executor: Executor) -> None:
        self._hasher = hasher
        self._executor = executor

    async def hash_files(self, files: Sequence[Found], keep: Keep, progress: ProgressCallback | None) -> list[Skipped]:
        """Hash files; `keep` gets each portion as soon as it is done. Returns those that gave nothing."""
        run = _Run(self._hasher, self._executor, keep, _Meter(files, progress))
        work = batches(files)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(HASHING_JOBS, len(files))):
                    group.create_task(run.take_from(work))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None  # several portions fail for one reason: the disk, the database
        finally:
            run.meter.stop()
        return run.skipped

    async def combine(self, entries: Sequence[FolderEntry]) -> HashedContent:
        """Put files together to the content of their folder, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._hasher.combine_folder, entries)


class _Run:
    """What the jobs of one call share."""

    def __init__(self, hasher: ContentHasher, executor: Executor, keep: Keep, meter: _Meter) -> None:
        self._hasher = hasher
        self._executor = executor
        self._keep = keep
        self.meter = meter
        self.skipped: list[Skipped] = []

    async def take_from(self, work: Iterator[list[Found]]) -> None:
        """Hash one portion after the other until none is left."""
        loop = asyncio.get_running_loop()
        for batch in work:
            hashed, skipped = await loop.run_in_executor(
                self._executor, hash_batch, batch, self._hasher, self.meter.advance
            )
            await self._keep(hashed)
            self.skipped += skipped
            self.meter.finish(len(batch))


class _Meter:
    """Counts bytes as the threads report them, and passes the sums on in the event loop."""

    def __init__(self, files: Sequence[Found], callback: ProgressCallback | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._callback = callback
        self._files = len(files)
        self._bytes = sum(found.stat.size for found in files)
        self._files_done = 0
        self._bytes_done = 0
        self._stopped = False

    def advance(self, count: int) -> None:
        """Take a report from a thread; raises HashingStoppedError when the result is no longer wanted."""
        if self._stopped:
            raise HashingStoppedError
        if self._callback is not None:
            self._loop.call_soon_threadsafe(self._add, count)

    def finish(self, files: int) -> None:
        """Count files as done."""
        self._files_done += files
        self._report()

    def stop(self) -> None:
        """Make the threads give up."""
        self._stopped = True

    def _add(self, count: int) -> None:
        self._bytes_done += count
        if not self._stopped:
            self._report()

    def _report(self) -> None:
        if self._callback is not None:
            # A file that is read twice, or grows meanwhile, brings more bytes than were expected.
            done = min(self._bytes_done, self._bytes)
            self._callback(Progress(self._files_done, self._files, done, self._bytes))
