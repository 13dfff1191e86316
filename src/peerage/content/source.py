"""One source of a download: a bulk link to a holder, and what is on order there.

Invariant: what this link owes is exactly `_orders`; each order ends once, as a piece to be checked, as a refusal that
the scheduler hears of, or with the link. All judgement is the scheduler's; the download decides about pieces that were
wrong.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from peerage.content.bitmap import Bitmap
from peerage.content.messages import CancelPieces, GetPiece, Want, WantPart
from peerage.errors import LimitError, LinkError, PeerageError, ProtocolError, RefusedError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, PeerIdField
from peerage.limits import QUEUED_TIMEOUT
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
        self.has: Bitmap | None = None  # None: everything
        self._orders: dict[int, asyncio.Future[memoryview]] = {}
        self._loop = asyncio.get_running_loop()
        self._waiting_for_rate: asyncio.TimerHandle | None = None

    @property
    def peer_id(self) -> PeerId:
        """Whose link this is; also its name in the scheduler."""
        return self.source.peer_id

    async def run(self) -> PeerageError:
        """Ask this source until its link ends; returns why it ended. Raises when it never was of use."""
        self.connection = await self._connect(self.download.peer)
        try:
            pieces = await self._ask_what_it_has()
            space = await self.download.ready()
            self.has = None if pieces is None else Bitmap.from_bytes(pieces, space.count)
            self.download.swarm.attach(self)
            self.fill()
            return await self.connection.wait_closed()
        finally:
            self._close()

    def fill(self) -> None:
        """Order what the scheduler wants from here now."""
        scheduler = self.download.scheduler
        connection = self.connection
        if scheduler is None or connection is None or not self.attached or not connection.is_open:
            return
        now = self._loop.time()
        wait = self.download.rate.debt(now)
        if wait > 0:
            self._fill_after(wait)
            return
        for request in scheduler.next_requests(self.peer_id, now):
            if request.stolen_from is not None:
                self.download.swarm.cancel_order(request.stolen_from, request.index)
            self._order(connection, request.index, request.length)
            self.download.rate.spend(request.length, now)

    def cancel(self, index: int) -> None:
        """Say that a piece need not come any more."""
        order = self._orders.pop(index, None)
        if order is None:
            return
        order.cancel()
        if self.connection is not None and self.connection.is_open:
            self.connection.send(CancelPieces(self.download.content_id, (index,)))

    def heard(self, count: int) -> None:
        """Bytes are coming."""
        if self.download.scheduler is not None and self.attached:
            self.download.scheduler.progress(self.peer_id, count, self._loop.time())

    def gained(self, indices: tuple[int, ...]) -> None:
        """The source has got more pieces."""
        scheduler = self.download.scheduler
        if scheduler is not None and self.attached:
            scheduler.source_has(self.peer_id, indices)
            self.fill()
        elif self.has is not None:
            for index in indices:
                if index < self.has.size:
                    self.has.add(index)

    def queued(self) -> None:
        """The source lets us wait; others get what it owes."""
        scheduler = self.download.scheduler
        if scheduler is not None and self.attached:
            for index in scheduler.queued(self.peer_id, self._loop.time()):
                self.cancel(index)
            self.download.swarm.refill()

    def drop(self, error: PeerageError) -> None:
        """End this link."""
        if self.connection is not None:
            self.connection.abort(error)

    # --- inside -------------------------------------------------------------------------------------------------

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

    async def _ask_what_it_has(self) -> bytes | None:
        """Ask for manifest and piece map; hand on the first, return the second (None: everything)."""
        assert self.connection is not None
        need_manifest = not self.download.has_manifest
        data, first = bytearray(), None
        async for part in self.connection.request_parts(Want(self.download.content_id, need_manifest), _WANT_TIMEOUT):
            first = first or part
            data += _checked(part, first, len(data))
        if first is None or len(data) != first.manifest_bytes + first.map_bytes:
            raise ProtocolError("an answer to WANT that ends early")
        if need_manifest:
            await self.download.manifest_arrived(bytes(data[: first.manifest_bytes]))
        return bytes(data[first.manifest_bytes :]) if first.map_bytes else None

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
        if self._orders.get(index) is order:
            del self._orders[index]
        scheduler = self.download.scheduler
        if order.cancelled() or scheduler is None:
            return
        error = order.exception()
        if error is None:
            self.download.piece_arrived(self, index, order.result())
            self.fill()
        elif isinstance(error, RefusedError):
            scheduler.source_lacks(self.peer_id, index)
            self.download.swarm.refill()
        elif isinstance(error, LimitError):
            self.drop(error)

    def _fill_after(self, seconds: float) -> None:
        if self._waiting_for_rate is None:
            self._waiting_for_rate = self._loop.call_later(seconds, self._fill_again)

    def _fill_again(self) -> None:
        self._waiting_for_rate = None
        self.fill()

    def _close(self) -> None:
        if self._waiting_for_rate is not None:
            self._waiting_for_rate.cancel()
        self.download.swarm.detach(self)
        orders, self._orders = self._orders, {}
        for order in orders.values():
            order.cancel()
        if self.connection is not None:
            self.connection.close()


def _checked(part: WantPart, first: WantPart, so_far: int) -> bytes:
    """Return the bytes of a part that fits the first one; raises ProtocolError otherwise."""
    total = first.manifest_bytes + first.map_bytes
    if (part.manifest_bytes, part.map_bytes) != (first.manifest_bytes, first.map_bytes):
        raise ProtocolError("an answer to WANT that contradicts itself")
    if so_far + len(part.data) > total:
        raise ProtocolError("an answer to WANT that is longer than it says")
    return part.data
