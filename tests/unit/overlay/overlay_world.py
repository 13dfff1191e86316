"""Peers with a catalogue and an overlay, on either transport; the same in both for whoever uses it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from blake3 import blake3

from peerage.catalogue.database import Database
from peerage.catalogue.media_type import mime_of
from peerage.catalogue.record import Description, Record, Visibility
from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.identity.network import Network
from peerage.lab.clock import InlineExecutor, VirtualClock, run_virtual
from peerage.overlay.base import Hit, Holder, LocateRequest, Overlay, SearchRequest
from peerage.overlay.shelf import CatalogueShelf, Shelf
from peerage.peer.peer import Environment, Peer
from peerage.transport.memory import MemoryNetwork, MemoryTransport
from peerage.transport.tcp import SystemClock, TcpTransport

ISSUED = 1_790_000_000


def content_of(text: str) -> bytes:
    return blake3(text.encode()).digest()


def record(key: PeerKey, name: str, *, content: str = "", visibility: Visibility = Visibility.PUBLIC, **more) -> Record:
    fields: dict[str, Any] = {"size": 1000, "mime": mime_of(name), "visibility": visibility} | more
    return Record.sign(key, Description(content=content_of(content or name), name=name, **fields), ISSUED)


async def _nothing(_nodes: Sequence[TestNode]) -> None:
    """The overlay needs no time."""


class TestNode:
    """A peer that shares, searches and locates."""

    __test__ = False

    def __init__(self, peer: Peer, database: Database, overlay: Overlay) -> None:
        self.peer = peer
        self.database = database
        self.overlay = overlay
        self.world: OverlayWorld | None = None
        self.address: Address

    async def share(self, name: str, **more: Any) -> Record:
        made = record(self.peer.key, name, **more)
        await self.share_records([made])
        return made

    async def share_records(self, records: Sequence[Record]) -> None:
        await self.database.add_own(records)
        await self.overlay.publish(records)
        self._changed()

    async def unshare(self, gone: Record) -> None:
        await self.database.remove_slots([(gone.content, gone.slot())])
        await self.overlay.withdraw([gone])
        self._changed()

    async def search(self, text: str, **bounds: Any) -> list[Hit]:
        await self.settled()
        async with self.overlay.search(SearchRequest(text=text, **bounds)) as search:
            return [hit async for hit in search]

    async def locate(self, content_id: bytes, **bounds: Any) -> list[Holder]:
        await self.settled()
        async with self.overlay.locate(LocateRequest(content_id=content_id, **bounds)) as search:
            return [holder async for holder in search]

    async def settled(self) -> None:
        """Give the overlays of the world the time that they need after a change."""
        if self.world is not None and self.world.changed:
            await self.world.settle(self.world.nodes)
            self.world.changed = False

    def _changed(self) -> None:
        if self.world is not None:
            self.world.changed = True

    def befriend(self, other: TestNode) -> None:
        self.peer.table.update(other.peer.peer_id, friend=True)

    def metric(self, name: str, reason: str = "") -> int:
        return self.peer.metrics.value(name, reason)


class OverlayWorld:
    """Nodes on one transport; `patience` is how long (seconds) to wait for what should not come."""

    patience = 3.0

    def __init__(self, rng: random.Random, make_overlay: Callable[[Shelf], Overlay]) -> None:
        self.rng = rng
        self.make_overlay = make_overlay
        self.count = 0
        self.nodes: list[TestNode] = []
        self.changed = False  # whether something was shared, withdrawn or linked since all had settled
        self.settle: Callable[[Sequence[TestNode]], Awaitable[None]] = _nothing
        self.stack = AsyncExitStack()

    def make_peer(self, key: PeerKey) -> Peer:
        raise NotImplementedError

    async def add(self, shelf: Callable[[TestNode], Shelf] | None = None) -> TestNode:
        """Add a node; `shelf` makes what its overlay takes for its shares."""
        peer = await self.add_peer()
        database = await Database.open(None, peer.peer_id, InlineExecutor())
        self.stack.push_async_callback(database.close)
        node = TestNode(peer, database, None)  # type: ignore[arg-type]
        node.overlay = self.make_overlay(shelf(node) if shelf else CatalogueShelf(database, peer.peer_id))
        await peer.mount(node.overlay)
        (node.address,) = await peer.listen(self.listen_address())
        node.world = self
        self.nodes.append(node)
        self.changed = True
        return node

    async def add_peer(self) -> Peer:
        """Add a peer with nothing mounted, and not listening."""
        self.count += 1
        key = PeerKey.from_seed(self.count.to_bytes(32, "big"))
        return await self.stack.enter_async_context(self.make_peer(key))

    def listen_address(self) -> Address:
        raise NotImplementedError

    async def link(self, one: TestNode, other: TestNode) -> None:
        """Connect two nodes and wait until both have noticed."""
        self.changed = True
        await one.peer.connect(other.address, other.peer.peer_id)
        await self.until(lambda: other.peer.connection_to(one.peer.peer_id) is not None)

    async def chain(self, count: int) -> list[TestNode]:
        """Add nodes of which each is linked to the next."""
        nodes = [await self.add() for _ in range(count)]
        for one, other in zip(nodes, nodes[1:], strict=False):
            await self.link(one, other)
        return nodes

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for something that is about to happen."""
        async with asyncio.timeout(20):
            while not true():
                await asyncio.sleep(0.001)

    @classmethod
    def run(cls, make_overlay: Callable[[Shelf], Overlay], main: Callable[[Any], Awaitable[None]]) -> None:
        raise NotImplementedError


class MemoryWorld(OverlayWorld):
    """Virtual time, 50 ms from each to each."""

    def __init__(self, rng: random.Random, make_overlay: Callable[[Shelf], Overlay]) -> None:
        super().__init__(rng, make_overlay)
        self.network = MemoryNetwork(rng)

    def make_peer(self, key: PeerKey) -> Peer:
        host = self.network.add_host(f"10.0.{self.count // 250}.{self.count % 250 + 1}")
        clock = VirtualClock(asyncio.get_running_loop())
        return Peer(key, MemoryTransport(host, Network.public("test"), key), Environment(clock, self.rng))

    def listen_address(self) -> Address:
        return Address("", 7411)

    @classmethod
    def run(cls, make_overlay: Callable[[Shelf], Overlay], main: Callable[[Any], Awaitable[None]]) -> None:
        async def body(rng: random.Random) -> None:
            world = cls(rng, make_overlay)
            async with world.stack:
                await main(world)

        run_virtual(body, seed=7)


class TcpWorld(OverlayWorld):
    """Real sockets and TLS on the loopback interface."""

    patience = 0.25

    def make_peer(self, key: PeerKey) -> Peer:
        return Peer(key, TcpTransport(Network.public("test"), key), Environment(SystemClock(), self.rng))

    def listen_address(self) -> Address:
        return Address("127.0.0.1", 0)

    @classmethod
    def run(cls, make_overlay: Callable[[Shelf], Overlay], main: Callable[[Any], Awaitable[None]]) -> None:
        async def body() -> None:
            world = cls(random.Random(7), make_overlay)
            async with world.stack:
                await main(world)

        asyncio.run(body())
