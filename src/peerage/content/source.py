"""One source of a download: a bulk link to a holder, and what is on order there.

Invariant: what this link owes is exactly `_orders`; each order ends once, as a piece to be checked, as a refusal that
the scheduler hears of, or with the link. What was cancelled while it was on its way is still taken when it comes. All
judgement is the scheduler's; the download decides about pieces that were wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from peerage.content.bitmap import Bitmap
from peerage.content.messages import CancelPieces, GetPiece, Want, WantPart
from peerage.errors import LinkError, LinkLostError, PeerageError, ProtocolError, RefusedError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, PeerIdField
from peerage.limits import MAX_REFUSALS, QUEUED_TIMEOUT
from peerage.peer.connection import PeerConnection
from peerage.peer.messages import LinkKind
from peerage.peer.peer import Peer

if TYPE_CHECKING:
    from peerage.content.download import Download

_WANT_TIMEOUT: Final = 60.0  # seconds for manifest and map: 64 MiB over a slow line


class Source(msgspec.Struct, frozen=True):
    """Somebody who may have the content, and where to dial."""

    peer_id: PeerIdField
    addresses: tuple[Address, ...] = ()


class PieceTarget:
    """The memory for one piece on its way; taken when its first byte comes."""

    __slots__ = ("_link", "length")

    def __init__(self, link: SourceLink, length: int) -> None:
        self._link = link
        self.length = length

    def allocate(self) -> memoryview:
        """Take a buffer from the pool."""
        return self._link.download.buffers.take(self.length)

    def progress(self, count: int) -> None:
        """Tell the scheduler that this source lives."""
        self._link.heard(count)


class SourceLink:
    """Asks one source for pieces, as the scheduler decides."""

    def __init__(self, download: Download, source: Source) -> None:
        self.download = download
        self.source = source
        self.connection: PeerConnection | None = None
        self.attached = False  # known to the scheduler
        self.waits = False  # in the source's queue
        self.useful = False  # something came from it
        self._news: set[int] | None = None  # pieces it got since it was asked what it has; None: too early to keep them
        self._missed_news = False
        self._refusals = 0
        self._orders: dict[int, asyncio.Future[memoryview]] = {}
        self._loop = asyncio.get_running_loop()

    @property
    def peer_id(self) -> PeerId:
        """Whose link this is; also its name in the scheduler."""
        return self.source.peer_id

    @property
    def is_open(self) -> bool:
        """Whether the source can be talked to."""
        return self.connection is not None and self.connection.is_open

    @property
    def is_braked(self) -> bool:
        """Whether it is for a limit of this side that nothing comes."""
        return self.connection is not None and self.connection.is_braked

    async def run(self) -> PeerageError:
        """Ask this source until its link ends; returns why it ended. Raises when it never was of use."""
        self.connection = await self._connect(self.download.peer)
        self.connection.pace(reading=self.download.rate)
        try:
            pieces = await self._ask_what_it_has(self.connection)
            space = await self.download.ready()
            self._news = set()
            if self._missed_news:
                pieces = await self._want(self.connection)
            has = None if pieces is None else Bitmap.from_bytes(pieces, space.count)
            self.download.swarm.attach(self, has)
            self.gained(self._news)
            return await self.connection.wait_closed()
        finally:
            self._close(self.connection)

    def fill(self) -> None:
        """Order what the scheduler wants from here now."""
        scheduler, connection = self.download.scheduler, self.connection
        if scheduler is None or connection is None or not self.attached or not connection.is_open:
            return
        for request in scheduler.next_requests(self.peer_id, self._loop.time()):
            if request.stolen_from is not None:
                self.download.swarm.cancel_order(request.stolen_from, request.index)
            self._order(connection, request.index, request.length)

    def cancel(self, indices: Iterable[int]) -> None:
        """Say that pieces need not come any more; one that is on its way already may still be of use."""
        gone = tuple(index for index in indices if self._orders.pop(index, None) is not None)
        if gone and self.connection is not None and self.connection.is_open:
            try:
                self.connection.send(CancelPieces(self.download.content_id, gone))
            except PeerageError as error:
                self._loop.call_soon(self.drop, error)

    def drop(self, error: PeerageError) -> None:
        """End this link."""
        if self.connection is not None:
            self.connection.abort(error)

    # --- what the source says -----------------------------------------------------------------------------------

    def heard(self, count: int) -> None:
        """Bytes are coming."""
        if count:
            self.waits = False
            self.download.swarm.last_byte = self._loop.time()
        if self.download.scheduler is not None and self.attached:
            self.download.scheduler.progress(self.peer_id, count, self._loop.time())

    def gained(self, indices: Iterable[int]) -> None:
        """The source has got more pieces."""
        scheduler = self.download.scheduler
        if scheduler is None or not self.attached:
            self._keep_news(indices)
            return
        try:
            scheduler.source_has(self.peer_id, indices)
        except ProtocolError as error:
            self.download.swarm.ban(self.peer_id, error)
        self.fill()

    def queued(self) -> None:
        """The source lets us wait."""
        self._loop.call_soon(self._wait)  # after the pieces that came just before these words

    def unqueued(self) -> None:
        """Our turn has come."""
        self._loop.call_soon(self._wait_no_longer)

    # --- inside -------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Let others get what it owes."""
        scheduler = self.download.scheduler
        self.waits = True
        if scheduler is not None and self.attached:
            self.cancel(scheduler.queued(self.peer_id, self._loop.time()))
            self.download.swarm.refill()

    def _wait_no_longer(self) -> None:
        self.waits = False
        if self.download.scheduler is not None and self.attached:
            self.download.scheduler.unqueued(self.peer_id, self._loop.time())
            self.fill()

    async def _connect(self, peer: Peer) -> PeerConnection:
        error: PeerageError | None = None
        known = peer.table.get(self.peer_id)
        for address in dict.fromkeys((*self.source.addresses, *(known.addresses if known else ()))):
            try:
                return await peer.connect(address, self.peer_id, LinkKind.BULK)
            except LinkError as failure:
                error = failure
        if error is not None:
            raise error
        return await peer.connect_to(self.peer_id, LinkKind.BULK)

    async def _ask_what_it_has(self, connection: PeerConnection) -> bytes | None:
        if self.download.has_manifest:
            return await self._want(connection)
        async with self.download.manifest_turns:
            return await self._want(connection)

    async def _want(self, connection: PeerConnection) -> bytes | None:
        """Ask for manifest and piece map; hand on the first, return the second (None: everything)."""
        self._missed_news = False
        need_manifest = not self.download.has_manifest
        data, first = bytearray(), None
        async for part in connection.request_parts(Want(self.download.content_id, need_manifest), _WANT_TIMEOUT):
            first = first or part
            data += _checked(part, first, len(data))
        if first is None or len(data) != first.manifest_bytes + first.map_bytes:
            raise ProtocolError("an answer to WANT that ends early")
        if need_manifest:
            await self.download.manifest_arrived(bytes(data[: first.manifest_bytes]))
        return bytes(data[first.manifest_bytes :]) if first.map_bytes else None

    def _keep_news(self, indices: Iterable[int]) -> None:
        """Remember what came too early for the scheduler, as far as the number of pieces bounds it."""
        space = self.download.space
        if self._news is None or space is None:
            self._missed_news = True
        else:
            self._news.update(index for index in indices if index < space.count)

    def _order(self, connection: PeerConnection, index: int, length: int) -> None:
        request = GetPiece(self.download.content_id, index)
        try:
            order = connection.post_bulk(request, PieceTarget(self, length), QUEUED_TIMEOUT)
        except PeerageError as error:
            self._loop.call_soon(self.drop, error)
            return
        self._orders[index] = order
        order.add_done_callback(partial(self._arrived, index))

    def _arrived(self, index: int, order: asyncio.Future[memoryview]) -> None:
        current = self._orders.get(index) is order
        if current:
            del self._orders[index]
        if order.cancelled():
            return
        error = order.exception()
        if error is None:
            self.useful, self._refusals = True, 0
            self.download.piece_arrived(self, index, order.result())
            self.fill()
        elif current:
            self._refused(index, error)

    def _refused(self, index: int, error: BaseException) -> None:
        """An order came to nothing: the source lacks that piece, or the link is of no use any more."""
        scheduler = self.download.scheduler
        self._refusals += 1
        if not isinstance(error, RefusedError):
            self.drop(error if isinstance(error, PeerageError) else LinkLostError(str(error)))
        elif scheduler is not None and self.attached:
            scheduler.source_lacks(self.peer_id, index)
            self.download.swarm.refill()
            if self._refusals >= MAX_REFUSALS or not self._orders:  # it is asked anew what it has, a little later
                self.drop(LinkLostError(f"it does not give what it said it had: {error}"))

    def _close(self, connection: PeerConnection) -> None:
        self.download.swarm.detach(self)
        orders, self._orders = self._orders, {}
        for order in orders.values():
            order.cancel()
        connection.close()


def _checked(part: WantPart, first: WantPart, so_far: int) -> bytes:
    """Return the bytes of a part that fits the first one; raises ProtocolError otherwise."""
    total = first.manifest_bytes + first.map_bytes
    if (part.manifest_bytes, part.map_bytes) != (first.manifest_bytes, first.map_bytes):
        raise ProtocolError("an answer to WANT that contradicts itself")
    if so_far + len(part.data) > total:
        raise ProtocolError("an answer to WANT that is longer than it says")
    return part.data
