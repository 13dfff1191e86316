"""Nodes with everything that sharing takes, the real parts of it, on real files."""

from __future__ import annotations

from pathlib import Path

from peerage.app.fetching import Locator
from peerage.app.overlays import links_of
from peerage.catalogue.database import Database
from peerage.catalogue.library import Library
from peerage.catalogue.query_parser import parse
from peerage.content.download import Download, Wanted
from peerage.content.exchange import ContentExchange
from peerage.content.hasher import ManifestHasher
from peerage.content.holding import LibraryHoldings
from peerage.content.reader import SharedFiles
from peerage.content.source import Source
from peerage.content.transfers import Transfers
from peerage.lab.clock import InlineExecutor
from peerage.lab.world import SimNode
from peerage.limits import SEARCH_TTL
from peerage.overlay.base import SearchRequest
from peerage.overlay.flood import FloodOverlay
from peerage.overlay.hits import HitMerger, MergedHit
from peerage.overlay.planner import LocalCatalogue, Planner
from peerage.overlay.shelf import CatalogueShelf
from peerage.peer.membership import Membership

NEIGHBOURS = 6  # that a node keeps up


class Sharer:
    """What one node shares, finds and fetches."""

    def __init__(self, node: SimNode, folder: Path, database: Database) -> None:
        self.node = node
        self.peer = node.peer
        self.folder = folder
        self.database = database
        self.reader = SharedFiles()
        self.library = Library(database, self.peer.key, ManifestHasher(), self.peer.clock, InlineExecutor())
        self.exchange = ContentExchange([LibraryHoldings(self.library, self.reader).find])
        self.membership = Membership(NEIGHBOURS)
        shelf = CatalogueShelf(database, self.peer.peer_id, self._fetching)
        self.flood = FloodOverlay(shelf, links=links_of(self.peer, self.membership))
        self.local = LocalCatalogue(database)
        locator = Locator(self.peer, Planner((self.local, self.flood)))
        self.transfers = Transfers(self.exchange, folder / "transfers", locator)

    @classmethod
    async def equip(cls, node: SimNode, folder: Path) -> Sharer:
        """Put it all on a node."""
        folder.mkdir()
        database = await Database.open(None, node.peer.peer_id, InlineExecutor())
        node.stack.push_async_callback(database.close)
        sharer = cls(node, folder, database)
        node.stack.callback(sharer.reader.close)
        for service in (sharer.membership, sharer.exchange, sharer.local, sharer.flood, sharer.transfers):
            await node.peer.mount(service)
        return sharer

    async def share(self, name: str, data: bytes) -> None:
        """Share a file of this content."""
        path = self.folder / name
        path.write_bytes(data)
        await self.library.share(path)
        async for page in self.database.own():
            await self.flood.publish(page)

    async def search(self, text: str, ttl: int = SEARCH_TTL) -> list[MergedHit]:
        """Ask the network; returns merged hits, the best first."""
        request = SearchRequest(text=text, deadline=6.0, ttl=ttl)
        search = self.flood.search(request)
        merger = HitMerger(parse(text))
        async for hit in search:
            merger.add(hit)
        return merger.ranked()

    async def fetch(self, hit: MergedHit) -> Download:
        """Begin to download a hit."""
        sources = [Source(holder.peer_id, holder.addresses) for holder in hit.holders]
        wanted = Wanted(content=hit.content, target=self.folder / "got" / hit.name, size=hit.size)
        wanted.target.parent.mkdir(exist_ok=True)
        return await self.transfers.add(wanted, sources)

    def _fetching(self) -> list[bytes]:
        listed = (download.content_id for download in self.transfers.all())
        return [content for content in listed if self.transfers.holds(content)]
