"""A feature that is mounted on a peer, and taken off again, in one step.

Invariant: what a service brings (handlers, router, stabilizers) is on the peer exactly between `mount` and `unmount`. A
service overrides what it needs; it never reaches into the peer's tables itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from peerage.peer.handlers import Handler
from peerage.peer.routers import Router
from peerage.peer.stabilizers import Stabilizer
from peerage.wire.message import Message

if TYPE_CHECKING:
    from peerage.peer.connection import PeerConnection
    from peerage.peer.peer import Peer


class Service:
    """The base of every feature; `peer` is set while it is mounted."""

    name: str = "service"
    peer: Peer

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Return the message types that this feature answers, each with its handler."""
        return ()

    def router(self) -> Router | None:
        """Return this feature's router, if it has one."""
        return None

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Return the periodic work of this feature."""
        return ()

    async def start(self) -> None:
        """Called when handlers and router are in place, before the stabilizers begin."""

    async def stop(self) -> None:
        """Called when its stabilizers have ended, before router and handlers are taken off."""

    def peer_connected(self, connection: PeerConnection) -> None:
        """A talk link came up."""

    def peer_disconnected(self, connection: PeerConnection) -> None:
        """A talk link ended."""
