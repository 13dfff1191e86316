"""The serving side of content: answers what is here, and sends pieces through a fair queue of upload slots.

Invariant: a piece goes only to a link that asked for its content and may have it. What this node wants itself is the
business of `transfers`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from peerage.catalogue.record import Visibility
from peerage.content.given import Given
from peerage.content.holding import FindHolding, Holding
from peerage.content.messages import CancelPieces, GetPiece, Want, WantPart
from peerage.content.rate import RateLimit
from peerage.content.uploads import Uploads
from peerage.content.watches import Watches
from peerage.errors import RefusedError
from peerage.identity.keys import PeerId
from peerage.limits import HAVE_INTERVAL, MAX_PART_PAYLOAD, UPLOAD_SLOTS
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler, Later
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer
from peerage.wire.message import ErrorCode, Message


class ContentExchange(Service):
    """Serves what `finders` find, in their order; `listeners` hear who wants what."""

    name = "content"

    def __init__(self, finders: Iterable[FindHolding] = (), slots: int = UPLOAD_SLOTS) -> None:
        self.finders: list[FindHolding] = list(finders)
        self.listeners: list[Callable[[PeerConnection, bytes], None]] = []
        self.rate = RateLimit(0, 0.0)
        self._watches = Watches()
        self._uploads = Uploads(self, slots)

    async def start(self) -> None:
        """Begin to serve."""
        self._uploads.start(self.peer)

    async def stop(self) -> None:
        """Serve no more."""
        await self._uploads.stop()

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Answer questions for content."""
        return ((Want, self._on_want), (GetPiece, self._on_get_piece), (CancelPieces, self._on_cancel))

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Tell news of what is still coming in."""
        return (Stabilizer(self._look_round, HAVE_INTERVAL),)

    @property
    def slots(self) -> int:
        """How many peers are served at once."""
        return self._uploads.slots

    @slots.setter
    def slots(self, slots: int) -> None:
        self._uploads.slots = slots

    @property
    def waiting(self) -> int:
        """How many peers have asked for pieces that they have not got yet."""
        return self._uploads.waiting

    @property
    def given(self) -> Given:
        """What was uploaded to whom lately."""
        return self._uploads.given

    def forget(self, contents: Iterable[bytes]) -> None:
        """Serve these no more from what was found earlier: they were withdrawn, or their files changed."""
        for content in contents:
            self._watches.forget(content)

    async def refresh(self, content: bytes) -> None:
        """Look again where a content is, for those who asked for it already: it is somewhere else now."""
        for connection in self._watches.links_to(content):
            holding = await self._find(connection, content)
            if holding is not None:
                self._watches.replace(connection, content, holding)

    # --- handlers -----------------------------------------------------------------------------------------------

    async def _on_want(self, connection: PeerConnection, message: Want) -> AsyncIterator[WantPart]:
        for listener in self.listeners:
            listener(connection, message.content)
        holding = await self._find(connection, message.content)
        if holding is None:
            raise RefusedError(ErrorCode.NOT_FOUND, "this content is not shared here")
        connection.pace(writing=self.rate)
        self._watches.watch(connection, message.content, holding)
        pieces = holding.pieces()  # at the same moment as the watch: what comes later is told
        manifest = holding.manifest if message.manifest else b""
        piece_map = b"" if pieces is None else pieces.to_bytes()
        for part in _parts(manifest, piece_map):
            yield WantPart(len(manifest), len(piece_map), part)

    def _on_get_piece(self, connection: PeerConnection, message: GetPiece) -> Later:
        holding = self.holding(connection, message.content)
        if holding is None:
            raise RefusedError(ErrorCode.NOT_FOUND, "this content is not shared here, or not any more")
        if message.index >= holding.space.count:
            raise RefusedError(ErrorCode.BAD_REQUEST, f"piece {message.index} of {holding.space.count}")
        return self._uploads.ask(connection, message.content, message.index)

    def _on_cancel(self, connection: PeerConnection, message: CancelPieces) -> None:
        self._uploads.cancel(connection, message.content, set(message.indices))

    # --- where the pieces come from -----------------------------------------------------------------------------

    def holding(self, connection: PeerConnection, content: bytes) -> Holding | None:
        """Return what a link asked for, if it may (still) have it."""
        holding = self._watches.holding(connection, content)
        return holding if holding is not None and self._may_have(connection.peer_id, holding.visibility) else None

    async def renew(self, connection: PeerConnection, content: bytes) -> Holding | None:
        """Look for a content again whose holding could not be read; None when there is no other."""
        holding = await self._find(connection, content)
        if holding is None or holding is self._watches.holding(connection, content):
            self._watches.forget(content, connection)
            return None
        self._watches.replace(connection, content, holding)
        return holding

    async def _find(self, connection: PeerConnection, content: bytes) -> Holding | None:
        for find in tuple(self.finders):
            holding = await find(content)
            if holding is not None and self._may_have(connection.peer_id, holding.visibility):
                return holding
        return None

    def _may_have(self, peer_id: PeerId, visibility: Visibility) -> bool:
        """Whoever knows the content id may have the content, unless it is for friends."""
        known = self.peer.table.get(peer_id)
        return visibility is not Visibility.FRIENDS or (known is not None and known.friend)

    def _look_round(self) -> None:
        self._watches.prune()
        self._uploads.prune()
        self._watches.tell_news()


def _parts(manifest: bytes, piece_map: bytes) -> Iterable[bytes]:
    """Cut both, one after the other, without a copy of the whole; one empty part when there is nothing."""
    for data in (manifest, piece_map):
        for start in range(0, len(data), MAX_PART_PAYLOAD):
            yield data[start : start + MAX_PART_PAYLOAD]
    if not manifest and not piece_map:
        yield b""
