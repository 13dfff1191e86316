"""Outstanding requests as objects with a deadline, and the table that ties replies to them.

Invariant: each request ends exactly once, by its answer, by an error, by its deadline or with its link; a tag is not
used again while a request waits on it. The table is bounded; nothing here does I/O.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from peerage.errors import LimitError, PeerageError, ProtocolError, RequestTimeoutError
from peerage.limits import MAX_PARTS
from peerage.wire.message import Message, decoder

_MAX_TAG: Final = 0xFFFFFFFF
_END: Final = None  # in a queue of parts: no more will come


class Pending(Protocol):
    """Something that waits for a reply."""

    deadline: float

    def answer(self, tag: int, payload: memoryview) -> bool:
        """Take a reply; True when the request is over."""

    def fail(self, error: PeerageError) -> None:
        """No answer will come."""


class Question:
    """One request, one reply."""

    __slots__ = ("_decoder", "deadline", "future")

    def __init__(self, kind: type[Message], deadline: float, future: asyncio.Future[Any]) -> None:
        self._decoder = decoder(kind)
        self.deadline = deadline
        self.future = future

    def answer(self, tag: int, payload: memoryview) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Resolve with the decoded reply."""
        if not self.future.done():
            self.future.set_result(self._decoder.decode(payload))
        return True

    def fail(self, error: PeerageError) -> None:
        """Reject."""
        if not self.future.done():
            self.future.set_exception(error)


class Probe:
    """One request of which only matters whether it is answered; `ended` hears why it was not, or None."""

    __slots__ = ("_decoder", "_ended", "deadline")

    def __init__(self, kind: type[Message], deadline: float, ended: Callable[[PeerageError | None], None]) -> None:
        self._decoder = decoder(kind)
        self.deadline = deadline
        self._ended = ended

    def answer(self, tag: int, payload: memoryview) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Look whether it is an answer, and tell."""
        self._decoder.decode(payload)
        self._ended(None)
        return True

    def fail(self, error: PeerageError) -> None:
        """Tell."""
        self._ended(error)


class Batch:
    """Many requests of one kind sent at once under neighbouring tags; resolved when the last reply is there."""

    __slots__ = ("_answers", "_decode", "_left", "deadline", "first_tag", "future")

    def __init__(self, kind: type[Message], count: int, deadline: float, future: asyncio.Future[Any]) -> None:
        self._decode = decoder(kind).decode
        self.deadline = deadline
        self.future = future
        self.first_tag = 0  # set by the table
        self._left = count
        self._answers: list[Message | None] = [None] * count

    def answer(self, tag: int, payload: memoryview) -> bool:
        """Store one reply."""
        self._answers[tag - self.first_tag] = self._decode(payload)
        self._left -= 1
        if not self._left and not self.future.done():
            self.future.set_result(self._answers)
        return True

    def fail(self, error: PeerageError) -> None:
        """One failure fails the batch."""
        if not self.future.done():
            self.future.set_exception(error)


class Parts:
    """One request whose answer comes in parts; an empty reply ends it."""

    def __init__(self, kind: type[Message], deadline: float) -> None:
        self._decoder = decoder(kind)
        self.deadline = deadline
        self.queue: asyncio.Queue[Message | PeerageError | None] = asyncio.Queue()  # bounded by MAX_PARTS below
        self._count = 0

    def answer(self, tag: int, payload: memoryview) -> bool:  # noqa: ARG002 -- as above
        """Queue one part."""
        if not payload:
            self.queue.put_nowait(_END)
            return True
        self._count += 1
        if self._count > MAX_PARTS:
            raise ProtocolError(f"an answer of more than {MAX_PARTS} parts")
        self.queue.put_nowait(self._decoder.decode(payload))
        return False

    def fail(self, error: PeerageError) -> None:
        """End with an error."""
        self.queue.put_nowait(error)


class BulkTarget(Protocol):
    """Where the bytes of one bulk answer go, and who wants to know how they come."""

    length: int  # how many bytes the answer must have

    def allocate(self) -> memoryview:
        """Return a buffer of `length` bytes; called when the first byte has come, so that waiting costs no memory."""

    def progress(self, count: int) -> None:
        """`count` more bytes have come."""


class BulkRequest:
    """One request whose answer is raw bytes, received straight into the target's buffer."""

    __slots__ = ("buffer", "deadline", "future", "patience", "target")

    def __init__(self, target: BulkTarget, deadline: float, patience: float, future: asyncio.Future[Any]) -> None:
        self.target = target
        self.deadline = deadline
        self.patience = patience  # seconds without a byte
        self.future = future
        self.buffer: memoryview | None = None

    def answer(self, tag: int, payload: memoryview) -> bool:  # noqa: ARG002 -- the protocol's signature
        """A reply that is no bulk frame breaks the rules, the empty one too."""
        raise ProtocolError("a message came where bytes were asked for")

    def filled(self) -> None:
        """Resolve: the buffer is full."""
        if not self.future.done():
            self.future.set_result(self.buffer)

    def fail(self, error: PeerageError) -> None:
        """Reject."""
        if not self.future.done():
            self.future.set_exception(error)


