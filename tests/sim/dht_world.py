"""A world of many nodes of the distributed hash table, some of them liars, in virtual time."""

from __future__ import annotations

import asyncio
import gc
import random
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import asynccontextmanager

import msgspec
from blake3 import blake3

from peerage.catalogue.record import Visibility
from peerage.errors import LimitError, LinkError
from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.lab.world import PORT, World, WorldPlan
from peerage.overlay.base import LocateRequest
from peerage.overlay.dht import DhtOverlay, DhtRules
from peerage.overlay.dht.contacts import Contact, number_of
from peerage.overlay.dht.messages import Kept, Outcome, Seen, Verdict

FAST = DhtRules(stamp_bits=0)


class OneShelf:
    """The shelf of a node that has nothing of its own in parts; `held` is what it says it has."""

    def __init__(self):
        self.held = set()

    async def find(self, query, limit, audience):
        return []

    async def visibility(self, content_id):
        return Visibility.PUBLIC if content_id in self.held else None

    def fetching(self):
        return tuple(self.held)


class Gang:
    """What liars know of each other: all of them, by their place on the ring of ids."""

    def __init__(self, rng):
        self.rng = rng
        self.members = []  # (number, contact), sorted by number

    def add(self, contact):
        entry = (number_of(contact.peer_id), contact)
        self.members.insert(bisect_left(self.members, entry[0], key=lambda each: each[0]), entry)

    def nearest(self, target, count):
        at = bisect_left(self.members, target, key=lambda each: each[0])
        near = self.members[max(0, at - 2 * count) : at + 2 * count]
        return [contact for _, contact in sorted(near, key=lambda each: each[0] ^ target)[:count]]

    def invented(self, target, count):
        """Return contacts nearer to the target than anybody, that do not exist."""
        some = (target ^ self.rng.getrandbits(200) for _ in range(count))
        hosts = (f"10.{self.rng.randrange(200, 250)}.{self.rng.randrange(250)}.1" for _ in range(count))
        return [
            Contact(each.to_bytes(32, "big"), (Address(host, PORT),)) for each, host in zip(some, hosts, strict=True)
        ]


class LyingDht(DhtOverlay):
    """A node that names only its own kind and peers that do not exist, and throws away what it is to keep."""

    gang: Gang
    junk = 5

    def _on_look(self, connection, message):
        target = number_of(message.target)
        named = self.gang.nearest(target, 20 - self.junk) + self.gang.invented(target, self.junk)
        return Seen(True, tuple(each for each in named if each.peer_id != connection.peer_id), None)

    def _on_store(self, connection, message):
        items = (*message.providers, *message.postings, *message.values, *message.drops)
        return Kept(tuple(Outcome(Verdict.STORED, 0) for _ in items))


