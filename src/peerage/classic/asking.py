"""Questions to old peers: one connection, one message, and what comes back.

Invariant: every question ends within its time and holds a bounded number of bytes, whatever the other side does: closes
at once, sends garbage, trickles, or never closes. Each message leaves in one write, as some old peers lose one that
comes in pieces. Whether an answer is REPL or ERRO counts; its words are never read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from peerage.errors import DialError, LinkLostError, ProtocolError
from peerage.identity.address import Address
from peerage.limits import (
    CLASSIC_ANSWER_SECONDS,
    CLASSIC_DIALS,
    CLASSIC_KEY_CHARS,
    DIAL_TIMEOUT,
    KIB,
    MAX_CLASSIC_ANSWER,
)
from peerage.transport.clear import Channel, ClearTransport
from peerage.wire import classic
from peerage.wire.classic import Frame, FrameReader, Neighbour

_READ: Final = 16 * KIB


class Answer(NamedTuple):
    """The messages that came before the other side closed, or enough was there, or the time was over.

    `local` is the address of this side: where the other side sees this node.
    """

    frames: tuple[Frame, ...]
    local: Address

    @property
    def first(self) -> Frame | None:
        """Return the first message; None when none came."""
        return self.frames[0] if self.frames else None

    @property
    def agreed(self) -> bool:
        """Whether it was a REPL."""
        return self.first is not None and self.first.code.upper() == classic.REPL


class Asking:
    """Asks old peers, a bounded number at once."""

    def __init__(self, transport: ClearTransport) -> None:
        self._transport = transport
        self._places = asyncio.Semaphore(CLASSIC_DIALS)

    async def ask(self, address: Address, request: Frame, enough: Callable[[list[Frame]], bool]) -> Answer:
        """Send one message and take answers until `enough`; raises DialError when nobody is there."""
        return await self.ask_as(address, lambda _local: request, enough)

    async def ask_as(
        self, address: Address, request: Callable[[Address], Frame], enough: Callable[[list[Frame]], bool]
    ) -> Answer:
        """Do the same with a message that depends on the address of this side."""
        async with self._places:
            channel = await self._transport.dial(address)
            frames: list[Frame] = []
            try:
                with _leniently():
                    async with asyncio.timeout(CLASSIC_ANSWER_SECONDS):
                        await channel.write(request(channel.local).encode())
                        await _receive(channel, frames, enough)
            finally:
                channel.abort()
            return Answer(tuple(frames), channel.local)

    async def name(self, address: Address) -> str | None:
        """Ask a peer for its id; None when nobody sensible is there."""
        try:
            answer = await self.ask(address, classic.NameRequest().frame(), one)
        except DialError:
            return None
        if not answer.agreed or answer.first is None:
            return None
        words = answer.first.payload.split()
        return classic.text_of(words[0]) if len(words) == 1 and len(words[0]) <= CLASSIC_KEY_CHARS else None

    async def listing(self, address: Address, most: int) -> list[Neighbour]:
        """Ask a peer whom it knows; the first `most` of them."""
        try:
            answer = await self.ask(address, classic.ListRequest().frame(), lambda frames: _has_list(frames, most))
        except DialError:
            return []
        if not answer.agreed:
            return []
        found = (classic.parse_neighbour(frame.payload) for frame in answer.frames[1 : most + 1])
        return [each for each in found if each is not None]

    async def tell(self, address: Address, request: Frame) -> bool:
        """Send what may or may not be answered; whether somebody took it."""
        try:
            await self.ask(address, request, one)
        except DialError:
            return False
        return True


def one(frames: list[Frame]) -> bool:
    """Whether there is an answer: an old peer may forget to close."""
    return bool(frames)


def _has_list(frames: list[Frame], most: int) -> bool:
    """Whether a LIST is there as far as it is wanted: the number that comes first, and as many lines."""
    if not frames:
        return False
    count = classic.parse_count(frames[0].payload)
    return count is None or len(frames) > min(count, most)


async def _receive(channel: Channel, frames: list[Frame], enough: Callable[[list[Frame]], bool]) -> None:
    reader, taken = FrameReader(), 0
    while not enough(frames) and taken < MAX_CLASSIC_ANSWER:
        data = await channel.read(_READ)
        if not data:
            return
        taken += len(data)
        frames += reader.feed(data)


@contextmanager
def _leniently() -> Iterator[None]:
    """Let what goes wrong after the connection stands end the answer: old peers reset, trickle and send nonsense."""
    with suppress(LinkLostError, ProtocolError, TimeoutError):
        yield


ASK_SECONDS: Final = DIAL_TIMEOUT + CLASSIC_ANSWER_SECONDS
"""How long one question takes at the most, once it has its place."""
