"""A connection to one other peer: messages over a link, the deck's PeerConnection.

Invariant: all frames of one read are handled before anything is written, and what they caused goes out in one write; a
request ends by its answer, its deadline or the end of the link. Rules about who may connect are not here.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, NamedTuple, cast

import msgspec

from peerage.errors import LimitError, LinkLostError, PeerageError, ProtocolError, RequestTimeoutError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, format_id
from peerage.limits import REQUEST_TIMEOUT, Limits
from peerage.peer.dispatch import Dispatcher
from peerage.peer.handlers import Answer, Bulk, Later
from peerage.peer.messages import PROTOCOL_VERSION, Hello, LinkKind
from peerage.peer.metrics import Metrics
from peerage.peer.requests import Batch, BatchSlot, BulkRequest, BulkTarget, Parts, Pending, Question, RequestTable
from peerage.transport.base import Link
from peerage.wire.frame import BULK, FrameReader, encode_header
from peerage.wire.message import (
    ERROR,
    REPLY,
    Done,
    Message,
    Refusal,
    ReplyT,
    Request,
    append_message,
    decode,
)

log = logging.getLogger("peerage.peer")

_DEADLINE_GRAIN: Final = 0.05  # seconds: deadlines are looked at no more often, so a thousand requests share one timer

_BATCH: Final = 1024  # requests that go out back to back before a look at whether the link still takes them
_BATCHES_AHEAD: Final = 8  # batches that may wait for their answers at once


class Upkeep(NamedTuple):
    """What a connection is held to, and where it counts."""

    limits: Limits
    metrics: Metrics


class PeerConnection:
    """Messages to and from one other peer."""

    def __init__(self, link: Link, local_id: PeerId, dispatcher: Dispatcher, upkeep: Upkeep) -> None:
        limits, metrics = upkeep
        self._loop = asyncio.get_running_loop()
        self._link = link
        self._dispatcher = dispatcher
        self._limits = limits
        self._metrics = metrics
        self._reader = FrameReader(self)
        self._requests = RequestTable(limits.requests_per_link)
        self._out = bytearray()
        self._flush_scheduled = False
        self._dispatching = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._deadline_timer: asyncio.TimerHandle | None = None
        self._hello: asyncio.Future[Hello] = self._loop.create_future()
        self._lost: asyncio.Future[PeerageError] = self._loop.create_future()
        self._error: PeerageError | None = None
        self.on_lost: Callable[[PeerConnection], None] = _ignore
        self.local_id = local_id
        self.kind = LinkKind.TALK
        self.tasks = 0  # coroutine handlers at work for this peer
        self.last_heard = self._loop.time()

    def __repr__(self) -> str:
        return f"<PeerConnection {self.kind} {format_id(self.peer_id)[:8]} {self.remote}>"

    # --- who and where --------------------------------------------------------------------------------------

    @property
    def peer_id(self) -> PeerId:
        """The proved id of the other peer."""
        return self._link.peer_id

    @property
    def public_key(self) -> bytes:
        """Its raw Ed25519 key."""
        return self._link.public_key

    @property
    def remote(self) -> Address:
        """Where it is, as seen from here."""
        return self._link.remote

    @property
    def outgoing(self) -> bool:
        """Whether this side dialled."""
        return self._link.outgoing

    @property
    def hello(self) -> Hello:
        """What the other side said first."""
        return self._hello.result()

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._error is None and not self._lost.done()

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent."""
        return len(self._out) + self._link.unsent()

    # --- life -----------------------------------------------------------------------------------------------

    async def open(self, hello: Hello) -> Hello:
        """Exchange hellos; the link counts as up when the other side's has come."""
        self.kind = hello.kind
        self._link.start(self)
        self.send(hello)
        try:
            async with asyncio.timeout(self._limits.handshake_timeout):
                theirs = await asyncio.shield(self._hello)
        except TimeoutError:
            self.abort(RequestTimeoutError("the other side said no hello in time"))
            raise RequestTimeoutError("the other side said no hello in time") from None
        if theirs.version != PROTOCOL_VERSION:
            self.abort(ProtocolError(f"the other side speaks version {theirs.version}, this one {PROTOCOL_VERSION}"))
            raise cast(PeerageError, self._error)
        if not self.outgoing:
            self.kind = theirs.kind
        return theirs

    def close(self) -> None:
        """Send what waits, then end the link."""
        self._flush()
        if self._error is None:
            self._error = LinkLostError("this side closed the link")
        self._link.close()

    def abort(self, error: PeerageError) -> None:
        """End the link at once; what waits on it fails with `error`."""
        if self._error is None:
            self._error = error
        self._link.abort()

    async def wait_closed(self) -> PeerageError:
        """Wait for the end of the link and return its reason."""
        return await asyncio.shield(self._lost)

    # --- sending --------------------------------------------------------------------------------------------

    def send(self, message: Message) -> None:
        """Send a one-way message; raises LinkLostError or LimitError."""
        self._check_room()
        append_message(self._out, message.code, 0, message)
        self._schedule_flush()

    async def request(self, message: Request[ReplyT], timeout: float = REQUEST_TIMEOUT) -> ReplyT:  # noqa: ASYNC109 -- a deadline kept by a shared timer
        """Send a request and return its reply; `timeout` is in seconds.

        Raises RefusedError or LimitError when the other side refuses, RequestTimeoutError, or LinkLostError.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        self._post(message, Question(message.reply, self._loop.time() + timeout, future))
        return cast(ReplyT, await future)

    async def request_all(
        self,
        messages: Sequence[Request[ReplyT]],
        timeout: float = REQUEST_TIMEOUT,  # noqa: ASYNC109 -- as above
    ) -> list[ReplyT]:
        """Send many requests back to back and return their replies in order; the first failure fails all."""
        replies: list[ReplyT] = []
        under_way: deque[asyncio.Future[list[ReplyT]]] = deque()
        for start in range(0, len(messages), _BATCH):
            under_way.append(self._post_batch(messages[start : start + _BATCH], timeout))
            await self.drain()
            if len(under_way) > _BATCHES_AHEAD:
                replies += await under_way.popleft()
        while under_way:
            replies += await under_way.popleft()
        return replies

    def _post_batch(self, messages: Sequence[Request[ReplyT]], timeout: float) -> asyncio.Future[list[ReplyT]]:
        future: asyncio.Future[list[ReplyT]] = self._loop.create_future()
        future.add_done_callback(_retrieve)
        batch = Batch(len(messages), self._loop.time() + timeout, future)
        for index, message in enumerate(messages):
            self._post(message, BatchSlot(batch, index, message.reply))
        return future

    async def request_parts(self, message: Request[ReplyT], timeout: float = REQUEST_TIMEOUT) -> AsyncIterator[ReplyT]:  # noqa: ASYNC109 -- as above
        """Send a request and yield the parts of its answer; `timeout` is for the whole of it."""
        parts = Parts(message.reply, self._loop.time() + timeout)
        tag = self._post(message, parts)
        try:
            while (part := await parts.queue.get()) is not None:
                if isinstance(part, PeerageError):
                    raise part
                yield cast(ReplyT, part)
        finally:
            self._requests.fail(tag, LinkLostError("nobody waits any more"))

    def post_bulk(
        self,
        message: Request[Any],
        target: BulkTarget,
        timeout: float = REQUEST_TIMEOUT,
    ) -> asyncio.Future[memoryview]:
        """Send a request whose answer is exactly `target.length` raw bytes, received straight into its buffer.

        The future's result is that buffer. The deadline moves on with every byte that comes. After an error or a
        cancellation a buffer may still be written to, so it must not be used again.
        """
        future: asyncio.Future[memoryview] = self._loop.create_future()
        self._post(message, BulkRequest(target, self._loop.time() + timeout, timeout, future))
        return future

    async def drain(self) -> None:
        """Wait until the link takes more; raises LinkLostError when it has ended."""
        self._flush()
        if not self._writable.is_set():
            await self._writable.wait()
        self._check_open()

    # --- answering (for the dispatcher) -------------------------------------------------------------------------

    def answer(self, tag: int, answer: Answer) -> None:
        """Send what a handler returned; None means done."""
        if isinstance(answer, Later):
            answer.bind(self, tag)
            return
        if not self.is_open:
            return
        if isinstance(answer, Bulk):
            self._out += encode_header(BULK, len(answer.data), tag)
            self._flush()
            self._link.write(answer.data)
        else:
            append_message(self._out, REPLY, tag, answer if answer is not None else Done())
            self._schedule_flush()

    def end_parts(self, tag: int) -> None:
        """Say that the last part has been sent."""
        if self.is_open:
            self._out += encode_header(REPLY, 0, tag)
            self._schedule_flush()

    def refuse(self, tag: int, refusal: Refusal) -> None:
        """Say why there is no answer."""
        if self.is_open:
            append_message(self._out, ERROR, tag, refusal)
            self._schedule_flush()

    # --- what the link calls (transport.base.Receiver) --------------------------------------------------------

    def get_buffer(self, hint: int) -> memoryview:
        """Say where the next bytes go."""
        return self._reader.get_buffer(hint)

    def buffer_updated(self, count: int) -> None:
        """Handle every frame that is now complete, then write once."""
        self.last_heard = self._loop.time()
        self._dispatching = True
        asked = False
        try:
            for code, tag, payload in self._reader.advance(count):
                if code == REPLY or code == BULK:  # noqa: PLR1714, SIM109 -- two comparisons are faster than a tuple
                    self._requests.answer(tag, payload)
                else:
                    asked = True
                    self._take(code, tag, payload)
        except (PeerageError, msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            self._metrics.count("protocol_violations")
            log.info("%r broke the rules: %s", self, error)
            self.abort(error if isinstance(error, PeerageError) else ProtocolError(f"a broken reply: {error}"))
        finally:
            self._dispatching = False
            self._flush()
        if asked and not self._writable.is_set():
            self._link.pause_reading()  # take no more requests from a peer that does not read the answers

    def pause_writing(self) -> None:
        """Too much is unsent. A side that only asks goes on reading, or two that ask each other would both wait."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self._writable.set()
        self._link.resume_reading()

    def link_lost(self, error: Exception | None) -> None:
        """End everything that waits on this link."""
        reason = self._error or LinkLostError(f"the link was lost{f': {error}' if error else ''}")
        self._error = reason
        if self._deadline_timer is not None:
            self._deadline_timer.cancel()
        self._requests.fail_all(reason)
        self._writable.set()
        if not self._hello.done():
            self._hello.set_exception(reason)
            self._hello.exception()  # nobody may be waiting for it
        if not self._lost.done():
            self._lost.set_result(reason)
            self.on_lost(self)

    # --- where raw content goes (wire.frame.BulkSink) -----------------------------------------------------------

    def bulk_buffer(self, tag: int, length: int) -> memoryview | None:
        """Return the buffer that waits for this tag; an answer of another length breaks the rules."""
        request = self._requests.get(tag)
        if not isinstance(request, BulkRequest) or request.future.done():
            self._metrics.count("bulk_skipped")
            return None
        if length != request.target.length:
            raise ProtocolError(f"{length} bytes came where {request.target.length} were asked for")
        request.buffer = request.target.allocate()
        return request.buffer

    def bulk_progress(self, tag: int, length: int) -> None:
        """Move the deadline of a request that is being answered."""
        request = self._requests.get(tag)
        if isinstance(request, BulkRequest):
            request.deadline = self._loop.time() + request.patience
            request.target.progress(length)

    # --- inside -----------------------------------------------------------------------------------------------

    def _take(self, code: bytes, tag: int, payload: memoryview) -> None:
        """Handle a frame that is no reply."""
        if not self._hello.done():
            if code != Hello.code:
                raise ProtocolError(f"the first message was {code!r}, not HELO")
            self._hello.set_result(decode(Hello, payload))
        elif code == ERROR:
            self._requests.fail(tag, decode(Refusal, payload).as_error())
        elif self._error is None:
            self._dispatcher.dispatch(self, code, tag, payload)

    def _post(self, message: Request[Any], request: Pending) -> int:
        self._check_room()
        tag = self._requests.add(request)
        try:
            append_message(self._out, message.code, tag, message)
        except PeerageError as error:
            self._requests.fail(tag, error)
            raise
        self._schedule_flush()
        if self._deadline_timer is None or self._deadline_timer.when() > request.deadline + _DEADLINE_GRAIN:
            self._set_timer(request.deadline)
        return tag

    def _set_timer(self, deadline: float) -> None:
        if self._deadline_timer is not None:
            self._deadline_timer.cancel()
        self._deadline_timer = self._loop.call_at(deadline + _DEADLINE_GRAIN, self._expire)

    def _expire(self) -> None:
        self._deadline_timer = None
        earliest = self._requests.expire(self._loop.time())
        if earliest is not None:
            self._set_timer(earliest)

    def _check_open(self) -> None:
        if self._error is not None:
            raise LinkLostError(str(self._error)) from self._error

    def _check_room(self) -> None:
        if self._error is not None:
            self._check_open()
        if not self._writable.is_set() and self.unsent > self._limits.write_buffer:
            self._metrics.count("sends_refused", "write_buffer")
            raise LimitError("write_buffer", "ours", "the other side reads too slowly: its link is full")

    def _schedule_flush(self) -> None:
        if not self._dispatching and not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._out and not self._lost.done():
            out, self._out = self._out, bytearray()
            self._link.write(out)


def _ignore(_connection: PeerConnection) -> None:
    """Nobody wants to know yet."""


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Look at the error of a batch that nobody waits for any more, so that asyncio does not report it as lost."""
    if not future.cancelled():
        future.exception()
