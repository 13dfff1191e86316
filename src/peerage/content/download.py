"""One download: from a content id to a file or folder in its place.

Invariant: a piece counts only when it was checked and written; what was marked before a crash, a pause or an error is
kept, and only the rest is fetched. Which piece comes from whom is the scheduler's judgement, what is safe the store's;
this shell moves bytes between links and disk and keeps the sources alive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from peerage.content.choice import Plan, Rule, plan_of
from peerage.content.finished import PlacedFile
from peerage.content.holding import Holding, RunningHolding
from peerage.content.intake import Intake
from peerage.content.manifest import ContentId, PieceSpace
from peerage.content.own_limit import OwnLimit
from peerage.content.picker import Priority
from peerage.content.readers import Readers
from peerage.content.scheduler import Scheduler
from peerage.content.signal import Signal
from peerage.content.source import Source, SourceLink
from peerage.content.standing import shape_of, status_of
from peerage.content.status import ENDED, Amount, DownloadState, DownloadStatus, Shape, Terms, Wanted
from peerage.content.store import PartialStore
from peerage.content.surroundings import Surroundings
from peerage.content.swarm import Swarm
from peerage.content.writer import PieceWriter
from peerage.errors import ForgedError, LocalError, PeerageError, RemoteError
from peerage.identity.keys import format_id
from peerage.limits import COMMIT_BYTES, COMMIT_SECONDS, MANIFESTS_AT_ONCE, MAX_IN_FLIGHT, MAX_RULES, MAX_SOURCES
from peerage.peer.pacing import Pace
from peerage.peer.tasks import TaskScope

__all__ = ["ENDED", "Download", "DownloadState", "DownloadStatus", "Wanted"]

_TICK: Final = 1.0  # seconds between two looks at the clock


class Download:
    """A running, paused or finished download."""

    def __init__(
        self, wanted: Wanted, surroundings: Surroundings, rules: Sequence[Rule] = (), terms: Terms | None = None
    ) -> None:
        self.wanted = wanted
        self.content_id = ContentId(wanted.content)
        self.peer = surroundings.peer
        self.buffers = surroundings.buffers
        self.rate: Pace = surroundings.rate  # of what comes in
        self.terms = terms or Terms()  # changed by whoever lists it
        self.shape = Shape()
        self.finished: float | None = None  # when it was, in seconds since 1970
        self.error: PeerageError | None = None
        self.rules = tuple(rules)
        self.amount = Amount(wanted.size, 0)
        self.placed: tuple[PlacedFile, ...] = ()  # the finished files
        self.scheduler: Scheduler | None = None
        self.swarm = Swarm(self, surroundings.locate)
        self.readers = Readers(self.swarm.refill)
        self._surroundings = surroundings
        self._state = DownloadState.QUEUED
        self._loop = asyncio.get_running_loop()
        self.plan: Plan | None = None  # once the manifest is known
        self._writer: PieceWriter | None = None
        self._main: asyncio.Task[None] | None = None
        self._resting: DownloadState | None = None  # what it becomes, once its task was told to end
        self._finishing = False
        self._ready = Signal()  # pieces can be taken
        self._more = Signal()  # something changed that the main loop should look at
        self._ended = Signal()
        self._intake: Intake | None = None
        self._limit: OwnLimit | None = None  # while it runs, and after
        self._room = MAX_IN_FLIGHT

    # --- for people -----------------------------------------------------------------------------------------------

    @property
    def state(self) -> DownloadState:
        """Where it stands."""
        return self._state

    @state.setter
    def state(self, state: DownloadState) -> None:
        self._state = state
        self._changed()

    def status(self) -> DownloadStatus:
        """Return how it stands."""
        return status_of(self, self._loop.time())

    def measure(self) -> Amount:
        """Return how many bytes are wanted and how many of them are there, as far as that is known."""
        if self.scheduler is not None:
            progress = self.scheduler.progress_now()
            self.amount = Amount(progress.wanted_bytes, progress.verified_bytes)
        return self.amount

    def enqueue(self) -> None:
        """Wait to be started; what went wrong before is forgotten."""
        if self._main is None and self.state not in {DownloadState.DONE, DownloadState.CANCELLED}:
            self.state, self.error = DownloadState.QUEUED, None
            self._ended.clear()

    def start(self) -> None:
        """Begin, or go on; raises LimitError when the node has too much to do."""
        self.enqueue()
        if self._main is None and self.state is DownloadState.QUEUED:
            self._resting, self._finishing = None, False
            self._tasks = TaskScope(self.peer.metrics, MAX_SOURCES + 8, "download")
            self._taking_manifest, self.manifest_turns = asyncio.Lock(), asyncio.Semaphore(MANIFESTS_AT_ONCE)
            self.rate = self._limit = OwnLimit(self._surroundings.rate, self.terms.limit, self._loop.time())
            self._main = self.peer.spawn(self._run(), f"download {format_id(self.content_id)[:8]}")
            self.state = DownloadState.FINDING

    async def pause(self) -> None:
        """Stop; what is verified is kept."""
        if self.state not in ENDED:
            await self._stop(DownloadState.PAUSED)

    async def cancel(self) -> None:
        """Give up, and remove what is unfinished; raises StoreError when that cannot be removed."""
        if self.state is not DownloadState.DONE:
            await self._stop(DownloadState.CANCELLED)
        if self.state is DownloadState.CANCELLED:
            self._ended.set()
            await self.peer.in_thread(self._discard)

    async def close(self) -> None:
        """Stop because the node stops; a running one is queued then."""
        if self._main is not None:
            await self._stop(DownloadState.QUEUED)

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
        self._changed()

    def set_priority(self, pattern: str, priority: Priority) -> None:
        """Fetch the files of a folder that fit `pattern` sooner, later or not at all; "*" is everything.

        Raises LocalError when no file fits, or nothing would be left to download.
        """
        self._check_open()
        rules = (*(rule for rule in self.rules if rule.pattern != pattern), Rule(pattern, priority))
        if len(rules) > MAX_RULES:
            raise LocalError(f"more than {MAX_RULES} patterns with a priority")
        if self.plan is not None:
            self.plan.choice.check(rules)
        self._follow(rules)

    def set_levels(self, plan: Plan, changes: Mapping[int, Priority]) -> None:
        """Do the same for files by their numbers in `plan`, its own, which a resting download does not keep."""
        self._check_open()
        self._follow(plan.choice.with_levels(self.rules, changes))

    def set_terms(self, terms: Terms) -> None:
        """Let other terms hold, at once."""
        self.terms = terms
        if self._limit is not None:
            self._limit.change(terms.limit, self._loop.time())
        self._changed()

    def set_room(self, count: int) -> None:
        """Let at most so many bytes be in flight."""
        self._room = count
        if self.scheduler is not None:
            self.scheduler.set_max_in_flight(count)

    @property
    def is_active(self) -> bool:
        """Whether it takes one of the places of running downloads."""
        return self._main is not None

    @property
    def space(self) -> PieceSpace | None:
        """The pieces, once the manifest is known."""
        return self.plan.space if self.plan is not None else None

    def restore(self, state: DownloadState, error: PeerageError | None = None) -> None:
        """Be a download that came to rest in an earlier run."""
        self.error, self.state = error, state
        if state in ENDED:
            self._ended.set()

    def kept_files(self) -> frozenset[int]:
        """Return the numbers of the files that are wanted."""
        return self.plan.choice.kept(self.rules) if self.plan is not None else frozenset()

    # --- for the exchange -------------------------------------------------------------------------------------------

    def holding(self) -> Holding | None:
        """Return what can be served of it now."""
        plan, writer, scheduler = self.plan, self._writer, self.scheduler
        if self.state is not DownloadState.RUNNING or plan is None or scheduler is None or writer is None:
            return None
        # The store is closed for a moment when it comes to rest, or goes on with other files.
        return RunningHolding(plan.encoded, writer.store, scheduler, self.wanted.visibility) if writer.is_open else None

    # --- for the source links ---------------------------------------------------------------------------------------

    @property
    def has_manifest(self) -> bool:
        """Whether the manifest is known."""
        return self.plan is not None

    async def manifest_arrived(self, data: bytes) -> None:
        """Take the manifest from a source; raises a ForgedError when it is not the right one."""
        async with self._taking_manifest:  # several sources may bring it at once
            if self.plan is not None:
                return
            try:
                plan = await self.peer.in_thread(self._read_plan, data)
                await self.peer.in_thread(self._surroundings.save_manifest, self.content_id, data)
            except ForgedError:
                raise
            except PeerageError as error:  # it is the right one, and no other source can bring a better
                self.fail(error)
                raise
            self.plan = plan
            self.shape = shape_of(plan.space)
            self._more.set()
            self._changed()

    async def ready(self) -> PieceSpace:
        """Wait until the download can take pieces."""
        await self._ready.wait()
        assert self.space is not None
        return self.space

    def piece_arrived(self, link: SourceLink, index: int, buffer: memoryview) -> None:
        """Check and write a piece, in a thread."""
        if self.scheduler is None or self._intake is None:
            self.buffers.give_back(buffer)
        else:
            self._intake.take(link, index, buffer)

    def piece_is_here(self) -> None:
        """Note that a piece was written."""
        self._changed()
        scheduler, intake = self.scheduler, self._intake
        if scheduler is not None and intake is not None and (scheduler.done or intake.uncommitted >= COMMIT_BYTES):
            self._more.set()

    def fail(self, error: PeerageError) -> None:
        """End with an error, as the disk does not take it, say."""
        if self.error is None:
            self.error = error
            self._more.set()

    # --- inside: the course of it -----------------------------------------------------------------------------------

    async def _run(self) -> None:
        outcome = DownloadState.FAILED
        try:
            await self._fetch_and_finish()
        except PeerageError as error:
            self.error = error
        except asyncio.CancelledError:
            outcome = self._resting or DownloadState.QUEUED
        finally:
            await self._clean_up()
            if self._writer is not None and self._writer.finished:
                outcome, self.placed = DownloadState.DONE, self._writer.placed
                self.finished = self.peer.clock.time()
            self._rest(outcome)

    async def _fetch_and_finish(self) -> None:
        encoded = await self.peer.in_thread(self._surroundings.load_manifest, self.content_id)
        if encoded and self.plan is None:
            with suppress(RemoteError):  # a damaged copy is fetched again
                self.plan = await self.peer.in_thread(self._read_plan, encoded)
                self.shape = shape_of(self.plan.space)
        self.swarm.start(self._tasks)
        while self.plan is None:
            await self._next_news(self._loop.time() + _TICK)
            self._surroundings.noted(self.content_id)
        self.state = DownloadState.CHECKING
        scheduler, writer = await self._open(self.plan)
        self.state = DownloadState.RUNNING
        self.readers.attach(scheduler)
        self._ready.set()
        self._surroundings.changed(self.content_id)
        await self._fetch(scheduler, writer)
        self._finishing = True
        await self._tasks.close()
        kept = self.kept_files()
        if kept != writer.store.chosen:
            await writer.open(kept)
        await writer.finish()

    async def _open(self, plan: Plan) -> tuple[Scheduler, PieceWriter]:
        manifest = plan.space.manifest
        writer = self._writer = PieceWriter(self.wanted.target, manifest, self.content_id, self.peer.executor)
        store = await writer.open(self.kept_files())
        scheduler = Scheduler(plan.space, self.peer.rng, have=store.have(), max_in_flight=self._room)
        scheduler.set_priorities(plan.choice.ranges(self.rules))
        self.scheduler, self._intake = scheduler, Intake(self, scheduler, writer)
        return scheduler, writer

    async def _fetch(self, scheduler: Scheduler, writer: PieceWriter) -> None:
        """Turn until every wanted piece is here: look at the clock, flush, and notice what went wrong."""
        next_tick = committed = self._loop.time()
        intake = self._intake
        assert intake is not None
        while not scheduler.done:
            await self._next_news(next_tick)
            now = self._loop.time()
            if now >= next_tick:
                self.swarm.look(scheduler, now)
                self._surroundings.noted(self.content_id)
                next_tick = now + _TICK
            if intake.uncommitted >= COMMIT_BYTES or (intake.uncommitted and now - committed >= COMMIT_SECONDS):
                intake.uncommitted, committed = 0, now
                await writer.commit()

    async def _next_news(self, until: float | None) -> None:
        """Wait until something has changed, or for so long; raises the error when something failed."""
        if self.error is not None:
            raise self.error
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._more.wait()
        self._more.clear()
        if self.error is not None:
            raise self.error

    async def _stop(self, resting: DownloadState) -> None:
        """Stop what runs; waiting for that can be cancelled, the stopping cannot."""
        if (main := self._main) is None:
            self.restore(resting)
            return
        if self._resting is None:  # once only; not by `main.cancelling()`, which counts its own timeouts too
            main.cancel()
        self._resting = resting
        await asyncio.wait([main])
        if self._main is main:  # it was cancelled before its first step
            self._rest(resting)

    async def _clean_up(self) -> None:
        await self._tasks.close()
        self._ready.clear()
        if self._writer is not None:
            await self._writer.close()
        self.measure()
        self.readers.detach()
        self.scheduler = self._intake = None

    def _rest(self, state: DownloadState) -> None:
        self._main = None
        if state is DownloadState.FAILED:
            self.error = self.error or LocalError("it was stopped by a fault of this program; resume it to try again")
        else:
            self.error = None
        self._writer = None
        self.restore(state, self.error)

    # --- inside: small things -----------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._finishing or self.state in {DownloadState.DONE, DownloadState.CANCELLED}:
            raise LocalError(f"{self.wanted.target.name} is complete, or given up: there is nothing left to choose")

    def _follow(self, rules: tuple[Rule, ...]) -> None:
        """Want other files, from now on."""
        self.rules = rules
        if self.plan is not None and self.scheduler is not None:
            for cancel in self.scheduler.set_priorities(self.plan.choice.ranges(rules)):
                self.swarm.cancel_order(cancel.source, cancel.index)
            self.swarm.refill()
            self._more.set()
        self._changed()

    def _changed(self) -> None:
        """Tell those who read it, and those who watch it."""
        self.readers.tell()
        self._surroundings.noted(self.content_id)

    def _read_plan(self, encoded: bytes) -> Plan:
        return plan_of(self.content_id, encoded, self.wanted.target.name, self.wanted.only)

    def _discard(self) -> None:
        """Remove what is unfinished on the disk; blocks."""
        encoded = self.plan.encoded if self.plan is not None else self._surroundings.load_manifest(self.content_id)
        if encoded:
            plan = self.plan or self._read_plan(encoded)
            PartialStore.remove(self.wanted.target, plan.space.manifest, self.content_id)
