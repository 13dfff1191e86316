import asyncio

import pytest

from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.lab.clock import run_virtual
from peerage.lab.world import SimNode, World, WorldPlan
from peerage.limits import LINK_IDLE, MAX_ANCHORS, MEET_INTERVAL, NEIGHBOURS_SPARE
from peerage.peer.membership import Membership
from peerage.peer.messages import MAX_CONTACTS, Join, Neighbour


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
        assert all(members.of[node.number].known > 8 for node in world.nodes)

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
        early, late = world.nodes
        world.partition([late])
        assert await members.of[early.number].join([late.address]) == 0
        world.heal()
        await pass_time(90)
        assert [each.peer_id for each in members.of[early.number].active()] == [late.peer.peer_id]

    in_world(2, story)


def test_table_poisoning_by_hearsay_displaces_nobody_and_is_not_passed_on() -> None:
    async def story(world: World, members: Members) -> None:
        one, other = world.nodes
        await world.link(one, other)
        for number in range(5000):
            stranger = PeerKey.from_seed(number.to_bytes(32, "big")).peer_id
            members.of[one.number].heard_of(stranger, Address("203.0.113.9", 1 + number))
        assert one.peer.get_peer(other.peer.peer_id).proved
        assert one.peer.number_of_peers() <= one.peer.limits.known_peers
        joined = await other.peer.connection_to(one.peer.peer_id).request(Join())
        assert joined.peers == ()  # the asker itself is the only one that was met

    in_world(2, story, wanted=1)


def test_what_is_told_is_bounded_and_was_met() -> None:
    async def story(world: World, members: Members) -> None:
        centre, *others = world.nodes
        for node in others:
            await world.link(node, centre)
        joined = await others[0].peer.connection_to(centre.peer.peer_id).request(Join())
        assert 0 < len(joined.peers) <= MAX_CONTACTS
        met = {node.peer.peer_id for node in others}
        assert {each.peer_id for each in joined.peers} <= met - {others[0].peer.peer_id}

    in_world(30, story)


def test_a_banned_peer_is_neither_dialled_nor_told_nor_a_neighbour() -> None:
    async def story(world: World, members: Members) -> None:
        one, other, third = world.nodes
        one.peer.table.met(other.peer.peer_id, (other.address,), one.peer.clock.time())
        one.peer.table.update(other.peer.peer_id, banned=True)
        await world.link(third, one)
        joined = await third.peer.connection_to(one.peer.peer_id).request(Join())
        assert joined.peers == ()
        await pass_time(4 * MEET_INTERVAL)
        assert one.peer.connection_to(other.peer.peer_id) is None
        assert [each.peer_id for each in members.of[one.number].active()] == [third.peer.peer_id]

    in_world(3, story)


def test_neighbours_are_neighbours_on_both_sides_and_held() -> None:
    async def story(world: World, members: Members) -> None:
        first, *others = world.nodes
        for node in others:
            await members.of[node.number].join([first.address])
        await pass_time(10 * LINK_IDLE)
        of = {node.peer.peer_id: {each.peer_id for each in members.of[node.number].active()} for node in world.nodes}
        for peer_id, neighbours in of.items():
            assert 4 <= len(neighbours) <= 4 + NEIGHBOURS_SPARE
            assert all(peer_id in of[each] for each in neighbours)
        links = sum(len(node.peer.connections()) for node in world.nodes)
        assert links <= len(world.nodes) * (4 + NEIGHBOURS_SPARE)  # nothing idle is left

    in_world(20, story)


def test_a_link_of_the_user_becomes_a_neighbour_where_neighbours_are_missing() -> None:
    async def story(world: World, members: Members) -> None:
        one, other = world.nodes
        connection = await world.link(one, other)
        await pass_time(1)
        assert members.of[one.number].active() == [connection]
        assert [each.peer_id for each in members.of[other.number].active()] == [one.peer.peer_id]

    in_world(2, story)


def test_a_small_network_is_a_full_mesh() -> None:
    async def story(world: World, members: Members) -> None:
        first, *others = world.nodes
        for node in others:
            await members.of[node.number].join([first.address])
        await pass_time(8 * MEET_INTERVAL)
        assert all(len(members.of[node.number].active()) == 4 for node in world.nodes)

    in_world(5, story)


def test_who_is_refused_gives_up_the_link_it_made_for_that() -> None:
    async def story(world: World, members: Members) -> None:
        full, one, other, third = world.nodes
        await members.of[one.number].join([full.address])
        await members.of[other.number].join([third.address])
        await pass_time(1)
        members.of[full.number].wanted = 0
        members.of[third.number].heard_of(full.peer.peer_id, full.address)
        await pass_time(1)
        assert full.peer.peer_id in third.peer.peer_ids()
        assert third.peer.get_peer(full.peer.peer_id).links == 1
        assert third.peer.connection_to(full.peer.peer_id) is None
        connection = await third.peer.connect(full.address)
        assert not (await connection.request(Neighbour(urgent=False))).accepted

    in_world(4, story)


def test_more_or_fewer_neighbours_can_be_wanted_at_any_time() -> None:
    async def story(world: World, members: Members) -> None:
        first, *others = world.nodes
        for node in others:
            await members.of[node.number].join([first.address])
        await pass_time(4 * MEET_INTERVAL)
        members.of[first.number].wanted = 8
        await pass_time(8 * MEET_INTERVAL)
        assert len(members.of[first.number].active()) >= 8

    in_world(16, story)


def test_an_offline_node_forgets_nobody_and_is_back_within_minutes() -> None:
    async def story(world: World, members: Members) -> None:
        first, *others = world.nodes
        for node in others:
            await members.of[node.number].join([first.address])
        for node in world.nodes:
            node.peer.start_pings()
        await pass_time(4 * MEET_INTERVAL)
        away = others[-1]
        known = {each.peer_id for each in away.peer.table}
        world.partition([away])
        await pass_time(2 * 3600)
        assert not members.of[away.number].active()
        assert {each.peer_id for each in away.peer.table} >= known
        world.heal()
        await pass_time(600)
        assert len(members.of[away.number].active()) >= 3

    in_world(10, story)


def test_unmounting_holds_nothing_any_more() -> None:
    async def story(world: World, members: Members) -> None:
        one, other = world.nodes
        await members.of[one.number].join([other.address])
        await pass_time(1)
        assert one.peer.is_held(other.peer.peer_id)
        await one.peer.unmount(members.of[one.number])
        assert not one.peer.is_held(other.peer.peer_id)

    in_world(2, story)


def test_a_peer_that_does_not_answer_is_tried_more_and_more_seldom() -> None:
    async def story(world: World, members: Members) -> None:
        (one,) = world.nodes
        gone = PeerKey.from_seed(bytes(32)).peer_id
        one.peer.table.met(gone, (Address("n99", 7411),), one.peer.clock.time())
        tried = []
        connect = one.peer.connect

        async def counted(address, *rest):
            tried.append(one.peer.clock.time())
            return await connect(address, *rest)

        one.peer.connect = counted
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
