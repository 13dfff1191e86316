"""Peers that are there for one node only: linked and used, and known to nobody else."""

from __future__ import annotations

import pytest
from peer_world import World, virtual

from peerage.errors import LimitError, LocalError, RefusedError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.limits import MAX_APART
from peerage.peer.connection import PeerConnection
from peerage.peer.messages import LinkKind, Ping
from peerage.peer.peer import Peer
from peerage.peer.service import Service
from peerage.peer.table import PeerTable


class Listening(Service):
    name = "listening"

    def __init__(self) -> None:
        self.heard: list[str] = []

    def peer_connected(self, connection: PeerConnection) -> None:
        self.heard.append("up")

    def peer_disconnected(self, connection: PeerConnection) -> None:
        self.heard.append("down")


async def link_up(world: World) -> tuple[Peer, Peer, Listening]:
    node, apart = await world.peer("node"), await world.peer("apart")
    listening = Listening()
    await node.mount(listening)
    node.set_apart(apart.peer_id)
    await node.connect(apart.addresses[0], apart.peer_id)
    return node, apart, listening


@virtual
async def test_it_is_linked_and_answers_but_is_no_neighbour(world: World) -> None:
    node, apart, listening = await link_up(world)
    connection = node.connection_to(apart.peer_id)
    assert connection is not None
    await connection.request(Ping())
    assert node.apart() == [connection]
    assert node.neighbours() == []
    assert node.connections() == [connection]
    assert node.get_peer(apart.peer_id) is None
    assert await node.connect(apart.addresses[0]) is connection  # not a second one
    node.drop(apart.peer_id, LocalError("over"))
    assert node.apart() == []
    assert listening.heard == []


@virtual
async def test_another_peer_is_a_neighbour_as_ever(world: World) -> None:
    node, _, listening = await link_up(world)
    other = await world.peer("other")
    await node.connect(other.addresses[0])
    assert [each.peer_id for each in node.neighbours()] == [other.peer_id]
    assert listening.heard == ["up"]
    assert node.get_peer(other.peer_id) is not None


@virtual
async def test_it_is_told_when_the_node_stops(world: World) -> None:
    node, apart, _ = await link_up(world)
    await node.stop()
    assert apart.neighbours() == []


@virtual
async def test_a_peer_that_admits_one_only_turns_all_others_away(world: World) -> None:
    node, stranger, closed = await world.peer("node"), await world.peer("stranger"), await world.peer("closed")
    closed.admits = lambda peer_id: peer_id == node.peer_id
    for kind in LinkKind:
        with pytest.raises(RefusedError, match="there for others"):
            await stranger.connect(closed.addresses[0], kind=kind)
        assert (await node.connect(closed.addresses[0], kind=kind)).is_open
    assert closed.metrics.value("links_refused", "not-admitted") == 2
    with pytest.raises(RefusedError):
        await closed.connect(stranger.addresses[0], stranger.peer_id)


def test_the_table_forgets_it_and_never_knows_it_again() -> None:
    table = PeerTable(10, PeerId(bytes(32)))
    peer_id, places = PeerId(b"\1" * 32), (Address("127.0.0.1", 7411),)
    table.met(peer_id, places, 1.0)
    table.set_apart(peer_id)
    assert table.is_apart(peer_id)
    assert table.get(peer_id) is None
    assert not table.hear_of(peer_id, places)
    assert not table.met(peer_id, places, 2.0)
    table.credit(peer_id, bytes_from=1)
    table.failed(peer_id)
    with pytest.raises(LocalError, match="this node only"):
        table.update(peer_id, friend=True)
    assert len(table) == 0


def test_how_many_are_set_apart_is_bounded() -> None:
    table = PeerTable(10, PeerId(bytes(32)))
    for number in range(MAX_APART):
        table.set_apart(PeerId(number.to_bytes(32, "big")))
    table.set_apart(PeerId(bytes(32)))  # for the second time
    with pytest.raises(LimitError, match="set apart since the start"):
        table.set_apart(PeerId(b"\1" * 32))
