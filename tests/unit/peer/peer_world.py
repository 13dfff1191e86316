"""What the tests of the framework share: a small protocol, peers in virtual time, and a peer that breaks the rules."""

from __future__ import annotations

import asyncio
import functools
import inspect
import random
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

import msgspec

from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.identity.network import Network
from peerage.lab.clock import VirtualClock, run_virtual
from peerage.limits import DEFAULT, Limits
from peerage.peer.connection import PeerConnection
from peerage.peer.messages import PROTOCOL_VERSION, Hello, LinkKind
from peerage.peer.peer import Environment, Peer
from peerage.transport.base import Link, Transport
from peerage.transport.memory import MemoryNetwork, MemoryTransport
from peerage.wire.frame import Frame, FrameReader
from peerage.wire.message import Message, Request, encode

LATENCY = 0.02  # seconds one way between any two hosts
PORT = 7411
NETWORK = Network.public("tests")
HELLO = Hello(PROTOCOL_VERSION, LinkKind.TALK, "test")


class Heard(Message, frozen=True):
    text: str


class Say(Request[Heard], frozen=True):
    code: ClassVar[bytes] = b"SAY_"
    text: str


class Note(Message, frozen=True):
    code: ClassVar[bytes] = b"NOTE"
    text: str


class Number(Message, frozen=True):
    value: int


class CountTo(Request[Number], frozen=True):
    code: ClassVar[bytes] = b"COUN"
    limit: int


class Fetch(Request[Heard], frozen=True):
    code: ClassVar[bytes] = b"FTCH"
    length: int


class Target:
    """Memory for one bulk answer."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.buffer = bytearray(length)
        self.allocated = 0
        self.came = 0

    def allocate(self) -> memoryview:
        self.allocated += 1
        return memoryview(self.buffer)

    def progress(self, count: int) -> None:
        self.came += count


class World:
    """Peers on hosts of their own, in one simulated network."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.network = MemoryNetwork(rng, lambda _here, _there: LATENCY)
        self.peers: list[Peer] = []

    def key(self) -> PeerKey:
        return PeerKey.from_seed(self.rng.randbytes(32))

    def transport(
        self, host: str, key: PeerKey, network: Network = NETWORK, limits: Limits = DEFAULT
    ) -> MemoryTransport:
        place = self.network.find(host) or self.network.add_host(host)
        return MemoryTransport(place, network, key, limits)

    def silent_peer(self, host: str, *, key: PeerKey | None = None, limits: Limits = DEFAULT) -> Peer:
        """Make a peer that does not listen."""
        key = key or self.key()
        environment = Environment(self.clock, random.Random(self.rng.random()), limits=limits)
        peer = Peer(key, self.transport(host, key, limits=limits), environment)
        self.peers.append(peer)
        return peer

    async def peer(self, host: str, *, key: PeerKey | None = None, limits: Limits = DEFAULT) -> Peer:
        """Make a peer that listens at PORT of its host."""
        peer = self.silent_peer(host, key=key, limits=limits)
        await peer.listen(Address(host, PORT))
        return peer

    async def pair(self) -> tuple[Peer, Peer, PeerConnection]:
        """Make a server and a client with an open link: (server, client, the client's end)."""
        server, client = await self.peer("server"), await self.peer("client")
        return server, client, await client.connect(server.addresses[0])

    async def rogue(
        self, target: Peer, *, host: str = "rogue", key: PeerKey | None = None, hello: bool = True
    ) -> Rogue:
        """Dial a peer with a link of which this test sends every byte."""
        key = key or self.key()
        return await Rogue.dial(self.transport(host, key), target.addresses[0], hello=hello)

    async def close(self) -> None:
        for peer in self.peers:
            await peer.stop()


class Rogue:
    """A link without a framework above it: what it sends is up to the test; what comes is cut into frames."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.frames: list[Frame] = []
        self.reading = True
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._reader = FrameReader()
        self._buffer = bytearray(65536)
        self._news = asyncio.Event()

    @classmethod
    async def dial(cls, transport: Transport, address: Address, *, hello: bool = True) -> Rogue:
        rogue = cls(await transport.dial(address))
        rogue.link.start(rogue)
        if hello:
            rogue.link.write(encode(HELLO))
        return rogue

    def write(self, data: bytes) -> None:
        self.link.write(data)

    def say(self, message: Message, tag: int = 0) -> None:
        self.link.write(encode(message, tag))

    async def answer(self, code: bytes) -> Frame:
        """Wait for a frame of that type and return the first."""
        while True:
            for frame in self.frames:
                if frame.code == code:
                    return frame
            self._news.clear()
            await self._news.wait()

    # --- Receiver ---

    def get_buffer(self, hint: int) -> memoryview:
        return memoryview(self._buffer)

    def buffer_updated(self, count: int) -> None:
        self.frames += self._reader.feed(self._buffer[:count])
        self._news.set()

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...

    def link_lost(self, error: Exception | None) -> None:
        self.lost.set_result(error)
        self._news.set()


class Elsewhere(msgspec.Struct, frozen=True):
    """No message at all."""

    text: str


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test that takes a World in virtual time, and stop its peers at the end."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def main(rng: random.Random) -> None:
            world = World(rng)
            try:
                await test(world, *args, **kwargs)
            finally:
                await world.close()
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            assert not rest, f"tasks are left: {rest}"

        run_virtual(main)

    _first, *others = inspect.signature(test).parameters.values()
    run.__signature__ = inspect.Signature(others)  # type: ignore[attr-defined]
    return run
