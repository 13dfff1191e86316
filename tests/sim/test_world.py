"""Many real peers in virtual time: what holds for ten must hold for a thousand, and each run must be like the last."""

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from peerage.errors import LinkError, LocalError, RequestTimeoutError
from peerage.lab.clock import run_virtual
from peerage.lab.world import SimNode, World, WorldPlan
from peerage.limits import DEFAULT, PING_TIMEOUT
from peerage.peer.messages import Ping, Pong
from peerage.peer.stabilizers import Stabilizer


async def ping_all(world: World) -> None:
    """Let every node check its neighbours at once."""
    async with asyncio.TaskGroup() as group:
        for node in world.nodes:
            group.create_task(node.peer.check_live_peers())


def neighbours(world: World) -> int:
    return sum(len(node.peer.neighbours()) for node in world.nodes)


async def busy_life(rng: random.Random) -> str:
    """A bit of everything; returns the trace."""
    async with World(rng, WorldPlan(peers=60, up=1e6, down=4e6, link_life=600.0)) as world:
        for node in world.nodes:
            node.peer.start_pings(20)
        await world.link_up(6)
        await world.churn(120, lifetime=300, degree=4)
        half = world.nodes[: len(world.nodes) // 2]
        world.partition(half)
        await asyncio.sleep(25)
        world.heal()
        await world.leave(world.choose()[0])
        await asyncio.sleep(60)
        world.trace.note(
            f"{len(world.nodes)} nodes, {neighbours(world)} neighbours, {world.trace.deliveries} deliveries"
        )
        return world.trace.digest()


def test_the_same_seed_gives_the_same_trace():
    assert run_virtual(busy_life, 1) == run_virtual(busy_life, 1)


def test_another_seed_gives_another_trace():
    assert run_virtual(busy_life, 1) != run_virtual(busy_life, 2)


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_another_process_gives_the_same_trace(hash_seed):
    """Python hashes bytes and texts differently in each process; nothing may depend on that."""
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_world import busy_life; from peerage.lab.clock import run_virtual\n"
        "print(run_virtual(busy_life, 1))"
    )
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == run_virtual(busy_life, 1)


def test_a_thousand_peers_connect_and_ping():
    async def main(rng: random.Random) -> None:
        async with World(rng, WorldPlan(peers=1000, traced=False)) as world:
            await world.link_up(8)
            assert neighbours(world) == 8000
            for node in world.nodes:
                for connection in node.peer.neighbours():
                    assert connection.hello.version
                assert node.peer.number_of_peers() == len(node.peer.neighbours())
            await ping_all(world)
            assert neighbours(world) == 8000
            dead = world.choose(200)
            gone = {node.peer.peer_id for node in dead}
            for node in dead:
                await world.kill(node, silently=True)
            held = sum(connection.peer_id in gone for node in world.nodes for connection in node.peer.neighbours())
            await ping_all(world)
            assert sum(node.peer.metrics.value("peers_dead") for node in world.nodes) == held > 1000
            for node in world.nodes:
                assert not gone & {connection.peer_id for connection in node.peer.neighbours()}

    run_virtual(main, 11)


def test_the_silently_dead_are_found_out_after_one_ping():
    async def main(rng: random.Random) -> None:
        async with World(rng, WorldPlan(peers=20)) as world:
            await world.link_up(4)
            victim = world.nodes[3]
            others = [node for node in world.nodes if node.peer.connection_to(victim.peer.peer_id)]
            await world.kill(victim, silently=True)
            began = asyncio.get_running_loop().time()
            assert all(node.peer.connection_to(victim.peer.peer_id) for node in others)
            await ping_all(world)
            assert not any(node.peer.connection_to(victim.peer.peer_id) for node in others)
            assert asyncio.get_running_loop().time() - began == pytest.approx(PING_TIMEOUT, abs=0.2)

    run_virtual(main, 5)


def test_a_killed_process_is_known_at_once():
    async def main(rng: random.Random) -> None:
        async with World(rng, WorldPlan(peers=20)) as world:
            await world.link_up(4)
            victim = world.nodes[3]
            await world.kill(victim)
            await asyncio.sleep(0.2)
            assert not any(node.peer.connection_to(victim.peer.peer_id) for node in world.nodes)

    run_virtual(main, 5)


