"""The mesh of many peers: one piece when they come all at once, when half of them die, and after a cut is mended."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

from peerage.errors import LinkError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.lab.clock import run_virtual
from peerage.lab.world import SimNode, World, WorldPlan
from peerage.limits import JOIN_WALK, NEIGHBOURS_SPARE, NEIGHBOURS_WANTED, PASSIVE_VIEW, TOLD_SHARE
from peerage.peer.membership import Membership
from peerage.peer.messages import Contact, Disconnect, Join, Joined, Neighbour, Neighboured, Shuffle, Shuffled
from peerage.peer.service import Service

MOST = NEIGHBOURS_WANTED + NEIGHBOURS_SPARE


class Mesh:
    """A world in which every node has a membership."""

    def __init__(self) -> None:
        self.of: dict[int, Membership] = {}

    async def equip(self, node: SimNode) -> None:
        self.of[node.number] = Membership()
        await node.peer.mount(self.of[node.number])

    def neighbours(self, nodes: Iterable[SimNode]) -> dict[PeerId, set[PeerId]]:
        """Return the mesh as each node sees it."""
        return {node.peer.peer_id: {each.peer_id for each in self.of[node.number].active()} for node in nodes}


def pieces(mesh: dict[PeerId, set[PeerId]]) -> list[int]:
    """Return the sizes of the components, by links that both sides count as neighbours'."""
    found, rest = [], set(mesh)
    while rest:
        waiting, size = [rest.pop()], 1
        while waiting:
            near = {each for each in mesh[waiting[-1]] & rest if waiting[-1] in mesh[each]}
            waiting.pop()
            rest -= near
            size += len(near)
            waiting += near
        found.append(size)
    return sorted(found, reverse=True)


async def gather_through_one(world: World, mesh: Mesh, size: int, a_second: float) -> None:
    """Let newcomers come through the first node until there are `size`."""
    entrance = world.nodes[0]
    while len(world.nodes) < size:
        node = await world.add()
        node.peer.spawn(mesh.of[node.number].join([entrance.address]), "join")
        await asyncio.sleep(1 / a_second)


def test_a_thousand_come_through_one_entrance_and_half_of_them_die() -> None:
    async def main(rng: random.Random) -> None:
        mesh = Mesh()
        async with World(rng, WorldPlan(peers=1, traced=False), mesh.equip) as world:
            await gather_through_one(world, mesh, 1000, 100)
            await asyncio.sleep(25)
            seen = mesh.neighbours(world.nodes)
            assert pieces(seen) == [1000]
            degrees = [len(each) for each in seen.values()]
            assert max(degrees) <= MOST
            assert sum(degree >= NEIGHBOURS_WANTED for degree in degrees) >= 990
            assert max(len(node.peer.connections()) for node in world.nodes[1:]) < 60
            for node in world.choose(500):
                await world.kill(node)
            await asyncio.sleep(9)
            seen = mesh.neighbours(world.nodes)
            assert pieces(seen) == [500]
            assert sum(len(each) >= NEIGHBOURS_WANTED - 1 for each in seen.values()) >= 490

    run_virtual(main, 11)


def test_a_storm_of_newcomers_at_one_moment_settles() -> None:
    async def main(rng: random.Random) -> None:
        mesh = Mesh()
        async with World(rng, WorldPlan(peers=120, traced=False), mesh.equip) as world:
            entrance, *others = world.nodes
            for node in others:
                node.peer.spawn(mesh.of[node.number].join([entrance.address]), "join")
            await asyncio.sleep(150)
            seen = mesh.neighbours(world.nodes)
            assert pieces(seen) == [120]
            assert max(len(each) for each in seen.values()) <= MOST

    run_virtual(main, 12)


