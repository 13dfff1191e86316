"""A small group chat without a server: whoever knows one member soon hears all of them.

    python examples/chat.py anna                   prints where anna can be reached
    python examples/chat.py bert 127.0.0.1:40123   joins her there

Each line that is typed goes to everyone; the end of the input (Ctrl-D) leaves. Once a second a stabilizer asks the
neighbours whom they know and connects to those, so no member is special, and anyone may leave.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any

from peerage import (
    Address,
    Handler,
    Message,
    PeerageError,
    PeerConnection,
    PeerId,
    Request,
    Service,
    Stabilizer,
    open_peer,
    parse_address,
)

MAX_MEMBERS = 50  # of one answer: what others send is bounded here, too


class Line(Message, frozen=True):
    """What somebody typed."""

    code = b"LINE"
    name: str
    text: str


class Members(Message, frozen=True):
    """Who is there, and where."""

    members: tuple[tuple[PeerId, Address], ...]


class WhoIsThere(Request[Members], frozen=True):
    """Whom do you know?"""

    code = b"WHO?"


class Chat(Service):
    """Everything a chat needs from a peer: two handlers, a stabilizer, and to hear of newcomers."""

    name = "chat"

    def __init__(self, nickname: str) -> None:
        self.nickname = nickname

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        return ((Line, self.show), (WhoIsThere, self.tell_members))

    def stabilizers(self) -> Iterable[Stabilizer]:
        return (Stabilizer(self.meet_everyone, interval=1.0),)

    def peer_connected(self, connection: PeerConnection) -> None:
        connection.send(Line(self.nickname, "(is here)"))

    def show(self, _connection: PeerConnection, line: Line) -> None:
        print(f"{printable(line.name)}: {printable(line.text)}", flush=True)

    def tell_members(self, connection: PeerConnection, _message: WhoIsThere) -> Members:
        others = (self.peer.get_peer(each.peer_id) for each in self.peer.neighbours() if each is not connection)
        return Members(tuple((each.peer_id, each.addresses[0]) for each in others if each and each.addresses))

    async def meet_everyone(self) -> None:
        for connection in self.peer.neighbours():
            with suppress(PeerageError):  # that one has just left: the next round comes soon
                found = await connection.request(WhoIsThere())
                for peer_id, address in found.members[:MAX_MEMBERS]:
                    await self.peer.connect(address, expect=peer_id)

    def say(self, text: str) -> None:
        for connection in self.peer.neighbours():
            with suppress(PeerageError):  # that one reads too slowly, or has just left
                connection.send(Line(self.nickname, text))


def printable(text: str) -> str:
    """Whatever others send, it must not control this terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


async def typed_lines() -> AsyncIterator[str]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode(errors="replace").strip()


async def main(nickname: str, *known: str) -> None:
    chat = Chat(nickname)
    async with open_peer() as peer:
        await peer.mount(chat)
        print(f"{nickname} can be reached at {peer.addresses[0]}", flush=True)
        for address in known:
            await peer.connect(parse_address(address))
        async for line in typed_lines():
            chat.say(line)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