class DhtWorld:
    """Nodes that have joined one after the other."""

    def __init__(self, world, rng, rules, liars, intruders=()):
        self.world = world
        self.rng = rng
        self.rules = rules
        self.liars = liars
        self.intruders = list(intruders)  # seeds of keys that liars have chosen, until these have come
        self.chosen = set()
        self.spared = []
        self.gang = Gang(rng)
        self.honest = {}
        self.lying = {}

    async def equip(self, node):
        node.shelf = OneShelf()
        lying = node.peer.peer_id in self.chosen or self.rng.random() < self.liars
        kind = LyingDht if lying else DhtOverlay
        node.dht = kind(node.shelf, reachable=lambda: True, rules=self.rules)
        if lying:
            node.dht.gang = self.gang
            self.gang.add(Contact(node.peer.peer_id, (node.address,)))
        (self.lying if lying else self.honest)[node.number] = node
        await node.peer.mount(node.dht)

    async def join(self, others=2):
        """Add one node that knows a few others."""
        known = self.world.nodes
        node = await self.world.add()
        for other in self.rng.sample(known, min(others, len(known))):
            try:
                await self.world.link(node, other)
            except (LinkError, LimitError):
                continue
        return node

    async def grow(self, count, rate=20.0):
        """Add nodes, `rate` a second on average."""
        for _ in range(count):
            await self.join()
            await asyncio.sleep(1 / rate)
        await asyncio.sleep(5)

    async def wire(self, count, share=1.0):
        """Add nodes that know each other as if they had joined long ago: that `share` of full buckets, and the nearest."""
        for number in range(count):
            seed = self.intruders[number] if number < len(self.intruders) else None
            if seed is not None:
                self.chosen.add(PeerKey.from_seed(seed).peer_id)
            await self.world.add(seed=seed)
        nodes = sorted(self.world.nodes, key=lambda each: each.peer.peer_id)
        numbers = [number_of(each.peer.peer_id) for each in nodes]
        contacts = [Contact(each.peer.peer_id, (each.address,)) for each in nodes]
        for at, node in enumerate(nodes):
            self._fill(node, at, numbers, contacts, share)

    def _fill(self, node, at, numbers, contacts, share):
        """Fill one routing table; every bucket is a stretch of the sorted ids."""
        inner, size = node.dht._node, self.rules.bucket
        low, high, now = 0, len(numbers), inner.now()
        for bit in range(255, -1, -1):
            middle = bisect_left(numbers, ((numbers[at] >> bit) | 1) << bit, low, high)
            others, (low, high) = ((middle, high), (low, middle)) if at < middle else ((low, middle), (middle, high))
            small = others[1] - others[0] <= size
            chosen = range(*others) if small else self.rng.sample(range(*others), max(1, round(share * size)))
            for each in chosen:
                inner.table.add(contacts[each], now)
            if high - low <= 1:
                break
        nearest = inner.table.neighbours(size)
        inner.size.note_home([number_of(each.peer_id) ^ inner.number for each in nearest], now)
        node.dht._upkeep._joined_at = now

    async def kill_some(self, share, spared=()):
        """Kill a share of all nodes silently and at once."""
        mortal = [node for node in self.world.nodes if node not in spared]
        for victim in self.rng.sample(mortal, round(share * len(mortal))):
            await self.world.kill(victim, silently=True)
            self.honest.pop(victim.number, None)
            self.lying.pop(victim.number, None)

    async def churn(self, seconds, per_hour):
        """Let nodes die silently and others come, so many for each living one an hour."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        deaths = 0
        async with asyncio.TaskGroup() as joins:  # those who are dying do not wait for who comes
            while True:
                pause = self.rng.expovariate(len(self.world.nodes) * per_hour / 3600)
                if loop.time() + pause >= end:
                    break
                await asyncio.sleep(pause)
                victim = self.rng.choice(self.world.nodes)
                await self.world.kill(victim, silently=self.rng.random() < 0.5)
                self.honest.pop(victim.number, None)
                self.lying.pop(victim.number, None)
                joins.create_task(self.join())
                deaths += 1
            await asyncio.sleep(max(0.0, end - loop.time()))
        return deaths

    def some(self, count):
        """Return honest living nodes."""
        return self.rng.sample(list(self.honest.values()), count)

    async def provide(self, node, content):
        """Let a node say that it has a content, and wait until it is stored."""
        node.shelf.held.add(content)
        await node.dht._list_fetching()
        await node.dht.settle()

    async def locate(self, node, content, wanted=1):
        """Look for a content; return the holders and what it cost."""
        async with node.dht.locate(LocateRequest(content_id=content, wanted=wanted)) as search:
            return [holder async for holder in search], search.cost

    def total(self, name, reason=""):
        return sum(node.peer.metrics.value(name, reason) for node in self.world.nodes)


@asynccontextmanager
async def dht_world(
    rng: random.Random,
    peers: int,
    *,
    rules: DhtRules = FAST,
    liars: float = 0.0,
    rate: float = 20.0,
    wired: float = 0.0,
    intruders: Sequence[bytes] = (),
):
    """Make a world in which `peers` have joined, `rate` a second; with `wired`, that share of their buckets is given.

    Some of the wired nodes may be liars that have chosen their keys: `intruders` are these keys' seeds.
    """
    made = {}
    before = gc.get_threshold()
    gc.set_threshold(200_000, 50, 1_000_000)  # whole worlds are alive: looking through them again and again costs hours

    async def equip(node):
        await made["dht"].equip(node)

    async with World(rng, WorldPlan(peers=0, traced=False), equip) as world:
        made["dht"] = DhtWorld(world, rng, rules, liars, intruders)
        try:
            await (made["dht"].wire(peers, wired) if wired else made["dht"].grow(peers, rate))
            yield made["dht"]
        finally:
            gc.set_threshold(*before)


def content(number: int) -> bytes:
    return blake3(f"content {number}".encode()).digest()


def quick(**changes) -> DhtRules:
    return msgspec.structs.replace(FAST, **changes)
