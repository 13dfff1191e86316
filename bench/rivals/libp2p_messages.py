"""py-libp2p as a contestant of bench/messages.py: TCP + Noise + yamux, one stream that stays open, no discovery.

A libp2p stream carries bytes, so length, number and body of a request are framed here by hand. Styles: `messages` writes each
request as it is made and each reply as it is made, as its own examples do; `batched` is the most that can be got out of a stream:
the application gathers requests and replies into large writes itself. Both read in large pieces, and both keep a table
of outstanding requests, for a request without one has no reply.
"""

from __future__ import annotations

import struct
import sys

import trio
from _contest import answer, hear, say
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.network.stream.exceptions import StreamError
from libp2p.peer.peerinfo import info_from_p2p_addr
from multiaddr import Multiaddr

PROTOCOL = "/peerage-bench/1"
HEAD = struct.Struct("!LL")  # length of the body, number of the request
READ = 65_536
WRITE = 32_768  # bytes gathered before a write in the batched style
WINDOW = 4096  # requests under way: more than a round trip needs, less than the stream's 256 KiB window


class Frames:
    """Cuts what was read into (number, body)."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        data = self.rest + data if self.rest else data
        found, place, end = [], 0, len(data)
        while end - place >= HEAD.size:
            length, number = HEAD.unpack_from(data, place)
            stop = place + HEAD.size + length
            if stop > end:
                break
            found.append((number, data[place + HEAD.size : stop]))
            place = stop
        self.rest = data[place:]
        return found


def server(batched: bool):
    async def serve(stream) -> None:
        frames = Frames()
        try:
            while data := await stream.read(READ):
                replies = [HEAD.pack(len(body), number) + body for number, body in frames.feed(data)]
                if batched and replies:
                    await stream.write(b"".join(replies))
                    continue
                for reply in replies:
                    await stream.write(reply)
        except StreamError:
            return  # the asking side has gone

    return serve


class Client:
    """Asks on one open stream."""

    def __init__(self, stream, batched: bool) -> None:
        self.stream = stream
        self.batched = batched
        self.frames = Frames()
        self.pending: set[int] = set()
        self.room = trio.Event()

    async def pipelined(self, count: int, size: int) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.collect, count)
            await self.send(count, bytes(size))

    async def send(self, count: int, body: bytes) -> None:
        step = max(1, WRITE // (HEAD.size + len(body))) if self.batched else 1
        for first in range(0, count, step):
            while len(self.pending) >= WINDOW:
                self.room = trio.Event()
                await self.room.wait()
            numbers = range(first, min(first + step, count))
            self.pending.update(numbers)
            await self.stream.write(b"".join([HEAD.pack(len(body), number) + body for number in numbers]))

    async def collect(self, count: int) -> None:
        while count:
            for number, _ in self.frames.feed(await self.stream.read(READ)):
                self.pending.remove(number)
                count -= 1
            self.room.set()

    async def sequential(self, size: int) -> None:
        self.pending.add(0)
        await self.stream.write(HEAD.pack(size, 0) + bytes(size))
        while self.pending:
            for number, _ in self.frames.feed(await self.stream.read(READ)):
                self.pending.remove(number)


async def main(role: str, style: str, address: str = "") -> None:
    batched = style == "batched"
    host = new_host(key_pair=create_new_key_pair(), muxer_preference="YAMUX")
    listen = [Multiaddr("/ip4/127.0.0.1/tcp/0")]
    async with host.run(listen_addrs=listen), trio.open_nursery() as nursery:
        if role == "serve":
            host.set_stream_handler(PROTOCOL, server(batched))
            say(address=str(host.get_addrs()[0]))
            await trio.to_thread.run_sync(sys.stdin.read)
        else:
            target = info_from_p2p_addr(Multiaddr(address))
            await host.connect(target)
            client = Client(await host.new_stream(target.peer_id, [PROTOCOL]), batched)
            await client.sequential(8)
            say(ready=True)
            while job := await trio.to_thread.run_sync(hear):
                await answer(job, client.pipelined, client.sequential)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
