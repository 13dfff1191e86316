"""A connection to one other peer: messages over a link, the deck's PeerConnection.

Invariant: all frames of one read are handled before anything is written, and what they caused goes out in one write;
the first message of either side is its hello, and nothing else is handled before `on_open` was called. While answers
cannot leave, requests are held back in order, and above a bound the link is no longer read; replies are always taken.
Rules about who may connect are not here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from peerage.errors import LinkLostError, PeerageError, ProtocolError, RequestTimeoutError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, format_id
from peerage.limits import LINK_IDLE, MAX_HELD_REQUESTS, REQUEST_TIMEOUT, Limits
from peerage.peer.asker import Asker
from peerage.peer.dispatch import Dispatcher
from peerage.peer.handlers import Answer, Bulk, Later
from peerage.peer.messages import PROTOCOL_VERSION, Hello, LinkKind, Ping, Pong
from peerage.peer.metrics import Metrics
from peerage.peer.outbox import Outbox
from peerage.peer.pacing import Brake, Pace, PacedWriter
from peerage.peer.requests import BulkTarget
from peerage.transport.base import Link
from peerage.wire.frame import BULK, Frame, FrameReader
from peerage.wire.message import ERROR, REPLY, Done, Message, Refusal, ReplyT, Request, decode

log = logging.getLogger("peerage.peer")

_FRAME_COST = 256  # bytes of memory that a held frame takes beside its payload


class Upkeep(NamedTuple):
    """What a connection is held to, and where it counts."""

    limits: Limits
    metrics: Metrics


class PeerConnection:
    """Messages to and from one other peer; `peer_id` is proved, `remote` is where it is as seen from here."""

    def __init__(self, link: Link, local_id: PeerId, dispatcher: Dispatcher, upkeep: Upkeep) -> None:
        limits, self._metrics = upkeep
        self._loop = asyncio.get_running_loop()
        self._link = link
        self._dispatcher = dispatcher
        self._patience = limits.handshake_timeout
        self._out = Outbox(link, limits, self._metrics)
        self._asker = Asker(self._out, limits.requests_per_link, self._metrics)
        self._reader = FrameReader(self._asker)
        self._writer: PacedWriter | None = None  # slows down what this side sends
        self._brake: Brake | None = None  # slows down what it takes
        self._stuck = False  # whether requests are held back
        self._held: list[Frame] = []
        self._held_bytes = 0
        self._greeted = False
        self._hello: asyncio.Future[Hello] = self._loop.create_future()
        self._lost: asyncio.Future[PeerageError] = self._loop.create_future()
        self.on_open: Callable[[PeerConnection], None] = _ignore
        self.on_lost: Callable[[PeerConnection], None] = _ignore
        self.local_id = local_id
        self.peer_id = link.peer_id
        self.public_key = link.public_key  # raw Ed25519
        self.remote = link.remote
        self.outgoing = link.outgoing  # whether this side dialled
        self.kind = LinkKind.TALK
        self.dialled: Address | None = None  # where this side reached the other
        self.idle = LINK_IDLE  # seconds without use after which this side closes it, if it dialled and nobody holds it
        self.at_work: dict[asyncio.Task[None], bool] = {}  # coroutine handlers, and whether somebody wants an answer
        self.received = 0  # bytes, since it is open
        self.opened = self.last_heard = self.last_used = self._loop.time()  # pings are heard, but are no use

    def __repr__(self) -> str:
        return f"<PeerConnection {self.kind} {format_id(self.peer_id)[:8]} {self.remote}>"

    # --- who and where --------------------------------------------------------------------------------------

    @property
    def hello(self) -> Hello:
        """What the other side said first."""
        return self._hello.result()

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._out.closed is None

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent."""
        return self._out.unsent

    @property
    def sent(self) -> int:
        """Bytes that have left since it is open."""
        return self._out.handed - self._out.link_unsent

    @property
    def waiting(self) -> int:
        """How many requests of this side wait for their answer."""
        return self._asker.waiting

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for an answer over it, on either side, or bytes wait to be sent."""
        return bool(self._asker.waiting or self.at_work or self._out.unsent)

    # --- life -----------------------------------------------------------------------------------------------

    async def open(self, hello: Hello) -> None:
        """Exchange hellos; the link counts as up when the other side's has come, and `on_open` has been called.

        Raises RequestTimeoutError, LinkLostError, ProtocolError, or the reason for which the other side refuses; then,
        as after a cancellation, the link has ended.
        """
        self.kind = hello.kind
        self.send(hello)
        try:
            self._link.start(self)
            async with asyncio.timeout(self._patience):
                await asyncio.shield(self._hello)
        except TimeoutError:
            self.abort(RequestTimeoutError("the other side said no hello in time"))
            raise RequestTimeoutError("the other side said no hello in time") from None
        except BaseException:
            self.abort(LinkLostError("the link was given up before it was up"))
            raise
        if self._out.closed is not None:
            raise self._out.closed

    def close(self, reason: str = "this side closed the link") -> None:
        """Send what waits, then end the link; what waits on it fails with the reason."""
        self._out.flush()
        self._out.close(LinkLostError(reason))
        (self._writer or self._link).close()

    def abort(self, error: PeerageError) -> None:
        """End the link at once; what waits on it fails with `error`."""
        self._out.close(error)
        self._link.abort()

    async def wait_closed(self) -> PeerageError:
        """Wait for the end of the link and return its reason."""
        return await asyncio.shield(self._lost)

    # --- sending and asking -----------------------------------------------------------------------------------

    def send(self, message: Message) -> None:
        """Send a one-way message; raises LinkLostError, or LimitError when the other side reads too slowly."""
        self._out.check_room()
        self.last_used = self._loop.time()
        self._out.add(message.code, 0, message)

    def send_encoded(self, frame: bytes) -> None:
        """Send a one-way message that wire.message.encode has made a frame of, once for many links; as `send`."""
        self._out.check_room()
        self.last_used = self._loop.time()
        self._out.add_frame(frame)

    def request(self, message: Request[ReplyT], timeout: float = REQUEST_TIMEOUT) -> Coroutine[Any, Any, ReplyT]:
        """Send a request and return its reply; `timeout` is in seconds. To be awaited.

        Raises RefusedError or LimitError when the other side refuses, RequestTimeoutError, or LinkLostError.
        """
        self.last_used = self._loop.time()
        return self._asker.request(message, timeout)

    def ping(self, timeout: float) -> Coroutine[Any, Any, Pong]:
        """Ask whether the other side is there, which does not count as a use of the link. To be awaited."""
        return self._asker.request(Ping(), timeout)

    def probe(self, timeout: float, ended: Callable[[PeerageError | None], None]) -> None:
        """The same without a task: `ended` hears when there is an answer, or why there is none. Raises as `send`."""
        self._asker.probe(Ping(), timeout, ended)

    def request_all(
        self, messages: Sequence[Request[ReplyT]], timeout: float = REQUEST_TIMEOUT
    ) -> Coroutine[Any, Any, list[ReplyT]]:
        """Send many requests back to back and return their replies in order; the first failure fails all."""
        self.last_used = self._loop.time()
        return self._asker.request_all(messages, timeout)

    def request_parts(self, message: Request[ReplyT], timeout: float = REQUEST_TIMEOUT) -> AsyncIterator[ReplyT]:
        """Send a request and yield the parts of its answer; `timeout` is for the whole of it."""
        self.last_used = self._loop.time()
        return self._asker.request_parts(message, timeout)

    def post_bulk(
        self, message: Request[Any], target: BulkTarget, timeout: float = REQUEST_TIMEOUT
    ) -> asyncio.Future[memoryview]:
        """Send a request whose answer is exactly `target.length` raw bytes, received straight into its buffer.

        The future's result is that buffer. The deadline moves on with every byte that comes. After an error or a
        cancellation a buffer may still be written to, so it must not be used again.
        """
        return self._asker.post_bulk(message, target, timeout)

    async def drain(self) -> None:
        """Wait until the link takes more; raises LinkLostError when it has ended."""
        await self._out.drain()

    def pace(self, *, writing: Pace | None = None, reading: Pace | None = None) -> None:
        """Send, or take, no faster than a pace from now on; several links can share one."""
        if writing is not None and self._writer is None:
            self._writer = PacedWriter(self._link, writing, self._block, self._unblock)
            self._out.redirect(self._writer)
            if self._stuck:
                self._writer.link_paused()
        if reading is not None:
            self._brake = Brake(reading, self._read_on)

    @property
    def is_braked(self) -> bool:
        """Whether this side takes nothing now for the sake of its own pace."""
        return self._brake is not None and self._brake.is_on

    # --- answering (for the dispatcher) -------------------------------------------------------------------------

    def answer(self, tag: int, answer: Answer) -> None:
        """Send what a handler returned, None means done; raises LocalError when that is too large."""
        if self._out.closed is not None:
            return
        if isinstance(answer, Message):
            self._out.add(REPLY, tag, answer)
        elif answer is None:
            self._out.add(REPLY, tag, Done())
        elif isinstance(answer, Bulk):
            self._out.add_bulk(tag, answer.data)
        elif isinstance(answer, Later):
            answer.bind(self, tag)
        else:
            raise TypeError(f"a handler returned a {type(answer).__name__}, which is no answer")

    def worked(self, task: asyncio.Task[None]) -> None:
        """A coroutine handler has ended."""
        self.at_work.pop(task, None)

    def end_parts(self, tag: int) -> None:
        """Say that the last part has been sent."""
        if self._out.closed is None:
            self._out.add_empty(REPLY, tag)

    def refuse(self, tag: int, refusal: Refusal) -> None:
        """Say why there is no answer."""
        if self._out.closed is None:
            self._out.add(ERROR, tag, refusal)

    # --- what the link calls (transport.base.Receiver) --------------------------------------------------------

    def get_buffer(self, hint: int) -> memoryview:
        """Say where the next bytes go."""
        return self._reader.get_buffer(hint)

    def take(self, data: bytes) -> None:
        """Do the same with bytes that need no buffer (transport.base.Taker)."""
        self.buffer_updated(len(data), data)

    def buffer_updated(self, count: int, data: bytes | None = None) -> None:
        """Handle every frame that is now complete, then write once."""
        self.last_heard = self._loop.time()
        self.received += count
        self._out.hold()
        try:
            self._handle(self._reader.advance(count) if data is None else self._reader.take(data))
        except (PeerageError, msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            self._violated(error)
        finally:
            self._out.flush()
        if self._brake is not None and not self._brake.spend(count) and self.is_open:
            self._link.pause_reading()

    def pause_writing(self) -> None:
        """Too much is unsent."""
        (self._writer.link_paused if self._writer is not None else self._block)()

    def resume_writing(self) -> None:
        """Go on."""
        (self._writer.link_resumed if self._writer is not None else self._unblock)()

    def link_lost(self, error: Exception | None) -> None:
        """End everything that waits on this link, and the work for its requests: nobody wants the answers."""
        self._out.close(LinkLostError(f"the link was lost{f': {error}' if error else ''}"))
        reason = self._out.closed
        assert reason is not None
        self._asker.end(reason)
        self._held.clear()
        if self._writer is not None:
            self._writer.drop()
        if self._brake is not None:
            self._brake.release()
        for task, wanted in self.at_work.items():
            if wanted:
                task.cancel()
        if not self._hello.done():
            self._hello.set_exception(reason)
            self._hello.exception()  # nobody may be waiting for it
        if not self._lost.done():
            self._lost.set_result(reason)
            self.on_lost(self)

    # --- inside -----------------------------------------------------------------------------------------------

    def _block(self) -> None:
        self._out.block()
        self._stuck = True

    def _unblock(self) -> None:
        """Go on, first with what was held back."""
        self._out.unblock()
        self._stuck = False
        held, self._held, self._held_bytes = self._held, [], 0
        self._out.hold()
        try:
            self._handle(held)
        except (PeerageError, msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            self._violated(error)
        finally:
            self._out.flush()
        self._read_on()

    def _read_on(self) -> None:
        if self._held_bytes <= MAX_HELD_REQUESTS and not self.is_braked:
            self._link.resume_reading()

    def _handle(self, frames: Iterable[Frame]) -> None:
        answered = self._asker.answered
        for frame in frames:
            code, tag, payload = frame
            if code == REPLY:
                answered(tag, payload)
            elif code == BULK:
                self._asker.filled(tag)
            elif code == ERROR:
                self._take_refusal(tag, decode(Refusal, payload).as_error())
            elif self._stuck:
                self._hold_back(frame)
            elif self._out.closed is None:
                if self._greeted:
                    if code != Ping.code:
                        self.last_used = self.last_heard
                    self._dispatcher.dispatch(self, code, tag, payload)
                else:
                    self._greet(code, payload)

    def _take_refusal(self, tag: int, error: PeerageError) -> None:
        """A request was refused, or, before the hello, this link as a whole."""
        if self._greeted:
            self._asker.refused(tag, error)
        else:
            self.abort(error)

    def _greet(self, code: bytes, payload: memoryview) -> None:
        """Take the other side's hello."""
        if code != Hello.code:
            raise ProtocolError(f"the first message was {code!r}, not HELO")
        hello = decode(Hello, payload)
        if hello.version != PROTOCOL_VERSION:
            raise ProtocolError(f"the other side speaks version {hello.version}, this one {PROTOCOL_VERSION}")
        if not self.outgoing:
            self.kind = hello.kind
        self._greeted = True
        self._hello.set_result(hello)
        self.on_open(self)

    def _hold_back(self, frame: Frame) -> None:
        """Keep a request until answers can leave again; above a bound take no more from the link."""
        code, tag, payload = frame
        self._held.append(Frame(code, tag, memoryview(bytes(payload))))
        self._held_bytes += len(payload) + _FRAME_COST
        if self._held_bytes > MAX_HELD_REQUESTS:
            self._link.pause_reading()

    def _violated(self, error: Exception) -> None:
        self._metrics.count("protocol_violations")
        log.info("%r broke the rules: %s", self, error)
        self.abort(error if isinstance(error, PeerageError) else ProtocolError(f"a broken message: {error}"))


def _ignore(_connection: PeerConnection) -> None:
    """Nobody wants to know yet."""
