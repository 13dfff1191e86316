"""What an overlay needs to know of this node's own shares, and the catalogue as the one who knows it.

Invariant: a shelf tells only of what this node itself has; who may hear of it is decided by the overlay that asks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

from peerage.catalogue.database import Database
from peerage.catalogue.query import Query
from peerage.catalogue.record import Record, Visibility
from peerage.catalogue.record_finder import Audience
from peerage.identity.keys import PeerId


class Shelf(Protocol):
    """This node's own shares. Its methods raise StoreError when the disk fails."""

    async def find(self, query: Query, limit: int, audience: Audience) -> Sequence[Record]:
        """Return at most `limit` of this node's records that answer the query and that `audience` may see."""

    async def visibility(self, content_id: bytes) -> Visibility | None:
        """Return who may be told that this node has a content, whole or in part; None when it has not.

        LINK means whoever knows its id, as it does in a content link.
        """

    def fetching(self) -> Iterable[bytes]:
        """Return the ids of contents that this node has in part and serves as far as it has them."""


@runtime_checkable
class ListedShelf(Shelf, Protocol):
    """A shelf that can also be gone through; only of such a one can neighbours be told in advance what is on it."""

    def own(self) -> AsyncIterator[Sequence[Record]]:
        """Go through all of this node's records, in pages."""


class CatalogueShelf:
    """The shelf of a node: its records are in the database; `fetching` lists the downloads that are served."""

    def __init__(
        self,
        database: Database,
        owner: PeerId,  # noqa: ARG002 -- whose database it is, for the reader
        fetching: Callable[[], Iterable[bytes]] = tuple,
    ) -> None:
        self._database = database
        self._fetching = fetching

    async def find(self, query: Query, limit: int, audience: Audience) -> Sequence[Record]:
        """Search this node's own records."""
        return await self._database.search(query, limit, audience, own=True)

    async def visibility(self, content_id: bytes) -> Visibility | None:
        """Look in the own records, then in the downloads."""
        if own := await self._database.own_by_content(content_id):
            return min(record.visibility for record in own)
        return Visibility.LINK if content_id in self._fetching() else None

    def own(self) -> AsyncIterator[Sequence[Record]]:
        """Go through this node's own records."""
        return self._database.own()

    def fetching(self) -> Iterable[bytes]:
        """Return what is being downloaded."""
        return self._fetching()
