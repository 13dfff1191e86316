"""Peerage as a contestant of bench/messages.py: one link over mutual TLS 1.3, typed messages, a plain handler.

Styles: `batch` asks with `request_all`, the call made for many requests; `gather` has a task for each request, as independent
parts of a program would. One sequential request is `await connection.request(...)` in both.
"""

from __future__ import annotations

import asyncio
import sys
from typing import ClassVar

import uvloop
from _contest import answer, hear, say

from peerage.identity.address import parse_address
from peerage.peer.open import open_peer
from peerage.wire.message import Message, Request


class Reply(Message, frozen=True, array_like=True):
    number: int
    body: bytes


class Ask(Request[Reply], frozen=True, array_like=True):
    code: ClassVar[bytes] = b"BNCH"
    reply: ClassVar[type[Message]] = Reply
    number: int
    body: bytes


async def serve() -> None:
    async with open_peer() as peer:
        peer.add_handler(Ask, lambda _connection, ask: Reply(ask.number, ask.body))
        say(address=str(peer.addresses[0]))
        await asyncio.to_thread(sys.stdin.read)


async def client(style: str, address: str) -> None:
    async with open_peer(listen=None) as peer:
        connection = await peer.connect(parse_address(address))

        async def batch(count: int, size: int) -> None:
            body = bytes(size)
            replies = await connection.request_all([Ask(number, body) for number in range(count)])
            assert len(replies) == count

        async def gather(count: int, size: int) -> None:
            body = bytes(size)
            replies = await asyncio.gather(*[connection.request(Ask(number, body)) for number in range(count)])
            assert len(replies) == count

        async def sequential(size: int) -> None:
            reply = await connection.request(Ask(0, bytes(size)))
            assert len(reply.body) == size

        await sequential(8)
        say(ready=True)
        while job := await asyncio.to_thread(hear):
            await answer(job, batch if style == "batch" else gather, sequential)


if __name__ == "__main__":
    uvloop.run(serve() if sys.argv[1] == "serve" else client(*sys.argv[2:]))
