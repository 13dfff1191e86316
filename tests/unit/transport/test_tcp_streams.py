"""Clear-text channels over real sockets on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from peerage.errors import DialError, LinkLostError
from peerage.identity.address import Address
from peerage.transport.base import Listener
from peerage.transport.clear import Channel
from peerage.transport.tcp_streams import READ_AHEAD, TcpStreams

ANYWHERE = Address("127.0.0.1", 0)


class Ear:
    """A listener and the channels it got."""

    def __init__(self, listener: Listener, accepted: asyncio.Queue[Channel]) -> None:
        self.listener, self.accepted = listener, accepted
        (self.address,) = listener.addresses


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    accepted: asyncio.Queue[Channel] = asyncio.Queue()
    listener = await TcpStreams().listen(ANYWHERE, accepted.put_nowait)
    yield Ear(listener, accepted)
    await listener.close()
    while not accepted.empty():
        accepted.get_nowait().abort()


async def pair(ear: Ear) -> tuple[Channel, Channel]:
    here = await TcpStreams().dial(ear.address)
    return here, await ear.accepted.get()


async def test_bytes_go_both_ways_and_each_end_can_end(ear: Ear) -> None:
    here, there = await pair(ear)
    assert here.remote == ear.address == there.local
    assert there.remote == here.local
    await here.write(b"question")
    here.finish()
    assert await there.read(100) == b"question"
    assert await there.read(100) == b""
    await there.write(memoryview(b"answer"))
    there.finish()
    assert await here.read(3) == b"ans"
    assert await here.read(100) == b"wer"
    assert await here.read(100) == b""
    here.abort()
    there.abort()
    there.abort()


async def test_a_writer_waits_for_the_reader_and_all_of_it_arrives(ear: Ear) -> None:
    here, there = await pair(ear)
    data = bytes(range(256)) * 64 * 1024  # 16 MiB: more than all buffers on the way

    async def write() -> None:
        await there.write(data)
        there.finish()

    writing = asyncio.create_task(write())
    await asyncio.sleep(0)
    assert not writing.done()
    received = bytearray()
    while chunk := await here.read(1 << 20):
        received += chunk
    await writing
    assert received == data
    here.abort()
    there.abort()


async def test_little_is_kept_of_what_nobody_reads(ear: Ear) -> None:
    here, there = await pair(ear)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await here.write(bytes(1 << 25))
    assert len(there._reader._buffer) <= 2 * READ_AHEAD + 256 * 1024  # type: ignore[attr-defined]  # one read beyond
    here.abort()
    there.abort()


async def test_a_broken_channel_says_so(ear: Ear) -> None:
    here, there = await pair(ear)
    there.abort()

    async def write_on() -> None:
        while True:
            await here.write(b"x" * 100_000)
            await asyncio.sleep(0)

    with pytest.raises(LinkLostError):
        await write_on()
    here.finish()
    here.abort()


async def test_nobody_there_and_a_place_that_is_taken(ear: Ear) -> None:
    with pytest.raises(DialError, match="cannot listen at"):
        await TcpStreams().listen(ear.address, lambda _channel: None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = Address("127.0.0.1", free.getsockname()[1])
        with pytest.raises(DialError, match="nobody answers there"):
            await TcpStreams().dial(nobody)
