"""Browsing, as a person does it: the shares of a peer, named as people name peers, folder by folder.

Invariant: what is shown was signed by that peer; the first of it can be downloaded by number like the hits of a search.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from peerage.app import views
from peerage.app.api import models
from peerage.app.config import BrowseName
from peerage.app.neighbours import Neighbours
from peerage.app.recent import RecentHits
from peerage.catalogue.database import Database
from peerage.catalogue.record import Record
from peerage.catalogue.record_finder import Audience, Page
from peerage.errors import LocalError
from peerage.limits import MAX_RECORD_PATH, MAX_SEARCH_HITS
from peerage.overlay.browse import Browsing, Listing
from peerage.overlay.hits import KnownHolder, MergedHit
from peerage.peer.connection import PeerConnection
from peerage.peer.peer import Peer

ADMITS: Final[dict[BrowseName, Callable[[bool], bool]]] = {
    "everyone": lambda _friend: True,
    "friends": lambda friend: friend,
    "nobody": lambda _friend: False,
}
"""Who may look through this node's shares, by the word in the configuration."""


Shown = AsyncGenerator[models.HitFound | models.BrowseEnded, None]


class PeerShares:
    """The shares of other peers."""

    def __init__(self, peer: Peer, browsing: Browsing, neighbours: Neighbours, recent: RecentHits) -> None:
        self._peer = peer
        self._browsing = browsing
        self._neighbours = neighbours
        self._recent = recent

    def admit(self, whom: BrowseName) -> None:
        """Let these look through what this node shares, from now on."""
        self._browsing.admits = ADMITS[whom]

    async def look(self, said: str, path: str = "") -> Shown:
        """Show what a peer shares below a folder (names with "/" between them), and in the end how much it was.

        Raises LocalError for a peer that nobody knows, a LinkError when it cannot be reached; the iteration raises
        RefusedError when it does not want to be looked at.
        """
        folders = tuple(folder for folder in path.split("/") if folder)
        if len(folders) > MAX_RECORD_PATH:
            raise LocalError(f"a path has at most {MAX_RECORD_PATH} folders")
        connection = await self._neighbours.reach(said)
        return self._show(connection, self._browsing.look(connection, folders))

    async def _show(self, connection: PeerConnection, listing: Listing) -> Shown:
        began = asyncio.get_running_loop().time()
        hits, count = self._recent.begin(), 0
        async with aclosing(aiter(listing)) as found:
            async for record in found:
                count += 1
                hit = self._view(record, connection, count)
                if count <= MAX_SEARCH_HITS:
                    hits[count] = hit
                yield models.HitFound(hit=hit)
        await self._peer.in_thread(self._recent.save)
        seconds = asyncio.get_running_loop().time() - began
        yield models.BrowseEnded(entries=count, more=listing.more, refused=listing.refused, seconds=seconds)

    def _view(self, record: Record, connection: PeerConnection, number: int) -> models.Hit:
        known = self._peer.table.get(connection.peer_id)
        places = known.addresses if known is not None else ()
        holder = KnownHolder(connection.peer_id, places, record.name, 1)
        return views.hit_view(MergedHit(record=record, names=(record.name,), holders=(holder,), hops=1), number)


async def own_page(database: Database, after: int, audience: Audience, count: int) -> Page:
    """Return a page of what this node shares, for those who browse it."""
    return await database.read(lambda tables: tables.finder.own_after(after, audience, count))
