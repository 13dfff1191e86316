"""Peers that are there for one node only: its own questions reach them, nobody else's do, and nobody is told of them."""

from __future__ import annotations

import pytest
from overlay_world import MemoryWorld

from peerage.overlay.flood import FloodOverlay
from peerage.overlay.flood.state import FloodRules


async def node_with_one_apart(world):
    """Return a node, one that is there for it alone, and an ordinary neighbour behind which there is one more."""
    node, apart, neighbour, beyond = [await world.add() for _ in range(4)]
    node.peer.set_apart(apart.peer.peer_id)
    for one, other in ((node, apart), (node, neighbour), (neighbour, beyond)):
        await world.link(one, other)
    await apart.share("blue kite.txt")
    await beyond.share("blue boat.txt")
    await node.settled()
    return node, apart, neighbour


@pytest.mark.parametrize("rules", [FloodRules(), FloodRules.classic_2001()], ids=["today", "2001"])
def test_only_the_node_itself_finds_what_it_has(rules):
    async def main(world):
        node, apart, neighbour = await node_with_one_apart(world)
        hits = await node.search("blue", deadline=world.patience)
        assert {hit.record.name: hit.hops for hit in hits} == {"blue kite.txt": 1, "blue boat.txt": 2}
        (kite,) = [hit for hit in hits if hit.record.name == "blue kite.txt"]
        assert kite.holder.addresses == (apart.address,)
        (holder,) = await node.locate(kite.record.content, deadline=world.patience)
        assert holder.peer_id == apart.peer.peer_id
        asked = apart.metric("flood_questions")
        assert [hit.record.name for hit in await neighbour.search("blue", deadline=world.patience)] == ["blue boat.txt"]
        assert await neighbour.locate(kite.record.content, deadline=world.patience) == []
        assert apart.metric("flood_questions") == asked

    MemoryWorld.run(lambda shelf: FloodOverlay(shelf, rules), main)


def test_it_can_ask_nobody_and_its_words_are_told_to_nobody():
    async def main(world):
        node, apart, neighbour = await node_with_one_apart(world)
        assert await apart.search("blue", deadline=world.patience) == []
        assert node.metric("flood_dropped", "no-link") > 0
        assert node.metric("flood_tables") == neighbour.metric("flood_tables") // 2  # of two neighbours, and of one
        assert neighbour.metric("flood_tables") > 0

    MemoryWorld.run(lambda shelf: FloodOverlay(shelf, FloodRules()), main)
