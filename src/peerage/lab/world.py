"""A world of simulated nodes: real peers on a simulated network, made in one call.

Invariant: a world is decided by its random source and its plan alone; run twice, it has the same trace. What the nodes
can do beyond being peers is put on them by whoever makes the world (`equip`). A failure inside a node that a real one
would only log ends the world with an error.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Final, Self

import msgspec

from peerage.errors import LimitError, LinkError, LocalError
from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.identity.network import Network
from peerage.lab.clock import InlineExecutor, VirtualClock
from peerage.lab.places import Places, Plane
from peerage.lab.trace import Trace
from peerage.limits import DEFAULT, Limits
from peerage.peer.connection import PeerConnection
from peerage.peer.peer import Environment, Peer
from peerage.transport.memory import MemoryHost, MemoryNetwork, MemoryTransport

PORT: Final = 7411
_LOG: Final = logging.getLogger("peerage")
_SHOWN_FAULTS: Final = 3
_SILENT_DEATHS: Final = 0.5  # share of churn in which the others hear nothing


class WorldPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a world is like; times in seconds, rates in bytes a second (0: unbounded)."""

    peers: int
    nearest: float = 0.020  # latency one way, next door
    farthest: float = 0.130  # and round half the globe
    up: float = 0.0
    down: float = 0.0
    link_life: float = 0.0  # mean time until a link breaks by itself; 0: it does not
    limits: Limits = DEFAULT
    network: str = "lab"
    strangers: bool = False  # addresses are public and far from each other; otherwise all are in one private network
    traced: bool = True  # costs a microsecond or two for each delivery


class SimNode:
    """One simulated node; `stack` takes what has to be taken down after its peer."""

    def __init__(self, number: int, peer: Peer, host: MemoryHost, clock: VirtualClock) -> None:
        self.number = number
        self.peer = peer
        self.host = host
        self.clock = clock
        self.address = Address(host.name, PORT)
        self.stack = AsyncExitStack()

    def __repr__(self) -> str:
        return f"<SimNode {self.number}>"


Equip = Callable[[SimNode], Awaitable[None]]


