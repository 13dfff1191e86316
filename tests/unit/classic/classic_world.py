"""What the tests of the classic port share: clear-text channels in memory, whole gateways, and old peers, played.

The played peer keeps to what was read and recorded of the Python original: one request per connection, answer, close;
it believes everything.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from peerage.catalogue.database import Database
from peerage.catalogue.library import Library
from peerage.catalogue.public_files import PublicFiles
from peerage.classic.gateway import Gateway
from peerage.classic.offer import Offer
from peerage.classic.old_peers import OldPeers
from peerage.classic.whereabouts import Whereabouts
from peerage.content.hasher import ManifestHasher
from peerage.content.reader import SharedFiles
from peerage.errors import DialError, LinkLostError
from peerage.identity.address import Address, parse_address
from peerage.identity.keys import PeerKey
from peerage.identity.network import Network
from peerage.lab.clock import InlineExecutor, VirtualClock
from peerage.peer.peer import Environment, Peer
from peerage.transport.base import Listener
from peerage.transport.clear import Channel
from peerage.transport.memory import MemoryNetwork, MemoryTransport
from peerage.wire.classic import Frame, FrameReader, encode_frame

HIGH_WATER = 64 * 1024  # unread bytes of a memory channel, as in a kernel's buffers
LATENCY = 0.01


class MemoryChannel:
    """One end of a connection in memory."""

    def __init__(self, local: Address, remote: Address) -> None:
        self.local, self.remote = local, remote
        self.other: MemoryChannel
        self._incoming: deque[bytes] = deque()
        self._ended = False
        self._broken = False
        self._changed = asyncio.Condition()
        self.aborted = False

    async def read(self, most: int) -> bytes:
        await asyncio.sleep(LATENCY)
        async with self._changed:
            await self._changed.wait_for(lambda: self._incoming or self._ended or self._broken)
            if self._incoming:
                data = self._incoming.popleft()
                if len(data) > most:
                    self._incoming.appendleft(data[most:])
                self._changed.notify_all()
                return data[:most]
            if self._broken and not self._ended:
                raise LinkLostError("reset")
            return b""

    async def write(self, data: bytes | memoryview) -> None:
        """Take it whole, then wait until the other side has read enough of it."""
        other = self.other
        async with other._changed:
            if self._broken or other.aborted:
                raise LinkLostError("reset")
            if data:
                other._incoming.append(bytes(data))
            other._changed.notify_all()
            await other._changed.wait_for(lambda: sum(map(len, other._incoming)) <= HIGH_WATER or other.aborted)
            if other.aborted:
                raise LinkLostError("reset")

    def finish(self) -> None:
        self._soon(self.other, ended=True)

    def abort(self) -> None:
        if not self.aborted:
            self.aborted = True
            self._broken = True
            self._soon(self, ended=False)
            self._soon(self.other, ended=True)

    @staticmethod
    def _soon(channel: MemoryChannel, *, ended: bool) -> None:
        channel._ended = channel._ended or ended

        async def wake() -> None:
            async with channel._changed:
                channel._changed.notify_all()

        task = asyncio.get_running_loop().create_task(wake())
        WAKING.add(task)
        task.add_done_callback(WAKING.discard)


WAKING: set[asyncio.Task[None]] = set()


class Sky:
    """Every host there is; `dialled` lists each attempt to connect, from whom and where to."""

    def __init__(self) -> None:
        self.ears: dict[Address, Callable[[Channel], None]] = {}
        self.dialled: list[tuple[str, Address]] = []
        self._next_port = 50_000

    def transport(self, host: str) -> MemoryClear:
        return MemoryClear(self, host)

    def connect(self, host: str, address: Address) -> MemoryChannel:
        self.dialled.append((host, address))
        accept = self.ears.get(address)
        if accept is None:
            raise DialError(f"nobody at {address}")
        self._next_port += 1
        here, there = (
            MemoryChannel(Address(host, self._next_port), address),
            MemoryChannel(address, Address(host, self._next_port)),
        )
        here.other, there.other = there, here
        accept(there)
        return here


class MemoryListener:
    def __init__(self, sky: Sky, address: Address) -> None:
        self._sky = sky
        self.addresses: tuple[Address, ...] = (address,)

    async def close(self) -> None:
        self._sky.ears.pop(self.addresses[0], None)


class MemoryClear:
    """Clear-text channels between hosts of one sky."""

    def __init__(self, sky: Sky, host: str) -> None:
        self.sky, self.host = sky, host

    async def listen(self, address: Address, accept: Callable[[Channel], None]) -> Listener:
        assert address.host == self.host
        self.sky.ears[address] = accept
        return MemoryListener(self.sky, address)

    async def dial(self, address: Address) -> MemoryChannel:
        await asyncio.sleep(LATENCY)
        return self.sky.connect(self.host, address)


class GatewayNode:
    """A peer with a classic port, in virtual time."""

    def __init__(self, peer: Peer, library: Library, old_peers: OldPeers, gateway: Gateway) -> None:
        self.peer, self.library, self.old_peers, self.gateway = peer, library, old_peers, gateway
        assert gateway.address is not None
        self.address = gateway.address
        self.sky: Sky

    @property
    def known(self) -> list[str]:
        return [each.peer_id for each in self.old_peers.table.all()]

    @property
    def busy(self) -> int:
        """Connections that are open."""
        return len(self.gateway._doorkeeper)


@asynccontextmanager
async def gateway_node(sky: Sky, where: str, rng: random.Random) -> AsyncIterator[GatewayNode]:
    """Run a node whose classic port is at `where`."""
    address = parse_address(where)
    key = PeerKey.from_seed(rng.randbytes(32))
    clock = VirtualClock(asyncio.get_running_loop())
    network = MemoryNetwork(rng, lambda _here, _there: LATENCY)
    transport = MemoryTransport(network.add_host(address.host), Network.public("tests"), key)
    database = await Database.open(None, key.peer_id)
    reader = SharedFiles()
    async with Peer(key, transport, Environment(clock, rng, InlineExecutor())) as peer:
        library = Library(database, key, ManifestHasher(), clock, InlineExecutor())
        clear = sky.transport(address.host)
        old_peers = OldPeers(clear, Whereabouts())
        gateway = Gateway(clear, address, old_peers, Offer(PublicFiles(database), reader))
        await peer.mount(old_peers)
        await peer.mount(gateway)
        node = GatewayNode(peer, library, old_peers, gateway)
        node.sky = sky
        yield node
    reader.close()
    await database.close()


async def exchange(sky: Sky, host: str, address: Address, data: bytes, *pieces: bytes) -> bytes:
    """Connect from a host, send (each piece in a write of its own), read until the other side closes."""
    channel = sky.connect(host, address)
    for each in (data, *pieces):
        await channel.write(each)
    return await read_all(channel)


async def read_all(channel: Channel) -> bytes:
    received = b""
    try:
        while data := await channel.read(1 << 20):
            received += data
    finally:
        channel.abort()
    return received


def message(code: str, text: str | bytes = b"") -> bytes:
    """A message as old peers send it."""
    return encode_frame(code.encode(), text if isinstance(text, bytes) else text.encode())


def frames(data: bytes) -> list[tuple[str, bytes]]:
    reader = FrameReader(1 << 30)
    found = [(code.decode(), payload) for code, payload in reader.feed(data)]
    assert not reader.pending
    return found


class PlayedPeer:
    """An old peer; `heard` lists what it was sent. Subclasses and attributes make it odd."""

    def __init__(self, sky: Sky, where: str) -> None:
        self.sky = sky
        self.address = parse_address(where)
        self.id = where
        self.peers: dict[str, tuple[str, int]] = {}
        self.files: dict[str, str | None] = {}
        self.content: dict[str, bytes] = {}
        self.heard: list[tuple[str, bytes]] = []
        self.closes = True
        self.tasks: set[asyncio.Task[None]] = set()
        self.channels: list[Channel] = []

    def start(self) -> None:
        self.sky.ears[self.address] = self._accept

    def stop(self) -> None:
        self.sky.ears.pop(self.address, None)

    async def rest(self) -> None:
        """Wait until all its searches are over."""
        while self.tasks:
            await asyncio.wait(self.tasks)

    def shares(self, name: str, content: bytes) -> None:
        self.files[name] = None
        self.content[name] = content

    async def send(self, where: str, code: str, text: str = "") -> list[tuple[str, bytes]]:
        return frames(await exchange(self.sky, self.address.host, parse_address(where), message(code, text)))

    async def build(self, where: str, hops: int) -> None:
        """buildpeers of 2007."""
        if not hops:
            return
        _, peer_id = (await self.send(where, "NAME"))[0]
        code, _ = (await self.send(where, "JOIN", f"{self.id} {self.address.host} {self.address.port}"))[0]
        if code != "REPL" or peer_id.decode() in self.peers:
            return
        host, _, port = where.rpartition(":")
        self.peers[peer_id.decode()] = (host, int(port))
        for _, line in (await self.send(where, "LIST"))[1:]:
            other, host, port = line.decode().split()
            if other != self.id:
                await self.build(f"{host}:{port}", hops - 1)

    async def query(self, key: str, ttl: int = 4) -> None:
        for host, port in list(self.peers.values()):
            await self.send(f"{host}:{port}", "QUER", f"{self.id} {key} {ttl}")

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _accept(self, channel: Channel) -> None:
        self.channels.append(channel)
        self.spawn(self._serve(channel))

    async def _serve(self, channel: Channel) -> None:
        reader, found = FrameReader(1 << 30), list[Frame]()
        try:
            while not found and (data := await channel.read(1 << 16)):
                found = reader.feed(data)
            if found:
                code, payload = found[0].code.decode().upper(), found[0].payload
                self.heard.append((code, payload))
                for answer in self.answer(code, payload):
                    await channel.write(answer)
        except LinkLostError:
            pass
        if self.closes:
            channel.abort()

    def answer(self, code: str, payload: bytes) -> list[bytes]:
        fields = payload.decode().split()
        match code:
            case "NAME":
                return [message("REPL", self.id)]
            case "LIST":
                lines = [f"{each} {host} {port}" for each, (host, port) in self.peers.items()]
                return [message("REPL", str(len(lines))), *(message("REPL", line) for line in lines)]
            case "JOIN":
                peer_id, host, port = fields
                if peer_id in self.peers or peer_id == self.id:
                    return [message("ERRO", f"Join: peer already inserted {peer_id}")]
                self.peers[peer_id] = (host, int(port))
                return [message("REPL", f"Join: peer added: {peer_id}")]
            case "QUER":
                return_id, key, ttl = fields
                self.spawn(self._search(return_id, key, int(ttl)))
                return [message("REPL", f"Query ACK: {key}")]
            case "RESP":
                self.files.setdefault(fields[0], fields[1])
                return []
            case "FGET":
                content = self.content.get(payload.decode())
                return [message("ERRO", "File not found") if content is None else message("REPL", content)]
            case "QUIT":
                known = self.peers.pop(payload.decode().strip(), None)
                words = "REPL", f"Quit: peer removed: {payload.decode()}"
                return [message(*words) if known else message("ERRO", f"Quit: peer not found: {payload.decode()}")]
        return []

    async def _search(self, return_id: str, key: str, ttl: int) -> None:
        for name, owner in self.files.items():
            if key in name:
                await self.send(return_id, "RESP", f"{name} {owner or self.id}")
                return
        if ttl > 0:
            for host, port in list(self.peers.values()):
                await self.send(f"{host}:{port}", "QUER", f"{return_id} {key} {ttl - 1}")


async def share(node: GatewayNode, folder: Path, **files: bytes) -> None:
    """Share files publicly; `_` in a keyword stands for a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    await node.library.share(folder)
