"""Whether strangers can dial a node: by others that dial back, and never by knocking at a third party."""

import asyncio

import msgspec
import pytest
from peer_world import PORT, World, virtual

from peerage.errors import LimitError
from peerage.identity.address import Address
from peerage.limits import DEFAULT, DIAL_BACK_PAUSE, REACH_CURRENT, REACH_INTERVAL
from peerage.peer.messages import DialBack, LinkKind
from peerage.peer.peer import Peer
from peerage.peer.reach_evidence import Evidence
from peerage.peer.reachability import Reachability


async def node(world: World, host: str, *, listening: bool = True) -> tuple[Peer, Reachability]:
    peer = await world.peer(host) if listening else world.silent_peer(host)
    reachability = Reachability()
    await peer.mount(reachability)
    return peer, reachability


async def helpers(world: World, *hosts: str) -> list[Peer]:
    return [(await node(world, host))[0] for host in hosts]


@virtual
async def test_a_node_that_can_be_dialled_learns_that_from_two_subnets(world: World):
    peer, reachability = await node(world, "20.0.0.1")
    one, other = await helpers(world, "20.1.0.1", "20.2.0.1")
    await peer.connect(one.addresses[0])
    await asyncio.sleep(1)
    assert reachability.reachable is True  # all its neighbours are in one subnet
    await peer.connect(other.addresses[0])
    reachability.addresses_changed()
    assert reachability.reachable is None
    await asyncio.sleep(DIAL_BACK_PAUSE + REACH_INTERVAL)
    await asyncio.sleep(DIAL_BACK_PAUSE + REACH_INTERVAL)
    assert reachability.reachable is True


@virtual
async def test_a_node_behind_a_nat_learns_that_it_cannot_be_dialled(world: World):
    peer, reachability = await node(world, "20.0.0.1")
    world.network.find("20.0.0.1").reachable = False
    told: list[bool | None] = []
    reachability.subscribe(told.append)
    for helper in await helpers(world, "20.1.0.1", "20.2.0.1"):
        await peer.connect(helper.addresses[0])
        peer.hold(helper.peer_id, "test")
    await asyncio.sleep(2 * REACH_INTERVAL)
    assert reachability.reachable is False
    assert told == [False]


@pytest.mark.parametrize("host", ["127.0.0.1", "192.168.7.1"])
@virtual
async def test_on_one_computer_and_on_a_local_network_one_peer_is_enough(world: World, host: str):
    peer, reachability = await node(world, host)
    (helper,) = await helpers(world, "192.168.7.2")
    await peer.connect(helper.addresses[0])
    await asyncio.sleep(1)
    assert reachability.reachable is True


@virtual
async def test_a_link_that_came_in_by_itself_is_proof_too(world: World):
    _peer, reachability = await node(world, "20.0.0.1")
    for host in ("20.1.0.1", "20.2.0.1"):
        await world.silent_peer(host).connect(Address("20.0.0.1", PORT))
    await asyncio.sleep(1)
    assert reachability.reachable is True


@virtual
async def test_a_node_that_listens_nowhere_asks_nobody(world: World):
    peer, reachability = await node(world, "20.0.0.1", listening=False)
    (helper,) = await helpers(world, "20.1.0.1")
    await peer.connect(helper.addresses[0])
    await asyncio.sleep(3 * REACH_INTERVAL)
    assert reachability.reachable is None
    assert helper.metrics.value("links", "out") == 0


@virtual
async def test_reflection_a_third_party_is_never_dialled(world: World):
    """The dialled host is that of the asker's own link; the port is all it can choose."""
    (helper,) = await helpers(world, "20.1.0.1")
    asker = world.silent_peer("20.0.0.1")
    connection = await asker.connect(helper.addresses[0])
    dialled: list[Address] = []
    connect = helper.connect

    async def noted(address, *rest):
        dialled.append(address)
        return await connect(address, *rest)

    helper.connect = noted
    assert not (await connection.request(DialBack(1, 80))).reached
    assert dialled == [Address("20.0.0.1", 80)]


@virtual
async def test_reflection_is_rare(world: World):
    (helper,) = await helpers(world, "20.1.0.1")
    connection = await (await world.peer("20.0.0.1")).connect(helper.addresses[0])
    assert (await connection.request(DialBack(1, PORT))).reached
    with pytest.raises(LimitError):
        await connection.request(DialBack(2, PORT))
    refused = 0
    for number in range(40):
        asker = await world.peer(f"20.9.{number}.1")
        try:
            await (await asker.connect(helper.addresses[0])).request(DialBack(3, PORT))
        except LimitError:
            refused += 1
    assert refused > 10
    assert helper.metrics.value("dial_backs_refused") == refused + 1


@virtual
async def test_somebody_else_at_the_same_address_is_no_proof(world: World):
    """Whoever answers there must have the asker's key."""
    (helper,) = await helpers(world, "20.1.0.1")
    await world.peer("20.0.0.1")
    impostor = world.silent_peer("20.0.0.1")
    connection = await impostor.connect(helper.addresses[0])
    assert not (await connection.request(DialBack(1, PORT))).reached


@virtual
async def test_the_link_that_was_dialled_back_does_not_stay(world: World):
    peer, _ = await node(world, "20.0.0.1")
    (helper,) = await helpers(world, "20.1.0.1")
    await peer.connect(helper.addresses[0])
    await asyncio.sleep(2)
    assert [each.kind for each in peer.connections()] == [LinkKind.TALK]


@virtual
async def test_a_full_peer_refuses_and_nothing_follows(world: World):
    peer, reachability = await node(world, "20.0.0.1")
    crowded = await world.peer("20.1.0.1", limits=msgspec.structs.replace(DEFAULT, tasks_per_link=0))
    await crowded.mount(Reachability())
    await peer.connect(crowded.addresses[0])
    await asyncio.sleep(1)
    assert reachability.reachable is None


def test_one_liar_decides_nothing_where_two_can_be_asked():
    evidence = Evidence()
    evidence.failed("a", 0.0)
    assert evidence.verdict(["a", "b"], 1.0) is None
    evidence.came_in("b", 1.0)
    assert evidence.verdict(["a", "b"], 1.0) is None
    evidence.came_in("c", 1.0)
    assert evidence.verdict(["a", "b"], 1.0) is True


def test_the_local_network_counts_only_where_there_is_nothing_else():
    evidence = Evidence()
    evidence.came_in("", 0.0)
    assert evidence.verdict([""], 1.0) is True
    assert evidence.verdict(["", "a"], 1.0) is None
    evidence.failed("a", 1.0)
    assert evidence.verdict(["", "a"], 1.0) is False


def test_what_is_old_counts_no_more():
    evidence = Evidence()
    evidence.came_in("a", 0.0)
    assert evidence.verdict(["a"], REACH_CURRENT - 1) is True
    assert evidence.verdict(["a"], REACH_CURRENT + 1) is None
