"""The own catalogue as an overlay."""

import pytest
from overlay_world import MemoryWorld, content_of, record

from peerage.errors import QueryError
from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.overlay.base import LocateRequest, SearchRequest
from peerage.overlay.flood import FloodOverlay
from peerage.overlay.planner import LocalCatalogue

OTHER, BANNED = (PeerKey.from_seed(bytes([number]) * 32) for number in (71, 72))
PLACE = Address("192.0.2.1", 7411)


class World(MemoryWorld):
    """One node whose overlay is its catalogue."""

    async def lone(self):
        node = await self.add()
        local = LocalCatalogue(node.database)
        await node.peer.mount(local)
        for key in (OTHER, BANNED):
            node.peer.table.hear_of(key.peer_id, (PLACE,))
            await node.database.add([record(key, "Blue Train.flac", content="train")])
        node.peer.table.update(BANNED.peer_id, banned=True)
        await node.share("Blue Note.flac")
        await node.share("my Blue Train.flac", content="train")
        return node, local


def run(main):

    World.run(FloodOverlay, main)


def test_what_is_stored_is_found_without_asking_anybody():
    async def main(world):
        node, local = await world.lone()
        async with local.search(SearchRequest(text="blue")) as search:
            hits = {hit.record.name: hit async for hit in search}
        assert set(hits) == {"Blue Train.flac", "Blue Note.flac", "my Blue Train.flac"}
        assert hits["Blue Train.flac"].holder.addresses == (PLACE,)
        assert {hit.record.peer_id for hit in hits.values()} == {node.peer.peer_id, OTHER.peer_id}
        assert all(hit.hops == 0 for hit in hits.values())
        assert (search.cost.messages_sent, search.cost.peers_asked, search.cost.found) == (0, 0, 3)

    run(main)


def test_holders_are_the_others():
    async def main(world):
        _, local = await world.lone()
        async with local.locate(LocateRequest(content_id=content_of("train"))) as search:
            assert [holder.peer_id async for holder in search] == [OTHER.peer_id]

    run(main)


def test_no_more_than_wanted_and_nothing_that_cannot_be_parsed():
    async def main(world):
        _, local = await world.lone()
        async with local.search(SearchRequest(text="blue", wanted=1)) as search:
            assert len([hit async for hit in search]) == 1
        with pytest.raises(QueryError):
            local.search(SearchRequest(text='"open'))

    run(main)
