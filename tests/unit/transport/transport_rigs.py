"""What the conformance suite needs of a transport: a loop to run in, two ends, and a stranger who is no peer."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.identity.network import Network
from peerage.lab.clock import run_virtual
from peerage.limits import DEFAULT, Limits
from peerage.transport.base import Link, Listener, Transport
from peerage.transport.memory import MemoryNetwork, MemoryTransport, Stranger
from peerage.transport.tcp import TcpTransport

PATIENCE = 30.0  # seconds after which a test gives up, virtual or real
NETWORK = Network.public("conformance")
OTHER_NETWORK = Network.public("somewhere else")


class Waiting:
    """Something whose state can be waited for."""

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    def changed(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                waiter = asyncio.get_running_loop().create_future()
                self._waiters.append(waiter)
                await waiter


class Recorder(Waiting):
    """A receiver that keeps everything."""

    def __init__(self, link: Link, room: int = 65536, *, start: bool = True) -> None:
        super().__init__()
        self.link = link
        self.data = bytearray()
        self.reads = 0
        self.pauses = 0
        self.resumes = 0
        self.lost: list[Exception | None] = []
        self.on_data: Callable[[], None] = lambda: None
        self._buffer = bytearray(room)
        if start:
            link.start(self)

    def get_buffer(self, hint: int) -> memoryview:
        assert not self.lost, "bytes after the end"
        return memoryview(self._buffer)

    def buffer_updated(self, count: int) -> None:
        assert 0 < count <= len(self._buffer)
        self.data += self._buffer[:count]
        self.reads += 1
        self.on_data()
        self.changed()

    def pause_writing(self) -> None:
        assert self.pauses == self.resumes
        self.pauses += 1
        self.changed()

    def resume_writing(self) -> None:
        self.resumes += 1
        assert self.pauses == self.resumes
        self.changed()

    def link_lost(self, error: Exception | None) -> None:
        self.lost.append(error)
        self.changed()

    async def has(self, count: int) -> bytes:
        await self.until(lambda: len(self.data) >= count or bool(self.lost))
        return bytes(self.data)

    async def ended(self) -> Exception | None:
        await self.until(lambda: bool(self.lost))
        return self.lost[0]


class Door(Waiting):
    """A gate, and the links that came through it."""

    def __init__(self) -> None:
        super().__init__()
        self.open = True
        self.asked: list[str] = []
        self.failures: list[str] = []
        self.links: list[Link] = []

    def admits(self, host: str) -> bool:
        self.asked.append(host)
        self.changed()
        return self.open

    def handshake_failed(self, reason: str) -> None:
        self.failures.append(reason)
        self.changed()

    def accept(self, link: Link) -> None:
        self.links.append(link)
        self.changed()

    async def comes(self, count: int = 1) -> Link:
        await self.until(lambda: len(self.links) >= count)
        return self.links[count - 1]


class Rig:
    """One transport under test."""

    host = ""
    unreached: Address  # where nobody listens

    def run(self, scenario: Callable[["Rig"], Coroutine[Any, Any, None]]) -> None:
        raise NotImplementedError

    def transport(self, network: Network = NETWORK, key: PeerKey | None = None, limits: Limits = DEFAULT) -> Transport:
        raise NotImplementedError

    async def stranger(self, address: Address) -> Any:
        raise NotImplementedError

    async def listen(self, door: Door, transport: Transport | None = None) -> Listener:
        return await (transport or self.transport()).listen(Address(self.host, 0), door, door.accept)

    @contextlib.asynccontextmanager
    async def pair(self):
        """Two ends of one link, the one that dialled first."""
        door = Door()
        listener = await self.listen(door)
        near = await self.transport().dial(listener.addresses[0])
        far = await door.comes()
        await listener.close()
        try:
            yield near, far
        finally:
            near.abort()
            far.abort()
            await asyncio.sleep(0)  # the loop closes what was aborted

    async def fence(self) -> None:
        """Return when what was sent before has surely arrived."""
        for _ in range(3):
            async with self.pair() as (near, far):
                one, other = Recorder(near), Recorder(far)
                near.write(b"x" * 100_000)
                await other.has(100_000)
                far.write(b"y")
                await one.has(1)


class TcpRig(Rig):
    host = "127.0.0.1"
    unreached = Address("127.0.0.1", 9)

    def __init__(self, make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self._make_loop = make_loop

    def run(self, scenario):
        errors: list[dict[str, Any]] = []

        async def main() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context))
            await scenario(self)

        with asyncio.Runner(loop_factory=self._make_loop) as runner:
            runner.run(main())
        assert not errors

    def transport(self, network=NETWORK, key=None, limits=DEFAULT):
        return TcpTransport(network, key or PeerKey.generate(), limits)

    async def stranger(self, address):
        return await TcpStranger.connect(address)


class TcpStranger:
    @classmethod
    async def connect(cls, address: Address) -> "TcpStranger":
        stranger = cls()
        stranger.reader, stranger.writer = await asyncio.open_connection(address.host, address.port)
        return stranger

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def wait_closed(self) -> None:
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass
        self.close()

    def close(self) -> None:
        self.writer.transport.abort()


class MemoryRig(Rig):
    host = ""

    def run(self, scenario):
        async def main(rng: random.Random) -> None:
            self.network = MemoryNetwork(rng, lambda one, other: 0.02 if one < other else 0.03)
            self._names = (f"10.0.0.{number}" for number in itertools.count(1))
            self.unreached = Address(self.network.add_host("10.9.9.9").name, 9)
            await scenario(self)

        run_virtual(main, horizon=600)

    def transport(self, network=NETWORK, key=None, limits=DEFAULT):
        host = self.network.add_host(next(self._names))
        return MemoryTransport(host, network, key or PeerKey.generate(), limits)

    async def stranger(self, address):
        return Stranger(self.network.add_host(next(self._names)), address)


RIGS = {
    "tcp": lambda: TcpRig(asyncio.new_event_loop),
    "tcp-uvloop": lambda: TcpRig(uvloop.new_event_loop),
    "memory": MemoryRig,
}