class World:
    """Nodes, and what befalls them; use it as `async with World(rng, plan) as world`, in virtual time."""

    def __init__(
        self, rng: random.Random, plan: WorldPlan, equip: Equip | None = None, places: Places | None = None
    ) -> None:
        self.rng = rng
        self.plan = plan
        self.trace = Trace()
        self._places = places or Plane(rng, plan.nearest, plan.farthest)
        self.net = MemoryNetwork(rng, self._places.latency, link_life=plan.link_life)
        if plan.traced:
            self.net.tap = self.trace.note_delivery
        self._equip = equip
        self._executor = InlineExecutor()
        self._network = Network.public(plan.network)
        self._made = 0
        self._nodes: dict[int, SimNode] = {}
        self._faults = _Faults()

    async def __aenter__(self) -> Self:
        _LOG.addHandler(self._faults)
        for _ in range(self.plan.peers):
            await self.add()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for node in self.nodes:
            self.net.kill(node.host)  # no farewells: a thousand nodes that end at once only cost time
        for node in self.nodes:
            await node.stack.aclose()
        _LOG.removeHandler(self._faults)
        if kind is None:
            self._faults.check()

    # --- who is there ---------------------------------------------------------------------------------------------

    @property
    def nodes(self) -> list[SimNode]:
        """Return the living nodes, the oldest first."""
        return list(self._nodes.values())

    def choose(self, count: int = 1) -> list[SimNode]:
        """Return some living nodes at random."""
        return self.rng.sample(self.nodes, count)

    async def add(self, limits: Limits | None = None, seed: bytes | None = None) -> SimNode:
        """Add a node that listens and knows nobody; `limits` are the plan's and its key is random, unless given."""
        limits = limits or self.plan.limits
        number = self._made
        self._made += 1
        host = self.net.add_host(_public_name(number) if self.plan.strangers else _private_name(number))
        host.set_bandwidth(self.plan.up, self.plan.down)
        self._places.settle(host.name)
        drawn = self.rng.randbytes(32)
        key = PeerKey.from_seed(seed or drawn)
        clock = VirtualClock(asyncio.get_running_loop())
        rng = random.Random(self.rng.getrandbits(64))  # noqa: S311 -- a simulation, not a secret
        transport = MemoryTransport(host, self._network, key, limits)
        peer = Peer(key, transport, Environment(clock, rng, self._executor, limits))
        node = self._nodes[number] = SimNode(number, peer, host, clock)
        if self._equip is not None:
            await self._equip(node)
        await node.stack.enter_async_context(peer)
        await peer.listen(Address("", PORT))
        return node

    async def link(self, one: SimNode, other: SimNode) -> PeerConnection:
        """Connect two nodes; the link lasts, also when it is idle."""
        one.peer.hold(other.peer.peer_id, "world")
        return await one.peer.connect(other.address, other.peer.peer_id)

    async def link_up(self, degree: int) -> None:
        """Connect all nodes to one random graph in which a node has about `degree` neighbours."""
        nodes = self.nodes
        pairs = {(index, self.rng.randrange(index)) for index in range(1, len(nodes))}
        wanted = min(len(nodes) * degree // 2, len(nodes) * (len(nodes) - 1) // 2)
        while len(pairs) < wanted:
            high, low = sorted(self.rng.sample(range(len(nodes)), 2), reverse=True)
            pairs.add((high, low))
        async with asyncio.TaskGroup() as group:
            for high, low in sorted(pairs):
                group.create_task(self.link(nodes[high], nodes[low]))

    # --- what befalls them ------------------------------------------------------------------------------------------

    async def leave(self, node: SimNode) -> None:
        """Let a node end in order: it says goodbye."""
        if self._nodes.pop(node.number, None) is not None:
            await node.stack.aclose()

    async def kill(self, node: SimNode, *, silently: bool = False) -> None:
        """End a node as `kill -9` does (its links are reset), or silently, as a power cut does."""
        if self._nodes.pop(node.number, None) is not None:
            self.net.kill(node.host, silently=silently)
            await node.stack.aclose()

    def partition(self, *groups: Iterable[SimNode]) -> None:
        """Cut the network into these groups and the rest."""
        self.net.partition(*([node.host for node in group] for group in groups))

    def heal(self) -> None:
        """Undo every partition."""
        self.net.heal()

    async def churn(self, seconds: float, lifetime: float, degree: int, spared: Sequence[SimNode] = ()) -> int:
        """For some time, let nodes die and others come, so that a node lives `lifetime` seconds on average.

        Half of the deaths are silent; a new node dials `degree` living ones. Returns how many died. `spared` live on.
        """
        loop = asyncio.get_running_loop()
        deaths, end = 0, loop.time() + seconds
        safe = {node.number for node in spared}
        while mortal := [node for node in self.nodes if node.number not in safe]:
            pause = self.rng.expovariate(len(mortal) / lifetime)
            if loop.time() + pause >= end:
                break
            await asyncio.sleep(pause)
            await self.kill(self.rng.choice(mortal), silently=self.rng.random() < _SILENT_DEATHS)
            newcomer = await self.add()
            newcomer.peer.spawn(self._join(newcomer, degree), "join")
            deaths += 1
        await asyncio.sleep(max(0.0, end - loop.time()))
        return deaths

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _join(self, newcomer: SimNode, degree: int) -> None:
        others = [node for node in self.nodes if node is not newcomer]
        for other in self.rng.sample(others, min(degree, len(others))):
            try:
                await self.link(newcomer, other)
            except (LinkError, LimitError):
                continue  # dead or full, as peers are


class _Faults(logging.Handler):
    """Keeps the exceptions that nodes log because they must live on."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the exception, if it is one."""
        if record.exc_info and record.exc_info[1] is not None:
            self._errors.append(record.exc_info[1])

    def check(self) -> None:
        """Raise LocalError if anything failed."""
        if self._errors:
            shown = "; ".join(repr(error) for error in self._errors[:_SHOWN_FAULTS])
            raise LocalError(f"{len(self._errors)} failures inside nodes: {shown}") from self._errors[0]


def _private_name(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _public_name(number: int) -> str:
    """Return an address such as strangers have: public, and each in a network of its own."""
    return f"20.{number & 255}.{number >> 8 & 255}.{1 + (number >> 16)}"
