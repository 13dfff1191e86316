import asyncio

import pytest

from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.lab.clock import run_virtual
from peerage.lab.world import SimNode, World, WorldPlan
from peerage.limits import MAX_ANCHORS, MEET_INTERVAL
from peerage.peer.membership import Membership
from peerage.peer.messages import MAX_LISTED_PEERS, ListPeers


class Members:
    """A world in which every node has a membership."""

    def __init__(self, wanted: int = 4) -> None:
        self.wanted = wanted
        self.of: dict[int, Membership] = {}

    async def equip(self, node: SimNode) -> None:
        service = self.of[node.number] = Membership(self.wanted)
        await node.peer.mount(service)


async def pass_time(seconds: float) -> None:

    await asyncio.sleep(seconds)


def in_world(peers: int, story, wanted: int = 4, seed: int = 7) -> None:
    async def main(rng) -> None:
        members = Members(wanted)
        async with World(rng, WorldPlan(peers=peers), members.equip) as world:
            await story(world, members)

    run_virtual(main, seed)


def test_one_address_is_enough_to_meet_everybody() -> None:
    async def story(world: World, members: Members) -> None:
        first, *others = world.nodes
        for node in others:
            await members.of[node.number].join([first.address])
        await pass_time(20 * MEET_INTERVAL)
        for node in world.nodes:
            assert len(node.peer.neighbours()) >= 4
        assert all(node.peer.number_of_peers() > 4 for node in world.nodes)

    in_world(12, story)


def test_remembered_peers_are_dialled_without_an_address() -> None:
    async def story(world: World, members: Members) -> None:
        one, other = world.nodes
        one.peer.table.met(other.peer.peer_id, (other.address,), one.peer.clock.time())
        await pass_time(2 * MEET_INTERVAL)
        assert one.peer.connection_to(other.peer.peer_id) is not None

    in_world(2, story)


def test_an_anchor_that_comes_up_later_is_found() -> None:
    async def story(world: World, members: Members) -> None:
        (early,) = world.nodes
        nowhere = Address("n1", 7411)
        assert await members.of[early.number].join([nowhere]) == 0
        late = await world.add()
        members.of[early.number]._anchors = {late.address: None}
        await pass_time(2 * MEET_INTERVAL)
        assert early.peer.connection_to(late.peer.peer_id) is not None

    in_world(1, story)


def test_table_poisoning_by_hearsay_displaces_nobody_and_is_not_passed_on() -> None:
    async def story(world: World, members: Members) -> None:
        one, other = world.nodes
        await world.link(one, other)
        for number in range(5000):
            one.peer.add_peer(PeerKey.from_seed(number.to_bytes(32, "big")).peer_id, Address("203.0.113.9", 1 + number))
        assert one.peer.get_peer(other.peer.peer_id).proved
        assert one.peer.number_of_peers() <= one.peer.limits.known_peers
        listed = await other.peer.connection_to(one.peer.peer_id).request(ListPeers())
        assert listed.peers == ()  # the asker itself is the only one that was met

    in_world(2, story, wanted=1)


def test_what_is_told_is_bounded_and_was_met() -> None:
    async def story(world: World, members: Members) -> None:
        centre, *others = world.nodes
        for node in others:
            await world.link(node, centre)
        for node in others:
            centre.peer.table.met(node.peer.peer_id, (node.address,), centre.peer.clock.time())
        listed = await others[0].peer.connection_to(centre.peer.peer_id).request(ListPeers())
        assert len(listed.peers) == MAX_LISTED_PEERS
        met = {node.peer.peer_id for node in others}
        assert {each.peer_id for each in listed.peers} <= met - {others[0].peer.peer_id}

    in_world(30, story, wanted=0)


def test_a_banned_peer_is_neither_dialled_nor_told() -> None:
    async def story(world: World, members: Members) -> None:
        one, other, third = world.nodes
        one.peer.table.met(other.peer.peer_id, (other.address,), one.peer.clock.time())
        one.peer.table.update(other.peer.peer_id, banned=True)
        await world.link(third, one)
        listed = await third.peer.connection_to(one.peer.peer_id).request(ListPeers())
        assert listed.peers == ()
        await pass_time(4 * MEET_INTERVAL)
        assert one.peer.connection_to(other.peer.peer_id) is None

    in_world(3, story)


def test_a_peer_that_does_not_answer_is_tried_more_and_more_seldom() -> None:
    async def story(world: World, members: Members) -> None:
        (one,) = world.nodes
        gone = PeerKey.from_seed(bytes(32)).peer_id
        one.peer.table.met(gone, (Address("n99", 7411),), one.peer.clock.time())
        tried = []
        connect_to = one.peer.connect_to

        async def counted(peer_id, *rest):
            tried.append(one.peer.clock.time())
            return await connect_to(peer_id, *rest)

        one.peer.connect_to = counted
        await pass_time(40 * MEET_INTERVAL)
        pauses = [later - earlier for earlier, later in zip(tried, tried[1:], strict=False)]
        assert 2 <= len(tried) <= 8
        assert pauses == sorted(pauses)

    in_world(1, story)


def test_anchors_are_bounded() -> None:
    async def story(world: World, members: Members) -> None:
        (one,) = world.nodes
        await members.of[one.number].join([Address("n50", port) for port in range(1, 3 * MAX_ANCHORS)])
        assert len(members.of[one.number]._anchors) == MAX_ANCHORS

    in_world(1, story)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    def run() -> str:
        found = []

        async def story(world: World, members: Members) -> None:
            first, *others = world.nodes
            for node in others:
                await members.of[node.number].join([first.address])
            await pass_time(5 * MEET_INTERVAL)
            found.append(world.trace.digest())

        in_world(6, story, seed=seed)
        return found[0]

    assert run() == run()