def test_a_node_that_leaves_says_so():
    async def main(rng: random.Random) -> None:
        async with World(rng, WorldPlan(peers=10)) as world:
            await world.link_up(4)
            leaver = world.nodes[0]
            known = [(node, node.peer.connection_to(leaver.peer.peer_id)) for node in world.nodes[1:]]
            began = asyncio.get_running_loop().time()
            await world.leave(leaver)
            assert asyncio.get_running_loop().time() - began < 1
            for node, connection in known:
                if connection is not None:
                    assert "left" in str(await connection.wait_closed())
                assert node.peer.connection_to(leaver.peer.peer_id) is None

    run_virtual(main, 5)


def test_a_short_partition_heals_without_a_trace():
    async def main(rng: random.Random) -> None:
        async with World(rng, WorldPlan(peers=40)) as world:
            await world.link_up(6)
            before = neighbours(world)
            world.partition(world.nodes[:20])
            one, other = across(world)
            asking = asyncio.create_task(one.peer.send_to(other.peer.peer_id, Ping()))
            await asyncio.sleep(5)
            assert not asking.done()
            world.heal()
            assert isinstance(await asking, Pong)
            assert neighbours(world) == before

    run_virtual(main, 6)


def test_a_long_partition_cuts_the_links_and_after_it_peers_find_back():
    async def main(rng: random.Random) -> None:
        async with World(rng, WorldPlan(peers=40)) as world:
            await world.link_up(6)
            world.partition(world.nodes[:20])
            one, other = across(world)
            await ping_all(world)
            sides = ({node.peer.peer_id for node in side} for side in (world.nodes[:20], world.nodes[20:]))
            for side, nodes in zip(sides, (world.nodes[:20], world.nodes[20:]), strict=True):
                for node in nodes:
                    assert {each.peer_id for each in node.peer.neighbours()} <= side
            with pytest.raises(LinkError):
                await one.peer.send_to(other.peer.peer_id, Ping())
            world.heal()
            assert isinstance(await one.peer.send_to(other.peer.peer_id, Ping()), Pong)

    run_virtual(main, 6)


def across(world: World) -> tuple[SimNode, SimNode]:
    """Return two neighbours, one from each half."""
    halves = world.nodes[:20], world.nodes[20:]
    return next((one, other) for one in halves[0] for other in halves[1] if one.peer.connection_to(other.peer.peer_id))


def test_churn_kills_and_adds_at_the_rate_that_was_asked_for():
    async def main(rng: random.Random) -> None:
        async with World(rng, WorldPlan(peers=100, traced=False)) as world:
            await world.link_up(6)
            spared = world.nodes[:10]
            deaths = await world.churn(100, lifetime=100, degree=6, spared=spared)
            assert 60 <= deaths <= 125
            assert len(world.nodes) == 100
            assert world.nodes[:10] == spared
            await ping_all(world)
            assert neighbours(world) > 300

    run_virtual(main, 8)


def test_a_limit_holds_in_the_simulated_world_too():
    async def main(rng: random.Random) -> None:
        limits = msgspec.structs.replace(DEFAULT, connections=5)
        async with World(rng, WorldPlan(peers=10, limits=limits)) as world:
            hub, refused = world.nodes[0], 0
            for node in world.nodes[1:]:
                try:
                    await world.link(node, hub)
                except LinkError:
                    refused += 1
            assert (len(hub.peer.neighbours()), refused) == (5, 4)
            assert hub.peer.metrics.value("links_refused", "connections") == 4

    run_virtual(main)


def test_a_mistake_inside_a_node_ends_the_world_with_an_error():
    async def main(rng: random.Random) -> None:
        async with World(rng, WorldPlan(peers=2)) as world:
            world.nodes[0].peer.start_stabilizer(Stabilizer(lambda: 1 // 0, interval=10))
            await asyncio.sleep(60)

    with pytest.raises(LocalError, match="ZeroDivisionError"):
        run_virtual(main)


def test_equipment_is_put_on_every_node_also_on_newcomers():
    equipped = []

    async def equip(node: SimNode) -> None:
        equipped.append(node.number)
        node.stack.callback(equipped.remove, node.number)

    async def main(rng: random.Random) -> None:
        async with World(rng, WorldPlan(peers=3), equip) as world:
            await world.add()
            assert equipped == [0, 1, 2, 3]
            await world.kill(world.nodes[1])
            assert equipped == [0, 2, 3]

    run_virtual(main)
    assert not equipped


def test_a_request_to_one_that_died_in_silence_ends_by_its_deadline():
    async def main(rng: random.Random) -> None:
        async with World(rng, WorldPlan(peers=2)) as world:
            one, other = world.nodes
            connection = await world.link(one, other)
            await world.kill(other, silently=True)
            with pytest.raises(RequestTimeoutError):
                await connection.request(Ping(), 7.0)

    run_virtual(main)
