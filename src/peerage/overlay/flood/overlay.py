"""Second generation, Gnutella: every node asks its neighbours, who ask theirs, and answers for its own shelf.

Invariant: link-only records are never told, friends' records only to a neighbour that is a friend, who shows but does
not relay them. How questions travel is the engine's business (engine.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from peerage.catalogue.record import Record
from peerage.overlay.base import Hit, Holder, LocateRequest, Overlay, Search, SearchRequest
from peerage.overlay.flood.answering import ShelfAnswerer
from peerage.overlay.flood.engine import Flooding
from peerage.overlay.flood.sending import Links
from peerage.overlay.flood.state import FloodRules
from peerage.overlay.shelf import Shelf
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.peer.stabilizers import Stabilizer
from peerage.wire.message import Message


class FloodOverlay(Overlay):
    """Flooding with dynamic querying and keyword tables, over `links` (None: every talk link), for one shelf."""

    name = "flood"

    def __init__(self, shelf: Shelf, rules: FloodRules | None = None, links: Links | None = None) -> None:
        self._rules = rules or FloodRules()
        self._answerer = ShelfAnswerer(shelf)
        self._engine = Flooding(self._answerer, self._rules, links)

    async def publish(self, records: Sequence[Record]) -> None:
        """Note what can be found; neighbours are told of it soon, in a table of hashed words."""
        self._answerer.add(records)
        self._engine.look()

    async def withdraw(self, records: Sequence[Record]) -> None:
        """Note that a table says too much; the shelf is asked before each answer."""
        self._answerer.remove(len(records))
        self._engine.look()

    def search(self, request: SearchRequest) -> Search[Hit]:
        """Flood a query."""
        return self._engine.search(request)

    def locate(self, request: LocateRequest) -> Search[Holder]:
        """Flood the locator of a content id."""
        return self._engine.locate(request)

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Return the engine's."""
        return self._engine.handlers()

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Look now and then for what nobody tells of: downloads that have begun, friends, links of a mesh."""
        return (Stabilizer(self.look, self._rules.table_interval),) if self._rules.table_depth else ()

    def look(self) -> None:
        """Who is a friend has changed, say: neighbours are told soon of what is there for them."""
        self._engine.look()

    async def start(self) -> None:
        """Begin."""
        self._answerer.peer = self.peer
        self._engine.apart = self.peer.apart
        await self._engine.start(self.peer)

    async def stop(self) -> None:
        """End the answers and searches under way."""
        await self._engine.stop()

    def peer_connected(self, connection: PeerConnection) -> None:
        """Tell the engine."""
        self._engine.link_up(connection)

    def peer_disconnected(self, connection: PeerConnection) -> None:
        """Tell the engine."""
        self._engine.link_down(connection)
