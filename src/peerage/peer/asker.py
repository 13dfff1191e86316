"""The asking side of a connection: requests go out with a tag, replies come back to whoever waits.

Invariant: a request ends exactly once, by its answer, a refusal, its deadline or the end of the link. All requests of a
link share one timer. Which bytes belong to which tag is decided here; how they travel is not.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, cast

from peerage.errors import LinkLostError, LocalError, PeerageError, ProtocolError
from peerage.peer.metrics import Metrics
from peerage.peer.outbox import Outbox
from peerage.peer.requests import Batch, BulkRequest, BulkTarget, Parts, Pending, Probe, Question, RequestTable
from peerage.wire.message import ReplyT, Request

_DEADLINE_GRAIN: Final = 0.05  # seconds: deadlines are looked at no more often, so a thousand requests share one timer
_BATCH: Final = 1024  # requests that share one future
_BATCHES_AHEAD: Final = 8  # batches that may wait for their answers at once


class Asker:
    """What one side asks the other over one link; also where raw content goes (wire.frame.BulkSink)."""

    def __init__(self, outbox: Outbox, maximum: int, metrics: Metrics) -> None:
        self._loop = asyncio.get_running_loop()
        self._outbox = outbox
        self._metrics = metrics
        self._requests = RequestTable(maximum)
        self._timer: asyncio.TimerHandle | None = None
        self.answered = self._requests.answer  # called for each reply: not even a method in between

    @property
    def waiting(self) -> int:
        """How many requests wait for their answer."""
        return len(self._requests)

    # --- asking ---------------------------------------------------------------------------------------------------

    async def request(self, message: Request[ReplyT], timeout: float) -> ReplyT:  # noqa: ASYNC109 -- a deadline kept by the shared timer
        """Send a request and return its reply."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._post(message, Question(message.reply, self._loop.time() + timeout, future))
        return cast(ReplyT, await future)

    async def request_all(self, messages: Sequence[Request[ReplyT]], timeout: float) -> list[ReplyT]:  # noqa: ASYNC109 -- as above
        """Send many requests back to back and return their replies in order; the first failure fails all."""
        if len({message.reply for message in messages}) > 1:
            raise LocalError("the requests of a batch have one kind of reply; send others by themselves")
        replies: list[ReplyT] = []
        under_way: deque[asyncio.Future[list[ReplyT]]] = deque()
        for start in range(0, len(messages), _BATCH):
            under_way.append(await self._post_batch(messages[start : start + _BATCH], timeout))
            if len(under_way) > _BATCHES_AHEAD:
                replies += await under_way.popleft()
        while under_way:
            replies += await under_way.popleft()
        return replies

    async def request_parts(self, message: Request[ReplyT], timeout: float) -> AsyncIterator[ReplyT]:  # noqa: ASYNC109 -- as above
        """Send a request and yield the parts of its answer."""
        parts = Parts(message.reply, self._loop.time() + timeout)
        tag = self._post(message, parts)
        try:
            while (part := await parts.queue.get()) is not None:
                if isinstance(part, PeerageError):
                    raise part
                yield cast(ReplyT, part)
        finally:
            self._requests.fail(tag, LinkLostError("nobody waits any more"))

    def probe(self, message: Request[Any], timeout: float, ended: Callable[[PeerageError | None], None]) -> None:
        """Send a request, and tell when it is answered, or why it was not: at the cost of no task."""
        self._post(message, Probe(message.reply, self._loop.time() + timeout, ended))

    def post_bulk(self, message: Request[Any], target: BulkTarget, timeout: float) -> asyncio.Future[memoryview]:
        """Send a request that is answered by raw bytes; return the future of their buffer."""
        future: asyncio.Future[memoryview] = self._loop.create_future()
        self._post(message, BulkRequest(target, self._loop.time() + timeout, timeout, future))
        return future

    async def _post_batch(self, messages: Sequence[Request[ReplyT]], timeout: float) -> asyncio.Future[list[ReplyT]]:  # noqa: ASYNC109 -- as above
        future: asyncio.Future[list[ReplyT]] = self._loop.create_future()
        future.add_done_callback(_retrieve)
        outbox = self._outbox
        outbox.check_room()
        batch = Batch(messages[0].reply, len(messages), self._loop.time() + timeout, future)
        tags = self._requests.add_batch(batch, len(messages))
        self._watch_deadline(batch.deadline)
        try:
            for tag, message in zip(tags, messages, strict=True):
                if outbox.blocked:
                    await outbox.drain()
                outbox.add(message.code, tag, message)
            await outbox.drain()
        except BaseException:
            for tag in tags:
                self._requests.forget(tag)
            raise
        return future

    def _post(self, message: Request[Any], request: Pending) -> int:
        self._outbox.check_room()
        tag = self._requests.add(request)
        try:
            self._outbox.add(message.code, tag, message)
        except BaseException:
            self._requests.forget(tag)
            raise
        self._watch_deadline(request.deadline)
        return tag

    def _watch_deadline(self, deadline: float) -> None:
        if self._timer is None or self._timer.when() > deadline + _DEADLINE_GRAIN:
            self._set_timer(deadline)

    # --- what comes back ------------------------------------------------------------------------------------------

    def refused(self, tag: int, error: PeerageError) -> None:
        """End one request with the reason that the other side gave."""
        self._requests.fail(tag, error)

    def filled(self, tag: int) -> None:
        """The raw bytes for this tag are complete."""
        self._requests.fill(tag)

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

    def end(self, reason: PeerageError) -> None:
        """Nothing comes any more: end every request with the reason."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._requests.fail_all(reason)

    # --- deadlines --------------------------------------------------------------------------------------------------

    def _set_timer(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline + _DEADLINE_GRAIN, self._expire)

    def _expire(self) -> None:
        self._timer = None
        earliest = self._requests.expire(self._loop.time())
        if earliest is not None:
            self._set_timer(earliest)


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Look at the error of a batch that nobody waits for any more, so that asyncio does not report it as lost."""
    if not future.cancelled():
        future.exception()
