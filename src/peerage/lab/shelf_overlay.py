"""A simulated node's own shelf as the cheapest overlay, in the place of overlay.planner's LocalCatalogue.

Invariant: it asks nobody and costs nothing; this node's own records are among the hits, zero hops away. What a node has
learned of others is not in it: simulated nodes have no database.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from peerage.catalogue.query import Query
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Record
from peerage.lab.shelf import HeldShelf
from peerage.overlay.base import Cost, Hit, Holder, LocateRequest, Overlay, Search, SearchRequest


class ShelfOverlay(Overlay):
    """Searches a shelf; nothing is published, and a node does not ask where its own contents are."""

    name = "local"

    def __init__(self, shelf: HeldShelf) -> None:
        self._shelf = shelf

    async def publish(self, records: Sequence[Record]) -> None:
        """Nothing to do."""

    async def withdraw(self, records: Sequence[Record]) -> None:
        """Nothing to do."""

    def search(self, request: SearchRequest) -> Search[Hit]:
        """Search this node's own records."""
        query, cost = parse(request.text), Cost()
        return Search(self._hits(query, request.wanted, cost), cost)

    def locate(self, request: LocateRequest) -> Search[Holder]:  # noqa: ARG002 -- the interface
        """Name nobody."""
        return Search(_nobody(), Cost())

    async def _hits(self, query: Query, wanted: int, cost: Cost) -> AsyncGenerator[Hit, None]:
        for record in self._shelf.find_now(query, wanted):
            cost.note_found(0, 0.0)
            yield Hit(record, Holder(record.peer_id, ()), 0)


async def _nobody() -> AsyncGenerator[Holder, None]:
    nobody: tuple[Holder, ...] = ()
    for holder in nobody:
        yield holder
