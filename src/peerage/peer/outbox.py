"""What waits to be sent over one link.

Invariant: frames leave in the order in which they were added; what one read of the link caused leaves in as few writes
as its size allows. Nothing here looks into a message, and nothing is sent after the link was closed.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from peerage.errors import LimitError, LinkLostError, LocalError, PeerageError
from peerage.limits import MAX_BULK_PAYLOAD, Limits
from peerage.peer.metrics import Metrics
from peerage.wire.frame import BULK, encode_header
from peerage.wire.message import Message, append_message

_FULL: Final = 256 * 1024  # bytes that are handed to the link without waiting for the end of the batch


class Sink(Protocol):
    """Where frames go: a link, or what slows it down."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, in order; `data` has been taken when this returns."""

    def unsent(self) -> int:
        """Return how many bytes wait to be sent."""


class Outbox:
    """The sending side of one link; `closed` is why nothing is sent any more, `blocked` that too much is unsent."""

    def __init__(self, link: Sink, limits: Limits, metrics: Metrics) -> None:
        self._loop = asyncio.get_running_loop()
        self._link = link
        self._maximum = limits.write_buffer
        self._metrics = metrics
        self._bytes = bytearray()
        self._flush_comes = False
        self._room: asyncio.Event | None = None  # made when somebody waits for it
        self.blocked = False
        self.closed: PeerageError | None = None
        self.handed = 0  # bytes given to the link since it is open

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent."""
        return len(self._bytes) + self._link.unsent()

    @property
    def link_unsent(self) -> int:
        """Of the bytes that were given to the link, those that wait there."""
        return self._link.unsent()

    # --- adding -------------------------------------------------------------------------------------------------

    def add(self, code: bytes, tag: int, message: Message) -> None:
        """Add one frame with a message; raises LocalError when the message is too large."""
        append_message(self._bytes, code, tag, message)
        if not self._flush_comes:
            self._schedule()
        if len(self._bytes) > _FULL:
            self.flush()

    def add_frame(self, frame: bytes) -> None:
        """Add one frame that is encoded already."""
        self._bytes += frame
        if not self._flush_comes:
            self._schedule()
        if len(self._bytes) > _FULL:
            self.flush()

    def add_empty(self, code: bytes, tag: int) -> None:
        """Add one frame without a payload."""
        self._bytes += encode_header(code, 0, tag)
        if not self._flush_comes:
            self._schedule()

    def add_bulk(self, tag: int, data: bytes | bytearray | memoryview) -> None:
        """Send raw bytes, which are not copied; raises LocalError when they are too many."""
        length = memoryview(data).nbytes
        if length > MAX_BULK_PAYLOAD:
            raise LocalError(f"a piece of {length} bytes, more than {MAX_BULK_PAYLOAD}")
        self._bytes += encode_header(BULK, length, tag)
        self.flush()
        self.handed += length
        self._link.write(data)

    # --- sending ------------------------------------------------------------------------------------------------

    def hold(self) -> None:
        """Wait for `flush`: more will be added right now."""
        self._flush_comes = True

    def flush(self) -> None:
        """Hand over what waits."""
        self._flush_comes = False
        if self._bytes and self.closed is None:
            ready, self._bytes = self._bytes, bytearray()
            self.handed += len(ready)
            self._link.write(ready)

    def close(self, reason: PeerageError) -> None:
        """Send no more; whoever waits for room gets the first reason that was given."""
        if self.closed is None:
            self.closed = reason
        self._bytes.clear()
        self._wake()

    def _schedule(self) -> None:
        self._flush_comes = True
        self._loop.call_soon(self.flush)

    def redirect(self, sink: Sink) -> None:
        """Send by another way from now on."""
        self._link = sink

    # --- room ---------------------------------------------------------------------------------------------------

    def block(self) -> None:
        """The link says that too much is unsent."""
        self.blocked = True

    def unblock(self) -> None:
        """Enough of it has gone."""
        self.blocked = False
        self._wake()

    async def drain(self) -> None:
        """Wait until the link takes more; raises LinkLostError when it has ended."""
        self.flush()
        if self.blocked and self.closed is None:
            if self._room is None:
                self._room = asyncio.Event()
            await self._room.wait()
        self.check_open()

    def _wake(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None

    def check_open(self) -> None:
        """Raise LinkLostError when the link has ended."""
        if self.closed is not None:
            raise LinkLostError(str(self.closed)) from self.closed

    def check_room(self) -> None:
        """Raise LimitError when more is unsent than `write_buffer` allows, or LinkLostError."""
        if self.closed is not None:
            self.check_open()
        if self.blocked and self.unsent > self._maximum:
            self._metrics.count("sends_refused", "write_buffer")
            raise LimitError("write_buffer", "ours", "the other side reads too slowly: its link is full")