def test_a_network_cut_in_two_is_one_again_when_the_cut_is_mended() -> None:
    async def main(rng: random.Random) -> None:
        mesh = Mesh()
        async with World(rng, WorldPlan(peers=1, traced=False), mesh.equip) as world:
            await gather_through_one(world, mesh, 80, 20)
            for node in world.nodes:
                node.peer.start_pings()
            await asyncio.sleep(30)
            half = world.nodes[::2]
            world.partition(half)
            await asyncio.sleep(180)
            sides = mesh.neighbours(half), mesh.neighbours(node for node in world.nodes if node not in half)
            assert [pieces(side) for side in sides] == [[40], [40]]
            assert not any(set(sides[1]) & each for each in sides[0].values())
            world.heal()
            await asyncio.sleep(300)
            assert pieces(mesh.neighbours(world.nodes)) == [80]

    run_virtual(main, 13)


class Eclipser(Service):
    """A hostile peer: it is a neighbour like any other, but all it tells of are Sybils of its own invention."""

    name = "membership"

    def __init__(self) -> None:
        self.told = 0
        self.sybils: set[PeerId] = set()

    def handlers(self):
        return (
            (Join, lambda _connection, _message: Joined(self.invent())),
            (Neighbour, lambda _connection, _message: Neighboured(accepted=True)),
            (Shuffle, self.on_shuffle),
            (Disconnect, lambda _connection, _message: None),
        )

    def on_shuffle(self, connection, message) -> None:
        connection.send(Shuffled(message.number, self.invent()))
        for ttl in (1, JOIN_WALK):  # and it sends more than it should
            connection.send(Shuffle(self.peer.rng.getrandbits(63), ttl, self.invent()[0], self.invent()))

    def invent(self) -> tuple[Contact, ...]:
        rng = self.peer.rng
        keys = [PeerId(rng.randbytes(32)) for _ in range(6)]
        self.told += len(keys)
        self.sybils.update(keys)
        return tuple(
            Contact(each, (Address(f"{rng.randrange(30, 90)}.{rng.randrange(256)}.{rng.randrange(256)}.9", 7411),))
            for each in keys
        )


def test_eclipse_by_answering_every_exchange_with_sybils() -> None:
    """One peer in ten lies whenever it is asked; no view is theirs, and nobody honest passes the lies on."""

    async def main(rng: random.Random) -> None:
        mesh = Mesh()
        async with World(rng, WorldPlan(peers=1, traced=False), mesh.equip) as world:
            await gather_through_one(world, mesh, 40, 20)
            honest = world.nodes
            world._equip = None
            liars = [Eclipser() for _ in range(4)]
            for liar in liars:
                node = await world.add()
                await node.peer.mount(liar)
                for victim in rng.sample(honest, 8):
                    try:
                        connection = await world.link(node, victim)
                        await connection.request(Neighbour(urgent=True))
                    except LinkError:
                        continue
            await asyncio.sleep(300)
            sybils = {each for liar in liars for each in liar.sybils}
            assert len(sybils) > 500
            shares = []
            for node in honest:
                passive = list(mesh.of[node.number]._view.passive)
                lies = sum(each.contact.peer_id in sybils for each in passive)
                shares.append(lies)
                assert lies <= PASSIVE_VIEW - PASSIVE_VIEW // 3
                assert not any(each.contact.peer_id in sybils for each in passive if each.teller is None)
                for teller in {each.teller for each in passive if each.teller is not None}:
                    assert sum(each.teller == teller for each in passive) <= PASSIVE_VIEW // TOLD_SHARE
            assert sum(shares) / len(shares) < PASSIVE_VIEW / 2
            seen = mesh.neighbours(honest)
            assert pieces({one: others & set(seen) for one, others in seen.items()}) == [40]

    run_virtual(main, 14)


def test_the_same_seed_gives_the_same_mesh() -> None:
    async def main(rng: random.Random) -> str:
        mesh = Mesh()
        async with World(rng, WorldPlan(peers=1), mesh.equip) as world:
            await gather_through_one(world, mesh, 40, 20)
            await asyncio.sleep(60)
            return world.trace.digest()

    assert run_virtual(main, 15) == run_virtual(main, 15)
