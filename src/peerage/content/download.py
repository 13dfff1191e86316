"""One download: from a content id to a file or folder in its place.

Invariant: a piece counts only when it was checked and written; what was marked before a crash, a pause or an error is
kept, and only the rest is fetched. Which piece comes from whom is the scheduler's judgement, what is safe the store's;
this shell moves bytes between links and disk and keeps the sources alive.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from enum import StrEnum
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from peerage.catalogue.record import Visibility
from peerage.content.buffers import BufferPool
from peerage.content.holding import Holding, RunningHolding
from peerage.content.ledger import PieceRange
from peerage.content.manifest import ContentId, FolderManifest, Manifest, PieceSpace, decode
from peerage.content.picker import Priority
from peerage.content.rate import RateLimit
from peerage.content.scheduler import Scheduler
from peerage.content.source import Source, SourceLink
from peerage.content.store import PartialStore
from peerage.content.swarm import Locate, Swarm
from peerage.errors import ForgedError, LinkLostError, LocalError, PeerageError, StoreError
from peerage.identity.keys import format_id
from peerage.limits import COMMIT_BYTES, COMMIT_SECONDS, MAX_SOURCES
from peerage.peer.peer import Peer
from peerage.peer.tasks import TaskScope

log = logging.getLogger("peerage.content")

_TICK: Final = 1.0  # seconds between two looks at the clock


class DownloadState(StrEnum):
    """Where a download stands."""

    QUEUED = "queued"  # waits for others to end
    FINDING = "finding"  # looks for somebody who knows the manifest
    CHECKING = "checking"  # reads what is on the disk already
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED: Final = frozenset({DownloadState.DONE, DownloadState.FAILED, DownloadState.CANCELLED})


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to download and where to put it."""

    content: bytes
    target: Path  # the file or folder as it is to stand in the end
    only: str = ""  # of a folder: files whose relative path fits this pattern (fnmatch)
    size: int | None = None  # as a link or a hit said; the manifest decides
    visibility: Visibility = Visibility.LINK  # who may have it from here


class DownloadStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A download as a person sees it; sizes in bytes, rates in bytes a second, `eta` in seconds."""

    content: bytes
    name: str
    path: Path
    state: DownloadState
    size: int | None
    wanted: int | None
    done: int
    rate: float
    sources: int
    eta: float | None
    error: str
    note: str


class Surroundings(msgspec.Struct, frozen=True):
    """What all downloads of a node share."""

    peer: Peer
    buffers: BufferPool
    rate: RateLimit
    locate: Locate
    save_manifest: Callable[[bytes, bytes], None]  # content id and encoded manifest; blocks


class Download:
    """A running, paused or finished download."""

    def __init__(self, wanted: Wanted, surroundings: Surroundings, manifest: bytes = b"") -> None:
        self.wanted = wanted
        self.content_id = ContentId(wanted.content)
        self.peer = surroundings.peer
        self.buffers = surroundings.buffers
        self.rate = surroundings.rate
        self.manifest = manifest
        self.scheduler: Scheduler | None = None
        self.store: PartialStore | None = None
        self.space: PieceSpace | None = None
        self.state = DownloadState.PAUSED
        self.error: PeerageError | None = None
        self.priorities: list[tuple[str, Priority]] = []
        self._surroundings = surroundings
        self.swarm = Swarm(self, surroundings.locate)
        self._loop = asyncio.get_running_loop()
        self._tasks = TaskScope(self.peer.metrics, MAX_SOURCES + 8, "download")
        self._main: asyncio.Task[None] | None = None
        self._taking_manifest = asyncio.Lock()
        self._known = asyncio.Event()  # the manifest is there
        self._ready = asyncio.Event()  # so are store and scheduler
        self._more = asyncio.Event()  # something changed that the main loop should look at
        self._ended = asyncio.Event()
        self._uncommitted = 0
        if manifest:
            self._known.set()

    # --- for people -----------------------------------------------------------------------------------------------

    def status(self) -> DownloadStatus:
        """Return how it stands."""
        progress = self.scheduler.progress_now() if self.scheduler else None
        rate = sum(self.scheduler.rates(self._loop.time()).values()) if self.scheduler else 0.0
        done = progress.verified_bytes if progress else 0
        wanted = progress.wanted_bytes if progress else self.wanted.size
        if self.state is DownloadState.DONE and wanted is not None:
            done = wanted
        attached = self.swarm.attached
        return DownloadStatus(
            content=self.content_id,
            name=self.wanted.target.name,
            path=self.wanted.target,
            state=self.state,
            size=self.space.size if self.space else self.wanted.size,
            wanted=wanted,
            done=done,
            rate=rate if self.state is DownloadState.RUNNING else 0.0,
            sources=attached,
            eta=(wanted - done) / rate if progress and wanted is not None and rate > 0 else None,
            error=str(self.error) if self.error and self.state is DownloadState.FAILED else "",
            note=self._note(attached),
        )

    def start(self) -> None:
        """Begin, or go on after a pause or an error."""
        if self._main is not None or self.state in {DownloadState.DONE, DownloadState.CANCELLED}:
            return
        self.error = None
        self._ended.clear()
        self._tasks = TaskScope(self.peer.metrics, MAX_SOURCES + 8, "download")
        self.state = DownloadState.CHECKING if self.manifest else DownloadState.FINDING
        self._main = self.peer.spawn(self._run(), f"download {format_id(self.content_id)[:8]}")

    async def pause(self) -> None:
        """Stop; what is verified is kept."""
        if self.state not in ENDED:
            await self._stop()
            self.state = DownloadState.PAUSED

    async def cancel(self) -> None:
        """Give up, and remove what is unfinished."""
        if self.state is DownloadState.DONE:
            return
        await self._stop()
        self.state = DownloadState.CANCELLED
        if self.manifest:
            await self.peer.in_thread(self._discard)
        self._ended.set()

    async def close(self) -> None:
        """Stop because the node stops; the state stays what it was."""
        await self._stop()

    async def wait(self) -> Path:
        """Wait for the end and return where it stands; raises what went wrong, or LocalError when it was cancelled."""
        await self._ended.wait()
        if self.state is DownloadState.CANCELLED:
            raise LocalError("the download was cancelled")
        if self.error is not None:
            raise self.error
        return self.wanted.target

    def add_source(self, source: Source) -> None:
        """Use one more source, from now on."""
        self.swarm.add(source)

    def set_priority(self, pattern: str, priority: Priority) -> None:
        """Fetch the files of a folder that fit `pattern` sooner, later or not at all; "*" is everything."""
        self.priorities = [each for each in self.priorities if each[0] != pattern] + [(pattern, priority)]
        if self.scheduler is not None and self.space is not None:
            for cancel in self.scheduler.set_priorities(self._ranges(self.space)):
                self.swarm.cancel_order(cancel.source, cancel.index)
            self.swarm.refill()
            self._more.set()

    @property
    def is_active(self) -> bool:
        """Whether it takes one of the places of running downloads."""
        return self._main is not None

    @property
    def has_ended(self) -> bool:
        """Whether it ended and nothing of it runs any more."""
        return self._ended.is_set() and self._main is None

    def restore_done(self) -> None:
        """Be a download that was finished in an earlier run."""
        self.state = DownloadState.DONE
        self._ended.set()

    def chosen_files(self) -> frozenset[int]:
        """Return the numbers of the files that are wanted."""
        assert self.space is not None
        chosen = self._chosen(self.space.manifest)
        return frozenset(range(self.space.file_count) if chosen is None else chosen)

    # --- for the exchange -------------------------------------------------------------------------------------------

    def holding(self) -> Holding | None:
        """Return what can be served of it now."""
        if self.state is not DownloadState.RUNNING or self.scheduler is None or self.store is None:
            return None
        return RunningHolding(self.manifest, self.store, self.scheduler, self.wanted.visibility)

    # --- for the source links ---------------------------------------------------------------------------------------

    @property
    def has_manifest(self) -> bool:
        """Whether the manifest is known."""
        return bool(self.manifest)

    async def manifest_arrived(self, data: bytes) -> None:
        """Take the manifest from a source; raises a RemoteError when it is not the right one."""
        async with self._taking_manifest:  # several sources may bring it at once
            if self.manifest:
                return
            manifest = await self.peer.in_thread(decode, data, self.content_id)
            self._check_only(manifest)
            await self.peer.in_thread(self._surroundings.save_manifest, self.content_id, data)
            self.manifest = data
            self._known.set()

    async def ready(self) -> PieceSpace:
        """Wait until the download can take pieces."""
        await self._ready.wait()
        assert self.space is not None
        return self.space

    def piece_arrived(self, link: SourceLink, index: int, buffer: memoryview) -> None:
        """Check and write a piece, in a thread."""
        scheduler, store = self.scheduler, self.store
        if scheduler is None or store is None or not scheduler.received(link.peer_id, index, self._loop.time()):
            self.buffers.give_back(buffer)
            return
        writing = self._loop.run_in_executor(self.peer.executor, store.write_piece, index, buffer)
        writing.add_done_callback(partial(self._written, link, index, buffer))

    # --- inside -------------------------------------------------------------------------------------------------------

    def _written(self, link: SourceLink, index: int, buffer: memoryview, writing: asyncio.Future[bool]) -> None:
        scheduler = self.scheduler
        if scheduler is None or writing.cancelled():
            return
        error = writing.exception()
        if error is None and writing.result():
            self.buffers.give_back(buffer)
            self._uncommitted += len(buffer)
            self.peer.table.credit(link.peer_id, bytes_from=len(buffer))
            for cancel in scheduler.verified(index):
                self.swarm.cancel_order(cancel.source, cancel.index)
            if scheduler.done or self._uncommitted >= COMMIT_BYTES:
                self._more.set()
        else:
            scheduler.failed(index)
            if error is None:
                self._wrong_piece(link, index)
            else:
                self.fail(error)
        self.swarm.refill()

    def _wrong_piece(self, link: SourceLink, index: int) -> None:
        log.warning("%s sent a wrong piece %d of %s", format_id(link.peer_id), index, self.wanted.target.name)
        self.peer.metrics.count("wrong_pieces")
        self.swarm.ban(link.peer_id, ForgedError("this source sent a piece that is not the right one"))

    def fail(self, error: BaseException) -> None:
        """End with an error: the disk does not take it."""
        if self.error is None:
            self.error = error if isinstance(error, PeerageError) else StoreError(str(error))
            self._more.set()

    async def _run(self) -> None:
        try:
            self.swarm.start(self._tasks)
            await self._known.wait()
            self.state = DownloadState.CHECKING
            await self._open()
            self.state = DownloadState.RUNNING
            self._ready.set()
            await self._fetch()
            store = self.store
            assert store is not None
            await self._tasks.close()
            await self.peer.in_thread(store.finish)
            self.state = DownloadState.DONE
        except PeerageError as error:
            self.error = error
            self.state = DownloadState.FAILED
        finally:
            await self._clean_up()
            self._main = None
            if self.state in ENDED:
                self._ended.set()

    async def _open(self) -> None:
        manifest = await self.peer.in_thread(decode, self.manifest, self.content_id)
        self._check_only(manifest)
        self.space = PieceSpace(manifest)
        chosen = self._chosen(manifest)
        self.store = await self.peer.in_thread(PartialStore.open, self.wanted.target, manifest, self.content_id, chosen)
        self.scheduler = Scheduler(self.space, self.peer.rng, have=self.store.have())
        self.scheduler.set_priorities(self._ranges(self.space))

    async def _fetch(self) -> None:
        """Turn until every wanted piece is here: look at the clock, flush, and notice what went wrong."""
        scheduler, store = self.scheduler, self.store
        assert scheduler is not None
        assert store is not None
        committed = self._loop.time()
        while not scheduler.done:
            self._more.clear()
            try:
                async with asyncio.timeout(_TICK):
                    await self._more.wait()
            except TimeoutError:
                self._tick(scheduler)
            if self.error is not None:
                raise self.error
            now = self._loop.time()
            if self._uncommitted >= COMMIT_BYTES or (self._uncommitted and now - committed >= COMMIT_SECONDS):
                self._uncommitted, committed = 0, now
                await self.peer.in_thread(store.commit)

    def _tick(self, scheduler: Scheduler) -> None:
        tick = scheduler.tick(self._loop.time())
        for peer_id in tick.stalled:
            self.peer.metrics.count("sources_stalled")
            self.swarm.drop(peer_id, LinkLostError("this source owes pieces and sends nothing"))
        self.swarm.fill(tick.ready)

    # --- small things -------------------------------------------------------------------------------------------------

    def _note(self, attached: int) -> str:
        if self.state in {DownloadState.FINDING, DownloadState.RUNNING} and not attached:
            return "no source is alive; looking for others"
        return ""

    def _check_only(self, manifest: Manifest) -> None:
        if self.wanted.only and not self._chosen(manifest):
            raise LocalError(f"no file of {self.wanted.target.name} fits {self.wanted.only!r}")

    def _chosen(self, manifest: Manifest) -> list[int] | None:
        if not self.wanted.only or not isinstance(manifest, FolderManifest):
            return None
        return [number for number, file in enumerate(manifest.files) if fnmatch(file.path, self.wanted.only)]

    def _ranges(self, space: PieceSpace) -> Iterable[PieceRange]:
        manifest = space.manifest
        chosen = self._chosen(manifest)
        if chosen is not None:
            yield PieceRange(0, space.count, Priority.SKIP)
            for file in chosen:
                yield _range_of(space, file, Priority.NORMAL)
        for pattern, priority in self.priorities:
            if isinstance(manifest, FolderManifest):
                for file, entry in enumerate(manifest.files):
                    if fnmatch(entry.path, pattern) and (chosen is None or file in chosen):
                        yield _range_of(space, file, priority)
            else:
                yield PieceRange(0, space.count, priority)

    def _discard(self) -> None:
        manifest = decode(self.manifest, self.content_id)
        PartialStore.open(self.wanted.target, manifest, self.content_id, self._chosen(manifest)).discard()

    async def _stop(self) -> None:
        main = self._main
        if main is not None:
            main.cancel()
            await asyncio.gather(main, return_exceptions=True)

    async def _clean_up(self) -> None:
        await self._tasks.close()
        self._ready.clear()
        store, self.store = self.store, None
        if store is not None:
            await asyncio.shield(self.peer.in_thread(_commit_and_close, store, self.state is DownloadState.DONE))
        if self.state is not DownloadState.DONE:
            self.scheduler = None


def _range_of(space: PieceSpace, file: int, priority: Priority) -> PieceRange:
    pieces = space.pieces_of(file)
    return PieceRange(pieces.start, pieces.stop, priority)


def _commit_and_close(store: PartialStore, finished: bool) -> None:  # noqa: FBT001 -- passed through an executor
    try:
        if not finished:
            store.commit()
    except StoreError as error:
        log.warning("what came last could not be kept: %s", error)
    finally:
        store.close()
