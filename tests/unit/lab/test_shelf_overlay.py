"""A simulated node's own shelf as an overlay."""

import asyncio
import random

from peerage.identity.keys import PeerKey
from peerage.lab.holdings import Holdings, Stock
from peerage.lab.shelf import HeldShelf, Library
from peerage.lab.shelf_overlay import ShelfOverlay
from peerage.overlay.base import LocateRequest, SearchRequest


def make():
    holdings = Holdings(random.Random(5), 40, Stock())
    items = next(items for items in holdings.seats if items)
    key = PeerKey.from_seed(bytes(32))
    return ShelfOverlay(HeldShelf(Library(holdings.items), items, key)), items, key


def test_what_is_on_the_shelf_is_found_at_no_cost():
    overlay, items, key = make()

    async def main():
        async with overlay.search(SearchRequest(text=" ".join(items[0].words), wanted=5)) as search:
            hits = [hit async for hit in search]
        assert items[0].content in {hit.record.content for hit in hits}
        assert {(hit.holder.peer_id, hit.hops) for hit in hits} == {(key.peer_id, 0)}
        assert search.cost.peers_asked == 0
        assert search.cost.found == len(hits)

    asyncio.run(main())


def test_nothing_else_is_found_and_no_holders_are_named():
    overlay, items, _ = make()

    async def main():
        async with overlay.search(SearchRequest(text="zzzzqqq", wanted=5)) as search:
            assert [hit async for hit in search] == []
        async with overlay.locate(LocateRequest(content_id=items[0].content)) as located:
            assert [holder async for holder in located] == []

    asyncio.run(main())
