"""Two hundred real peers in virtual time: what flooding finds, what it costs, and what is left of it after a disaster."""

import asyncio
import random
from contextlib import AsyncExitStack

import pytest
from blake3 import blake3

from peerage.catalogue.database import Database
from peerage.catalogue.media_type import mime_of
from peerage.catalogue.record import Description, Record
from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.identity.network import Network
from peerage.lab.clock import InlineExecutor, VirtualClock, run_virtual
from peerage.overlay.base import LocateRequest, SearchRequest
from peerage.overlay.flood import FloodOverlay
from peerage.overlay.shelf import CatalogueShelf
from peerage.peer.peer import Environment, Peer
from peerage.transport.memory import MemoryNetwork, MemoryTransport

PEERS = 200
DEGREE = 6
POPULAR, RARE = "popular song.flac", "rare song.flac"
POPULAR_SHARE = 0.1


class World:
    """Peers in a random graph; every tenth has the popular song, one has the rare one."""

    def __init__(self, rng):
        self.rng = rng
        self.network = MemoryNetwork(rng, lambda one, other: 0.05 + (hash_of(one, other) % 80) / 1000)
        self.trace = blake3()
        self.network.tap = self.note
        self.stack = AsyncExitStack()
        self.peers, self.overlays, self.links = [], [], set()
        self.shared = 0

    def note(self, link, data):
        at = asyncio.get_running_loop().time()
        self.trace.update(f"{at:.6f} {link.local} {link.remote} ".encode() + bytes(data))

    async def build(self):
        for number in range(PEERS):
            await self.add(number)
        for number in range(1, PEERS):
            await self.link(number, self.rng.randrange(number))  # one component
        while len(self.links) < PEERS * DEGREE // 2:
            await self.link(*self.rng.sample(range(PEERS), 2))
        for number in self.rng.sample(range(PEERS), round(PEERS * POPULAR_SHARE)):
            await self.share(number, POPULAR)
        await self.share(PEERS - 1, RARE)

    async def add(self, number):
        key = PeerKey.from_seed((number + 1).to_bytes(32, "big"))
        database = await Database.open(None, key.peer_id, InlineExecutor())
        self.stack.push_async_callback(database.close)
        host = self.network.add_host(f"10.0.{number // 250}.{number % 250 + 1}")
        clock = VirtualClock(asyncio.get_running_loop())
        transport = MemoryTransport(host, Network.public("sim"), key)
        peer = await self.stack.enter_async_context(Peer(key, transport, Environment(clock, self.rng)))
        overlay = FloodOverlay(CatalogueShelf(database, key.peer_id))
        overlay.database = database
        await peer.mount(overlay)
        await peer.listen(Address("", 7411))
        self.peers.append(peer)
        self.overlays.append(overlay)

    async def link(self, one, other):
        if (min(one, other), max(one, other)) not in self.links and one != other:
            self.links.add((min(one, other), max(one, other)))
            await self.peers[one].connect(self.peers[other].addresses[0])

    async def share(self, number, name):
        description = Description(content=blake3(name.encode()).digest(), name=name, size=1000, mime=mime_of(name))
        record = Record.sign(self.peers[number].key, description, 1_790_000_000)
        await self.overlays[number].database.add_own([record])
        await self.overlays[number].publish([record])

    async def search(self, number, text, **bounds):
        async with self.overlays[number].search(SearchRequest(text=text, **bounds)) as search:
            return [hit async for hit in search], search.cost

    def total(self, name, reason=""):
        return sum(peer.metrics.value(name, reason) for peer in self.peers)


def hash_of(one, other):
    return int.from_bytes(blake3(f"{one} {other}".encode()).digest(4), "big")


def run(main, seed=1):
    async def body(rng: random.Random):
        world = World(rng)
        async with world.stack:
            await world.build()
            return await main(world)

    return run_virtual(body, seed)


def test_two_hundred_peers_find_what_is_popular_and_what_is_rare():
    async def main(world):
        askers = world.rng.sample(range(PEERS - 1), 15)
        for asker in askers:
            before = world.total("flood_questions")
            popular, cost = await world.search(asker, "popular", wanted=5, deadline=5)
            assert len(popular) == 5
            assert cost.first_found < 1.0
            rare, cost = await world.search(asker, "rare", wanted=1, ttl=7, deadline=5)
            assert [hit.holder.peer_id for hit in rare] == [world.peers[-1].peer_id]
            assert cost.messages_received <= 3
            located = world.overlays[asker].locate(
                LocateRequest(content_id=blake3(RARE.encode()).digest(), wanted=1, ttl=7)
            )
            async with located:
                assert [holder.peer_id async for holder in located] == [world.peers[-1].peer_id]
            await asyncio.sleep(5)
            asked = world.total("flood_questions") - before
            assert asked <= 3 * 2 * len(world.links)  # over each link once in each direction at the most
        assert world.total("flood_dropped", "rate") == 0
        assert world.total("flood_refused", "forged") == 0
        assert world.total("task_failed", "upkeep") == 0

    run(main)


def test_searches_work_while_a_third_of_all_peers_dies():
    async def main(world):
        victims = set(world.rng.sample(range(PEERS - 1), PEERS // 3))
        alive = [number for number in range(PEERS - 1) if number not in victims]

        async def disaster():
            for number in sorted(victims):
                await asyncio.sleep(0.1)
                world.network.kill(world.network.find(world.peers[number].addresses[0].host))

        async def searches():
            found = []
            for asker in world.rng.sample(alive, 12):
                hits, _ = await world.search(asker, "popular", wanted=1, ttl=7, deadline=3)
                found.append(len(hits))
                await asyncio.sleep(0.5)
            return found

        _, found = await asyncio.gather(disaster(), searches())
        assert sum(found) >= 11
        assert world.total("task_failed", "upkeep") == 0
        assert world.total("task_failed", "handlers") == 0

    run(main)


@pytest.mark.parametrize("seed", [3])
def test_same_seed_same_trace(seed):
    async def main(world):
        for asker in world.rng.sample(range(PEERS), 3):
            await world.search(asker, "popular", wanted=1000, deadline=3)
        return world.trace.hexdigest()

    first, second, other = run(main, seed), run(main, seed), run(main, seed + 1)
    assert first == second
    assert first != other
