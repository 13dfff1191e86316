"""pyipv8 as a contestant of bench/messages.py: one overlay, requests and replies as UDP datagrams, no discovery.

Styles: `tutorial` is what its documentation teaches (a dataclass payload, `ez_send`, signed); `compiled-signed` the same
with `@vp_compile`; `compiled` is the fastest way its public API has (`@vp_compile`, `sig=False`): neither signed
nor encrypted. A `+uvloop` behind the style runs it on uvloop.

Datagrams get lost when the receiver's buffer is full, so a pipelined batch keeps WINDOW requests under way and asks again
for what has not come after a second.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import dataclass
from typing import ClassVar

from _contest import answer, hear, say
from ipv8.community import Community, CommunitySettings
from ipv8.configuration import ConfigBuilder
from ipv8.lazy_community import lazy_wrapper, lazy_wrapper_unsigned
from ipv8.messaging.lazy_payload import VariablePayload, vp_compile
from ipv8.messaging.payload_dataclass import DataClassPayload
from ipv8.peer import Peer
from ipv8_service import IPv8

WINDOW = 128  # more gains nothing here and begins to lose datagrams


@vp_compile
class CompiledRequest(VariablePayload):
    msg_id = 1
    format_list: ClassVar = ["I", "varlenH"]
    names: ClassVar = ["number", "body"]


@vp_compile
class CompiledReply(VariablePayload):
    msg_id = 2
    format_list: ClassVar = ["I", "varlenH"]
    names: ClassVar = ["number", "body"]


@dataclass
class TutorialRequest(DataClassPayload[3]):
    number: int
    body: bytes


@dataclass
class TutorialReply(DataClassPayload[4]):
    number: int
    body: bytes


class Exchange(Community):
    """Answers requests, and asks and matches replies by number."""

    community_id = b"peerage-bench-ipv8.."
    request: type
    reply: type
    signed: bool

    def __init__(self, settings: CommunitySettings) -> None:
        super().__init__(settings)
        self.pending: set[int] = set()
        self.unsent: list[int] = []
        self.body = b""
        self.batch: asyncio.Future | None = None
        self.other: Peer | None = None
        wrap = lazy_wrapper if self.signed else lazy_wrapper_unsigned
        self.add_message_handler(self.request, wrap(self.request)(type(self).on_request).__get__(self))
        self.add_message_handler(self.reply, wrap(self.reply)(type(self).on_reply).__get__(self))

    def started(self, host: str, port: int) -> None:
        # The key of the other side is needed by ez_send's signature only for its address, so our own will do.
        self.other = Peer(self.my_peer.public_key, (host, port))

    def on_request(self, source, message) -> None:
        reply = self.reply(message.number, message.body)
        if self.signed:
            self.ez_send(source, reply)
        else:
            self._ez_senda(source, reply, sig=False)

    def on_reply(self, _source, message) -> None:
        if message.number not in self.pending:
            return
        self.pending.discard(message.number)
        if self.unsent:
            self.ask(self.unsent.pop())
        elif not self.pending and not self.batch.done():
            self.batch.set_result(None)

    def ask(self, number: int) -> None:
        self.pending.add(number)
        self.ez_send(self.other, self.request(number, self.body), sig=self.signed)

    async def pipelined(self, count: int, size: int) -> None:
        self.body = bytes(size)
        self.unsent = list(range(count))
        self.batch = asyncio.get_running_loop().create_future()
        for _ in range(min(WINDOW, count)):
            self.ask(self.unsent.pop())
        while True:
            before = len(self.unsent)
            done, _ = await asyncio.wait([self.batch], timeout=1)
            if done:
                return
            if before == len(self.unsent):  # everything under way was lost
                for number in tuple(self.pending):
                    self.ask(number)

    async def sequential(self, size: int) -> None:
        await self.pipelined(1, size)


class Compiled(Exchange):
    request, reply, signed = CompiledRequest, CompiledReply, False


class CompiledSigned(Exchange):
    request, reply, signed = CompiledRequest, CompiledReply, True


class Tutorial(Exchange):
    request, reply, signed = TutorialRequest, TutorialReply, True


STYLES = {"compiled": Compiled, "compiled-signed": CompiledSigned, "tutorial": Tutorial}


TutorialRequest(0, b""), TutorialReply(0, b"")  # a dataclass payload cannot be received before the first one was made


async def main(role: str, style: str, address: str = "") -> None:
    builder = ConfigBuilder().clear_keys().clear_overlays().set_log_level("ERROR")
    builder.set_address("127.0.0.1").set_port(20_000)  # or the next free one
    builder.add_ephemeral_key("bench").add_overlay("Overlay", "bench", [], [], {}, [])  # no walkers, no bootstrappers
    node = IPv8(builder.finalize(), extra_communities={"Overlay": STYLES[style]})
    await node.start()
    overlay = node.overlays[0]
    try:
        if role == "serve":
            host, port = node.endpoint.get_address()
            say(address=f"{host}:{port}")
            await asyncio.to_thread(sys.stdin.read)
            return
        host, _, port = address.rpartition(":")
        overlay.started(host, int(port))
        await overlay.sequential(8)
        say(ready=True)
        while job := await asyncio.to_thread(hear):
            await answer(job, overlay.pipelined, overlay.sequential)
    finally:
        await node.stop()


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    chosen, _, loop = sys.argv[2].partition("+")
    if loop == "uvloop":
        import uvloop

        uvloop.run(main(sys.argv[1], chosen, *sys.argv[3:]))
    else:
        asyncio.run(main(sys.argv[1], chosen, *sys.argv[3:]))
