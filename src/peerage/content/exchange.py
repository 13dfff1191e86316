"""The serving side of content: answers what is here, and sends pieces through a fair queue of upload slots.

Invariant: a piece goes only to a link that asked for its content and may have it; what waits is bounded by the queue,
what is read ahead by READ_AHEAD pieces a peer. What this node wants itself is the business of `transfers`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final, NamedTuple

from peerage.catalogue.record import Visibility
from peerage.content.buffers import BufferPool
from peerage.content.holding import FindHolding, Holding
from peerage.content.messages import (
    MAX_NOTICE_PIECES,
    CancelPieces,
    GetPiece,
    HavePieces,
    Queued,
    Unqueued,
    Want,
    WantPart,
)
from peerage.content.rate import RateLimit
from peerage.content.upload_queue import UploadQueue
from peerage.errors import LimitError, LinkError, PeerageError, RefusedError, StoreError
from peerage.identity.keys import PeerId
from peerage.limits import HAVE_INTERVAL, MAX_PART_PAYLOAD, MAX_WATCHERS, UPLOAD_SLOTS
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Bulk, Handler, Later
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer
from peerage.wire.message import ErrorCode, Message, Refusal

READ_AHEAD: Final = 2  # pieces being read from disk while one is being sent
_HOLDINGS_PER_LINK: Final = 64


class Job(NamedTuple):
    """One piece that somebody waits for."""

    connection: PeerConnection
    content: bytes
    piece: int
    later: Later


class Watch:
    """What one link asked for, and how much of its news it has been told."""

    def __init__(self) -> None:
        self.holdings: dict[bytes, Holding] = {}
        self.cursors: dict[bytes, int] = {}


class ContentExchange(Service):
    """Serves what `finders` find, in their order."""

    name = "content"

    def __init__(self, finders: Iterable[FindHolding] = (), slots: int = UPLOAD_SLOTS) -> None:
        self.finders: list[FindHolding] = list(finders)
        self._queue: UploadQueue[PeerId, Job] = UploadQueue(slots)
        self._watches: dict[PeerConnection, Watch] = {}
        self._workers: dict[PeerId, asyncio.Task[None]] = {}
        self._told_queued: set[PeerId] = set()
        self._buffers = BufferPool()

    async def start(self) -> None:
        """Begin without a speed limit."""
        self.rate = RateLimit(0, asyncio.get_running_loop().time())

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Answer questions for content."""
        return ((Want, self._on_want), (GetPiece, self._on_get_piece), (CancelPieces, self._on_cancel))

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Tell news of what is still coming in."""
        return (Stabilizer(self._tell_news, HAVE_INTERVAL),)

    @property
    def slots(self) -> int:
        """How many peers are served at once."""
        return self._queue.slots

    @slots.setter
    def slots(self, slots: int) -> None:
        self._queue.slots = max(1, slots)
        self._admit()

    @property
    def waiting(self) -> int:
        """How many peers have asked for pieces that they have not got yet."""
        return len(self._queue)

    def forget(self, contents: Iterable[bytes]) -> None:
        """Serve these no more from what was found earlier: they were withdrawn, or their files changed."""
        for content in contents:
            for watch in self._watches.values():
                watch.holdings.pop(content, None)

    # --- handlers -----------------------------------------------------------------------------------------------

    async def _on_want(self, connection: PeerConnection, message: Want) -> AsyncIterator[WantPart]:
        holding = await self._find(connection, message.content)
        watch = self._watch(connection)
        while len(watch.holdings) >= _HOLDINGS_PER_LINK:
            watch.holdings.pop(next(iter(watch.holdings)))
        watch.holdings[message.content] = holding
        _, watch.cursors[message.content] = holding.news(0)
        pieces = holding.pieces()
        manifest = holding.manifest if message.manifest else b""
        piece_map = b"" if pieces is None else pieces.to_bytes()
        data = memoryview(manifest + piece_map)
        for start in range(0, max(1, len(data)), MAX_PART_PAYLOAD):
            yield WantPart(len(manifest), len(piece_map), bytes(data[start : start + MAX_PART_PAYLOAD]))

    def _on_get_piece(self, connection: PeerConnection, message: GetPiece) -> Later:
        watch = self._watches.get(connection)
        holding = watch.holdings.get(message.content) if watch else None
        if holding is None:
            raise RefusedError(ErrorCode.NOT_FOUND, "this content is not shared here, or not any more")
        if message.index >= holding.space.count:
            raise RefusedError(ErrorCode.BAD_REQUEST, f"piece {message.index} of {holding.space.count}")
        later = Later()
        self._queue.ask(connection.peer_id, Job(connection, message.content, message.index, later))
        self._admit()
        if not self._queue.is_served(connection.peer_id) and connection.peer_id not in self._told_queued:
            self._told_queued.add(connection.peer_id)
            connection.send(Queued(self._queue.ahead_of(connection.peer_id)))
        return later

    def _on_cancel(self, connection: PeerConnection, message: CancelPieces) -> None:
        unwanted = set(message.indices)
        jobs = self._queue.asked_by(connection.peer_id)
        keep = deque(
            job
            for job in jobs
            if job.connection is not connection or job.content != message.content or job.piece not in unwanted
        )
        if len(keep) < len(jobs):
            self._queue.replace(connection.peer_id, keep)

    # --- finding ------------------------------------------------------------------------------------------------

    async def _find(self, connection: PeerConnection, content: bytes) -> Holding:
        for find in self.finders:
            holding = await find(content)
            if holding is not None and self._may_have(connection.peer_id, holding.visibility):
                return holding
        raise RefusedError(ErrorCode.NOT_FOUND, "this content is not shared here")

    def _may_have(self, peer_id: PeerId, visibility: Visibility) -> bool:
        """Whoever knows the content id may have the content, unless it is for friends."""
        known = self.peer.table.get(peer_id)
        return visibility is not Visibility.FRIENDS or (known is not None and known.friend)

    def _watch(self, connection: PeerConnection) -> Watch:
        watch = self._watches.get(connection)
        if watch is None:
            if len(self._watches) >= MAX_WATCHERS:
                self._prune()
            if len(self._watches) >= MAX_WATCHERS:
                raise LimitError("MAX_WATCHERS", "ours", f"{MAX_WATCHERS} links are served already")
            watch = self._watches[connection] = Watch()
        return watch

    def _prune(self) -> None:
        for connection in [each for each in self._watches if not each.is_open]:
            del self._watches[connection]
            if not any(each.peer_id == connection.peer_id for each in self._watches):
                self._queue.remove(connection.peer_id)
                self._told_queued.discard(connection.peer_id)

    # --- sending ------------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        for peer_id in self._queue.admit():
            try:
                self._workers[peer_id] = self.peer.spawn(self._serve(peer_id))
            except LimitError:
                for job in self._queue.remove(peer_id):
                    job.later.refuse(Refusal(ErrorCode.LIMIT, "too much is going on here; try again later"))

    async def _serve(self, peer_id: PeerId) -> None:
        """Send what one peer asked for, until its turn is over."""
        loop = asyncio.get_running_loop()
        reading: deque[tuple[Job, memoryview, asyncio.Future[None]]] = deque()
        if peer_id in self._told_queued:
            self._told_queued.discard(peer_id)
            self._tell(peer_id, Unqueued())
        try:
            while True:
                while len(reading) <= READ_AHEAD and (job := self._queue.take(peer_id)) is not None:
                    holding = self._holding_for(job)
                    if holding is not None:
                        buffer = self._buffers.take(holding.space.length_of(job.piece))
                        read = loop.run_in_executor(self.peer.executor, holding.read_piece, job.piece, buffer)
                        reading.append((job, buffer, read))
                if not reading:
                    return
                job, buffer, read = reading.popleft()
                await self._send(job, buffer, read)
        finally:
            for _, _, unread in reading:
                unread.cancel()
            self._workers.pop(peer_id, None)
            self._queue.end_turn(peer_id)
            self._admit()

    def _holding_for(self, job: Job) -> Holding | None:
        watch = self._watches.get(job.connection)
        holding = watch.holdings.get(job.content) if watch else None
        if holding is None:
            job.later.refuse(Refusal(ErrorCode.NOT_FOUND, "this content is not shared here any more"))
            return None
        return holding if job.connection.is_open else None

    async def _send(self, job: Job, buffer: memoryview, reading: asyncio.Future[None]) -> None:
        try:
            await reading
        except PeerageError as error:
            self.peer.metrics.count("pieces_unreadable", type(error).__name__)
            if isinstance(error, StoreError):
                self.forget([job.content])
            job.later.refuse(Refusal(ErrorCode.NOT_FOUND, "the holder cannot read that any more"))
            return
        count = len(buffer)
        wait = self.rate.spend(count, asyncio.get_running_loop().time())
        if wait:
            await asyncio.sleep(wait)
        try:
            await job.connection.drain()
            job.later.answer(Bulk(buffer))
        except LinkError:
            return
        finally:
            self._buffers.give_back(buffer)
        self._queue.spent(job.connection.peer_id, count)
        self.peer.metrics.count("bytes_uploaded", amount=count)
        self.peer.table.credit(job.connection.peer_id, bytes_to=count)

    # --- news ---------------------------------------------------------------------------------------------------

    def _tell_news(self) -> None:
        self._prune()
        for connection, watch in self._watches.items():
            for content, holding in watch.holdings.items():
                fresh, watch.cursors[content] = holding.news(watch.cursors[content])
                if fresh and connection.is_open:
                    send_in_notices(connection, content, fresh)

    def _tell(self, peer_id: PeerId, message: Message) -> None:
        for connection in self._watches:
            if connection.peer_id == peer_id and connection.is_open:
                connection.send(message)


def send_in_notices(connection: PeerConnection, content: bytes, indices: Sequence[int]) -> None:
    """Tell what has come, in as many notices as it takes."""
    for start in range(0, len(indices), MAX_NOTICE_PIECES):
        connection.send(HavePieces(content, tuple(indices[start : start + MAX_NOTICE_PIECES])))  # type: ignore[arg-type]  # a ContentId
