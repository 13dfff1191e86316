"""Sends pieces: one worker for each peer that has an upload slot, the others wait in a fair queue.

Invariant: every piece that was asked for ends once: with its bytes, with a refusal, or with its link. What waits is
bounded by MAX_ASKED for each link, what is read ahead by READ_AHEAD pieces for each peer; a peer that reads nothing
loses its link, not the others their turn. Who may ask for what is decided before.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from peerage.content.buffers import BufferPool
from peerage.content.given import Given
from peerage.content.holding import Holding
from peerage.content.messages import Queued, Unqueued
from peerage.content.upload_queue import UploadQueue
from peerage.errors import LimitError, LinkLostError, PeerageError, StoreError
from peerage.identity.keys import PeerId
from peerage.limits import MAX_ASKED, UPLOAD_GRACE, UPLOAD_PATIENCE, UPLOAD_SLOTS
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Bulk, Later
from peerage.peer.peer import Peer
from peerage.peer.tasks import TaskScope
from peerage.wire.message import ErrorCode, Message, Refusal

READ_AHEAD: Final = 2  # pieces being read from disk while one is being sent
_MAX_WORKERS: Final = 4096  # more than anybody sets slots to: each sends at least something


class Job(NamedTuple):
    """One piece that somebody waits for."""

    connection: PeerConnection
    content: bytes
    piece: int
    later: Later


class Reading(NamedTuple):
    """A job whose piece is being read."""

    job: Job
    buffer: memoryview
    done: asyncio.Future[None]


class Turn:
    """A peer that is being served."""

    def __init__(self) -> None:
        self.readings: deque[Reading] = deque()
        self.links: set[PeerConnection] = set()  # over which it asked
        self.news = asyncio.Event()  # it asked for more, or has gone


class Pieces(Protocol):
    """Where the pieces come from."""

    def holding(self, connection: PeerConnection, content: bytes) -> Holding | None:
        """Return what a link may have of a content."""

    async def renew(self, connection: PeerConnection, content: bytes) -> Holding | None:
        """Look for the content again, as its holding cannot be read; None when it is nowhere else."""


class Uploads:
    """The upload slots of a node, and what is asked of them."""

    def __init__(self, pieces: Pieces, slots: int = UPLOAD_SLOTS) -> None:
        self._pieces = pieces
        self._queue: UploadQueue[PeerId, Job] = UploadQueue(slots)
        self._asked: Counter[PeerConnection] = Counter()
        self._told: dict[PeerConnection, None] = {}  # that they have to wait
        self._turns: dict[PeerId, Turn] = {}
        self._buffers = BufferPool()
        self.given = Given()

    def start(self, peer: Peer) -> None:
        """Begin to serve."""
        self._peer = peer
        self._loop = asyncio.get_running_loop()
        self._workers = TaskScope(peer.metrics, _MAX_WORKERS, "uploads")

    async def stop(self) -> None:
        """Stop serving; who waits is told."""
        await self._workers.close()
        for peer_id in self._queue.peers():
            self._take_back(peer_id, lambda _job: True)

    @property
    def slots(self) -> int:
        """How many peers are served at once."""
        return self._queue.slots

    @slots.setter
    def slots(self, slots: int) -> None:
        self._queue.slots = min(max(1, slots), _MAX_WORKERS)
        if len(self._queue):
            self._admit()

    @property
    def waiting(self) -> int:
        """How many peers have asked for pieces that they have not got yet."""
        return len(self._queue)

    def ask(self, connection: PeerConnection, content: bytes, piece: int) -> Later:
        """Note a request; raises LimitError when too much has been asked for."""
        if self._asked[connection] >= MAX_ASKED:
            raise LimitError("MAX_ASKED", "ours", f"more than {MAX_ASKED} pieces asked for at once")
        if self._workers.full:
            raise LimitError("slots", "ours", "no piece can be sent now; try again later")
        job = Job(connection, content, piece, Later())
        self._queue.ask(connection.peer_id, job)
        self._asked[connection] += 1
        self._admit()
        turn = self._turns.get(connection.peer_id)
        if turn is not None:
            turn.news.set()
        elif not self._queue.is_served(connection.peer_id):
            self._tell_to_wait(connection)
        return job.later

    def cancel(self, connection: PeerConnection, content: bytes, pieces: set[int]) -> None:
        """A link no longer wants these."""
        self._take_back(
            connection.peer_id,
            lambda job: job.connection is connection and job.content == content and job.piece in pieces,
        )

    def prune(self) -> None:
        """Forget what links asked for that have ended."""
        for connection in [each for each in self._asked if not each.is_open]:
            self._take_back(connection.peer_id, lambda job: not job.connection.is_open)
            self._asked.pop(connection, None)
        for connection in [each for each in self._told if not each.is_open]:
            del self._told[connection]
        for turn in self._turns.values():
            if not any(link.is_open for link in turn.links):
                turn.news.set()

    # --- the queue ------------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        for peer_id in self._queue.admit(self._loop.time()):
            try:
                self._workers.start(self._serve(peer_id))
            except LimitError:
                self._queue.end_turn(peer_id)
                self._take_back(peer_id, lambda _job: True)

    def _take_back(self, peer_id: PeerId, unwanted: Callable[[Job], bool]) -> None:
        for job in self._queue.withdraw(peer_id, unwanted):
            self._leave(job)
            job.later.refuse(Refusal(ErrorCode.LIMIT, "it is not sent now: it was cancelled, or this node stops"))

    def _leave(self, job: Job) -> None:
        """Count a job that is no longer in the queue."""
        if self._asked[job.connection] > 1:
            self._asked[job.connection] -= 1
        else:
            del self._asked[job.connection]

    def _tell_to_wait(self, connection: PeerConnection) -> None:
        if connection not in self._told and _say(connection, Queued(self._queue.ahead_of(connection.peer_id))):
            self._told[connection] = None

    def _tell_turn(self, peer_id: PeerId) -> None:
        for connection in [each for each in self._told if each.peer_id == peer_id]:
            del self._told[connection]
            _say(connection, Unqueued())

    # --- serving --------------------------------------------------------------------------------------------------

    async def _serve(self, peer_id: PeerId) -> None:
        """Send what one peer asked for, until its turn is over."""
        turn = self._turns[peer_id] = Turn()
        self._tell_turn(peer_id)
        try:
            self._read_ahead(peer_id, turn)
            while turn.readings or await self._more_comes(peer_id, turn):
                if turn.readings:
                    await self._send(turn.readings.popleft())
                self._read_ahead(peer_id, turn)
        finally:
            del self._turns[peer_id]
            for reading in turn.readings:  # this node stops
                reading.job.later.refuse(Refusal(ErrorCode.LIMIT, "this node stops"))
            if self._queue.end_turn(peer_id):
                for connection in dict.fromkeys(job.connection for job in self._queue.asked_by(peer_id)):
                    self._tell_to_wait(connection)
            self._admit()

    async def _more_comes(self, peer_id: PeerId, turn: Turn) -> bool:
        """Give a peer a moment to ask for more, as it may not have read all it got; False when its turn is over."""
        turn.news.clear()
        while not self._queue.is_over(peer_id, self._loop.time()) and any(link.is_open for link in turn.links):
            with suppress(TimeoutError):
                async with asyncio.timeout(UPLOAD_GRACE):
                    return await turn.news.wait()
            if not any(link.is_open and link.unsent for link in turn.links):
                break
        return False

    def _read_ahead(self, peer_id: PeerId, turn: Turn) -> None:
        now = self._loop.time()
        while len(turn.readings) <= READ_AHEAD and (job := self._queue.take(peer_id, now)) is not None:
            self._leave(job)
            turn.links.add(job.connection)
            holding = self._pieces.holding(job.connection, job.content)
            if holding is None:
                job.later.refuse(_gone())
            elif job.connection.is_open:
                turn.readings.append(self._read(job, holding))

    def _read(self, job: Job, holding: Holding) -> Reading:
        buffer = self._buffers.take(holding.space.length_of(job.piece))
        done = self._loop.run_in_executor(self._peer.executor, holding.read_piece, job.piece, buffer)
        return Reading(job, buffer, done)

    async def _send(self, reading: Reading) -> None:
        job, buffer, done = reading
        try:
            await done
        except PeerageError as error:
            self._peer.metrics.count("pieces_unreadable", type(error).__name__)
            if not isinstance(error, StoreError) or not await self._read_elsewhere(job, buffer):
                job.later.refuse(_gone())
                return
        try:
            await _drain(job.connection)
            job.later.answer(Bulk(buffer))
        except LinkLostError:
            return
        finally:
            self._buffers.give_back(buffer)
        self._queue.spent(job.connection.peer_id, len(buffer))
        self._peer.metrics.count("bytes_uploaded", amount=len(buffer))
        self._peer.table.credit(job.connection.peer_id, bytes_to=len(buffer))
        self.given.add(job.connection.peer_id, job.content, len(buffer), self._peer.clock.time())

    async def _read_elsewhere(self, job: Job, buffer: memoryview) -> bool:
        """Read a piece from where its content is by now: a download may have been finished meanwhile."""
        holding = await self._pieces.renew(job.connection, job.content)
        if holding is None:
            return False
        try:
            await self._peer.in_thread(holding.read_piece, job.piece, buffer)
        except PeerageError:
            return False
        return True


def _gone() -> Refusal:
    return Refusal(ErrorCode.NOT_FOUND, "the holder cannot read that any more")


def _say(connection: PeerConnection, message: Message) -> bool:
    """Tell a link something, if it takes it."""
    try:
        connection.send(message)
    except PeerageError:
        return False
    return True


async def _drain(connection: PeerConnection) -> None:
    """Wait until a link takes more; raises LinkLostError when it has ended, or ends it when it takes nothing at all."""
    while True:
        unsent = connection.unsent
        try:
            async with asyncio.timeout(UPLOAD_PATIENCE):
                await connection.drain()
        except TimeoutError:
            if connection.unsent >= unsent:
                connection.abort(LinkLostError("the other side reads nothing"))
        else:
            return