class RequestTable:
    """Which tag waits for what on one link."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._pending: dict[int, Pending] = {}
        self._last_tag = 0

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, request: Pending) -> int:
        """Return the tag that the request goes out with; raises LimitError when too many wait already."""
        pending = self._pending
        if len(pending) >= self._maximum:
            raise LimitError("requests_per_link", "ours", f"more than {self._maximum} requests wait on one link")
        tag = self._last_tag
        while True:
            tag = tag + 1 if tag < _MAX_TAG else 1
            if tag not in pending:
                break
        self._last_tag = tag
        pending[tag] = request
        return tag

    def add_batch(self, batch: Batch, count: int) -> range:
        """Return the neighbouring tags that a batch of requests goes out with; raises LimitError as `add` does."""
        pending = self._pending
        if len(pending) + count > self._maximum:
            raise LimitError("requests_per_link", "ours", f"more than {self._maximum} requests wait on one link")
        tags = range(self._last_tag + 1, self._last_tag + 1 + count)
        while tags[-1] > _MAX_TAG or not pending.keys().isdisjoint(tags):
            first = 1 if tags[-1] > _MAX_TAG else tags[-1] + 1
            tags = range(first, first + count)
        self._last_tag, batch.first_tag = tags[-1], tags[0]
        pending.update(dict.fromkeys(tags, batch))
        return tags

    def get(self, tag: int) -> Pending | None:
        """Return what waits on this tag."""
        return self._pending.get(tag)

    def answer(self, tag: int, payload: memoryview) -> None:
        """Give a reply to whoever waits; late and unasked replies are dropped."""
        request = self._pending.get(tag)
        if request is not None and request.answer(tag, payload):
            self._pending.pop(tag, None)

    def fill(self, tag: int) -> None:
        """Tell whoever waits for raw bytes that they have all come."""
        request = self._pending.get(tag)
        if isinstance(request, BulkRequest):
            del self._pending[tag]
            request.filled()

    def forget(self, tag: int) -> None:
        """Take off a request that was never sent."""
        self._pending.pop(tag, None)

    def fail(self, tag: int, error: PeerageError) -> None:
        """End one request with an error."""
        request = self._pending.pop(tag, None)
        if request is not None:
            request.fail(error)

    def fail_all(self, error: PeerageError) -> None:
        """End them all: the link is gone."""
        pending, self._pending = self._pending, {}
        for request in pending.values():
            request.fail(error)

    def expire(self, now: float) -> float | None:
        """End what is overdue; return the earliest deadline that is left."""
        late = [tag for tag, request in self._pending.items() if request.deadline <= now]
        for tag in late:
            self.fail(tag, RequestTimeoutError("no answer came in time"))
        return min((request.deadline for request in self._pending.values()), default=None)
