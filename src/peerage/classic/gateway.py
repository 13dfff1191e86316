"""The classic port: old peers join, list, ask, fetch and leave over the clear-text wire of 2007.

Invariant: one request per connection, then the answer, then the end; a connection that is silent, slow or unread ends
by itself, and holds no more than a request and a chunk of a file. What a stranger says about others is not acted upon:
nobody is dialled at an address that is neither the stranger's own nor that of a known peer, nobody is removed by
somebody else, no file is opened but by its public name. What is found or known is told in the clear, to anybody.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from peerage.classic.doorkeeper import Doorkeeper
from peerage.classic.hearing import Hearing
from peerage.classic.offer import Offer, Opened, chunks_of
from peerage.classic.old_peers import OldPeers
from peerage.errors import LinkError, LinkLostError, ProtocolError, StoreError
from peerage.identity.address import Address
from peerage.limits import (
    CLASSIC_ANSWER_SECONDS,
    CLASSIC_CHUNK,
    CLASSIC_CONNECTIONS,
    CLASSIC_FILE_PATIENCE,
    CLASSIC_FILES_AT_ONCE,
    CLASSIC_LINGER_SECONDS,
    CLASSIC_REQUEST_SECONDS,
    KIB,
)
from peerage.peer.service import Service
from peerage.peer.tasks import TaskScope
from peerage.transport.base import Listener
from peerage.transport.clear import Channel, ClearTransport
from peerage.wire import classic
from peerage.wire.classic import FileRequest, Frame, FrameReader

log = logging.getLogger("peerage.classic")

_READ: Final = 4 * KIB
_LINGER_BYTES: Final = 64 * KIB
_TASKS: Final = 8 * CLASSIC_CONNECTIONS  # those that had to give way take a moment to go


class Gateway(Service):
    """The port at `address`, beside the old peers that are known and what is offered to them."""

    name = "classic"

    def __init__(
        self,
        transport: ClearTransport,
        address: Address,
        old_peers: OldPeers,
        offer: Offer,
        spend: Callable[[int, float], float] = lambda _count, _now: 0.0,
    ) -> None:
        """`spend` is the speed limit: takes bytes and the time, returns the seconds to wait."""
        self._transport = transport
        self._wanted = address
        self._old_peers = old_peers
        self._offer = offer
        self._spend = spend
        self._doorkeeper: Doorkeeper[Channel] = Doorkeeper()
        self._serving: dict[Channel, asyncio.Task[None]] = {}
        self._turns = FileTurns()
        self._listener: Listener | None = None

    @property
    def address(self) -> Address | None:
        """Where it listens."""
        return self._listener.addresses[0] if self._listener is not None else None

    async def start(self) -> None:
        """Begin to listen; raises DialError when that cannot be."""
        self._hearing = Hearing(self._old_peers, self._offer)
        self._connections = TaskScope(self.peer.metrics, _TASKS, "classic connections")
        self._listener = await self._transport.listen(self._wanted, self._accept)
        self._old_peers.whereabouts.listening = self.address
        log.warning("the classic port at %s is neither encrypted nor authenticated", self.address)

    async def stop(self) -> None:
        """Say goodbye to the old peers, stop listening and end every connection."""
        await self._old_peers.say_goodbye()
        self._old_peers.whereabouts.listening = None
        if self._listener is not None:
            await self._listener.close()
            self._listener = None
        await self._connections.close()

    # --- connections --------------------------------------------------------------------------------------------

    def _accept(self, channel: Channel) -> None:
        stays, out = self._doorkeeper.enter(channel, channel.remote.host)
        if out is not None:
            self.peer.metrics.count("classic_ended_early")
            self._serving[out].cancel()  # it may wait for a turn, and would not notice that its connection is gone
        if not stays or self._connections.full:
            self.peer.metrics.count("classic_refused", "crowded")
            self._doorkeeper.leave(channel)
            channel.abort()
            return
        task = self._serving[channel] = self._connections.start(self._serve(channel))
        task.add_done_callback(lambda _task: self._over(channel))

    def _over(self, channel: Channel) -> None:
        del self._serving[channel]
        self._doorkeeper.leave(channel)
        channel.abort()

    async def _serve(self, channel: Channel) -> None:
        """Hear one request and answer it; whatever is wrong with it ends this connection alone."""
        try:
            async with asyncio.timeout(CLASSIC_REQUEST_SECONDS):
                frame = await _first_frame(channel)
            if frame is None:
                self.peer.metrics.count("classic_failed", "cut-off")
                return
            await self._answer(channel, frame)
            channel.finish()
            self._doorkeeper.served(channel)
            await _drain(channel)
        except TimeoutError:
            self.peer.metrics.count("classic_failed", "slow")
        except ProtocolError:
            self.peer.metrics.count("classic_failed", "too-long")
        except LinkError:
            self.peer.metrics.count("classic_failed", "lost")

    async def _answer(self, channel: Channel, frame: Frame) -> None:
        request = classic.parse_request(frame)
        self.peer.metrics.count("classic_requests", type(request).__name__)
        if isinstance(request, FileRequest):
            async with self._turns.of(channel.remote.host):  # who still waits for a turn gives way in a crowd
                self._doorkeeper.heard(channel)
                await self._send_file(channel, request)
            return
        self._doorkeeper.heard(channel)
        answer = self._hearing.hear(request, channel)
        if answer:
            async with asyncio.timeout(CLASSIC_ANSWER_SECONDS):
                await channel.write(b"".join(each.encode() for each in answer))

    # --- files --------------------------------------------------------------------------------------------------

    async def _send_file(self, channel: Channel, request: FileRequest) -> None:
        try:
            opened = await self._offer.open(request.name)
            if opened is None:
                await _write(channel, classic.file_unknown().encode())
            elif opened.size > classic.MAX_LENGTH:
                await _write(channel, classic.failure("File too large for this protocol").encode())
            else:
                await self._stream(channel, opened)
        except StoreError as error:
            log.info("a file for an old peer: %s", error)
            await _write(channel, classic.file_unreadable().encode())

    async def _stream(self, channel: Channel, opened: Opened) -> None:
        """Send a file, one chunk in memory; raises StoreError as long as nothing was sent."""
        if not opened.size:
            await _write(channel, classic.encode_head(classic.REPL, 0))
        for offset in chunks_of(opened.size):
            buffer = bytearray(min(CLASSIC_CHUNK, opened.size - offset))
            try:
                await self.peer.in_thread(opened.read, offset, memoryview(buffer))
            except StoreError as error:
                if not offset:
                    raise
                raise ProtocolError(f"a file ended while it was sent: {error}") from error
            head = b"" if offset else classic.encode_head(classic.REPL, opened.size)
            await _write(channel, head + bytes(buffer) if head else buffer)
            pause = self._spend(len(buffer), asyncio.get_running_loop().time())
            if pause:
                await asyncio.sleep(pause)


class FileTurns:
    """Who may be sent a file now: CLASSIC_FILES_AT_ONCE in all, half of them from one host."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(CLASSIC_FILES_AT_ONCE)
        self._of: dict[str, asyncio.Semaphore] = {}
        self._users: Counter[str] = Counter()  # those that are served or wait, by host

    @asynccontextmanager
    async def of(self, host: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it for the duration of the block."""
        own = self._of.setdefault(host, asyncio.Semaphore(CLASSIC_FILES_AT_ONCE // 2))
        self._users[host] += 1
        try:
            async with own, self._all:
                yield
        finally:
            self._users[host] -= 1
            if not self._users[host]:
                del self._users[host], self._of[host]


async def _write(channel: Channel, data: bytes | bytearray) -> None:
    async with asyncio.timeout(CLASSIC_FILE_PATIENCE):
        await channel.write(memoryview(data))


async def _first_frame(channel: Channel) -> Frame | None:
    """Return the first message; None when the other side closes before it is whole."""
    reader = FrameReader()
    while data := await channel.read(_READ):
        frames = reader.feed(data)
        if frames:
            return frames[0]
    return None


async def _drain(channel: Channel) -> None:
    """Wait until the other side closes, too: a close over unread bytes would reset the answer on its way."""
    left = _LINGER_BYTES
    with suppress(TimeoutError, LinkLostError):
        async with asyncio.timeout(CLASSIC_LINGER_SECONDS):
            while left > 0 and (data := await channel.read(_READ)):
                left -= len(data)
