"""How a client of 2001 kept its neighbours: from a host cache, a list of addresses that somebody had put on a page.

A new client dials a few addresses of the list, and again when links are lost; nobody looks after the shape of the
network. Invariant: never more than `wanted` links are sought by this side; others may dial more. The network that comes
of it has islands when the list is bad, which is what later generations mended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from peerage.errors import PeerageError
from peerage.identity.address import Address
from peerage.peer.connection import PeerConnection
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer

_INTERVAL: Final = 15.0  # seconds between two looks at the links


class HostCache(Service):
    """Dials addresses of a fixed list until `wanted` of them are linked; who dials here comes on top."""

    name = "host-cache"

    def __init__(self, wanted: int, *, redials: bool = True) -> None:
        self._wanted = wanted
        self._redials = redials
        self._listed: tuple[Address, ...] = ()

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Look after the links, if this client does."""
        return (Stabilizer(self._look, _INTERVAL),) if self._redials else ()

    def peer_disconnected(self, connection: PeerConnection) -> None:
        """Let go of it."""
        self.peer.release(connection.peer_id, self.name)

    async def join(self, addresses: Sequence[Address]) -> None:
        """Take the list and dial."""
        self._listed = tuple(addresses)
        await self._look()

    async def _look(self) -> None:
        if self._missing() <= 0 or not self._listed:
            return
        for address in self.peer.rng.sample(self._listed, len(self._listed)):
            try:
                connection = await self.peer.connect(address)
            except PeerageError:
                continue  # dead, full or this node itself
            if connection.outgoing:
                self.peer.hold(connection.peer_id, self.name)
            if self._missing() <= 0:
                return

    def _missing(self) -> int:
        return self._wanted - sum(connection.outgoing for connection in self.peer.neighbours())
