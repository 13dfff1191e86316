"""The node's own catalogue as the cheapest overlay: what it shares itself, and what it has learned of others.

Invariant: it asks nobody and costs nothing. Unlike in all others, this node's own records are among the hits, zero hops
away. What is stored was checked when it was stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from peerage.catalogue.database import Database
from peerage.catalogue.query import Query
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Record
from peerage.identity.keys import PeerId
from peerage.limits import MAX_SEARCH_HITS
from peerage.overlay.base import Cost, Hit, Holder, LocateRequest, Overlay, Search, SearchRequest

_BANNED_SHARE: Final = 2  # records looked at for each that is wanted: some may be of peers that are banned by now


class LocalCatalogue(Overlay):
    """Searches and locates in a database; nothing is published, for the library keeps it up to date."""

    name = "local"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def publish(self, records: Sequence[Record]) -> None:
        """Nothing to do."""

    async def withdraw(self, records: Sequence[Record]) -> None:
        """Nothing to do."""

    def search(self, request: SearchRequest) -> Search[Hit]:
        """Search the catalogue, this node's own records included."""
        query, cost = parse(request.text), Cost()
        return Search(self._hits(query, request.wanted, cost), cost)

    def locate(self, request: LocateRequest) -> Search[Holder]:
        """Name those others whose records about the content are stored."""
        cost = Cost()
        return Search(self._holders(request, cost), cost)

    async def _hits(self, query: Query, wanted: int, cost: Cost) -> AsyncGenerator[Hit, None]:
        began = self._now()
        looked_at = min(_BANNED_SHARE * wanted, MAX_SEARCH_HITS)
        for record in await self._database.search(query, looked_at):
            if cost.found < wanted and not self._is_banned(record.peer_id):
                cost.note_found(0, self._now() - began)
                yield Hit(record, self._holder(record.peer_id), 0)
        cost.seconds = self._now() - began

    async def _holders(self, request: LocateRequest, cost: Cost) -> AsyncGenerator[Holder, None]:
        began = self._now()
        records = await self._database.by_content(request.content_id)
        holders = dict.fromkeys(record.peer_id for record in records)
        for peer_id in [each for each in holders if each != self.peer.peer_id and not self._is_banned(each)]:
            if cost.found < request.wanted:
                cost.note_found(0, self._now() - began)
                yield self._holder(peer_id)
        cost.seconds = self._now() - began

    def _holder(self, peer_id: PeerId) -> Holder:
        known = self.peer.table.get(peer_id)
        return Holder(peer_id, known.addresses if known is not None else ())

    def _is_banned(self, peer_id: PeerId) -> bool:
        known = self.peer.table.get(peer_id)
        return known is not None and known.banned

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
