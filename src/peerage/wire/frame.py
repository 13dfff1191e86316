"""Frames: how messages are cut out of a stream of bytes.

A frame is the 2007 header `!4sL` (four-letter type, payload length) followed by a 4-byte tag that ties a reply to its
request (0 = one way), then the payload.

Invariant: however the stream is cut into reads, the same frames come out; no payload is stored before its length was
checked, and a bulk payload is received only into memory that the asking side set aside for exactly that tag.
This module knows lengths and tags, not what is inside a payload.
"""

from __future__ import annotations

import struct
from functools import partial
from typing import Final, NamedTuple, Protocol

from peerage.errors import ProtocolError
from peerage.limits import MAX_BULK_PAYLOAD, MAX_CONTROL_PAYLOAD

HEADER: Final = struct.Struct("!4sLL")
HEADER_BYTES: Final = HEADER.size
BULK: Final = b"DATA"
"""The one frame type that carries raw content; all others carry MessagePack."""

_SMALL_BUFFER: Final = 4096  # an idle link holds no more
_CALM_READS: Final = 8  # small reads in a row after which a large buffer is given back
_LARGE_BUFFER: Final = MAX_CONTROL_PAYLOAD + HEADER_BYTES + 190 * 1024  # room for a whole TLS read beside a message


class Frame(NamedTuple):
    """One frame; `payload` is valid until the reader is fed again, and empty for a bulk frame."""

    code: bytes
    tag: int
    payload: memoryview


_frame: Final = partial(tuple.__new__, Frame)
"""Makes a Frame of a tuple in half the time; on the way of every message."""


class BulkSink(Protocol):
    """Where raw content goes: the reader asks before it takes a single byte."""

    def bulk_buffer(self, tag: int, length: int) -> memoryview | None:
        """Return a writable buffer of `length` bytes that waits for this tag, or None to skip the payload."""

    def bulk_progress(self, tag: int, length: int) -> None:
        """`length` more bytes of that payload have arrived."""


class NoBulk:
    """The sink of a link that never asks for bulk data: whatever comes is skipped."""

    def bulk_buffer(self, tag: int, length: int) -> memoryview | None:  # noqa: ARG002 -- the protocol's signature
        """Skip it."""
        return None

    def bulk_progress(self, tag: int, length: int) -> None:
        """Nothing waits."""


def encode_header(code: bytes, length: int, tag: int) -> bytes:
    """Return the 12 bytes that precede a payload of `length` bytes."""
    return HEADER.pack(code, length, tag)


class FrameReader:
    """Turns reads into frames, without I/O: `get_buffer`, fill it, `advance`; or simply `feed`."""

    def __init__(self, sink: BulkSink | None = None) -> None:
        self._sink: BulkSink = NoBulk() if sink is None else sink
        self._buffer: bytearray | bytes = bytearray()
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        self._calm = 0  # small reads since the large buffer was last of use
        self._bulk: memoryview | None = None  # what is still to be filled of the bulk payload under way
        self._bulk_tag = 0
        self._skip = 0  # bytes of an unwanted bulk payload still to come

    def get_buffer(self, hint: int = 0) -> memoryview:
        """Return where the next read should go; never empty."""
        if self._bulk is not None:
            return self._bulk
        self._make_room(hint)
        return self._view[self._end :]

    def advance(self, count: int) -> list[Frame]:
        """Say that `count` bytes were read into the buffer; return the frames that are now complete."""
        if self._bulk is not None:
            return self._fill_bulk(count)
        self._end += count
        return self._parse()

    def feed(self, data: bytes | memoryview) -> list[Frame]:
        """Take bytes from a source that brings its own memory; payloads are copied, so they stay valid."""
        frames: list[Frame] = []
        rest = memoryview(data)
        while rest:
            buffer = self.get_buffer(len(rest))
            count = min(len(buffer), len(rest))
            buffer[:count] = rest[:count]
            frames += [Frame(code, tag, memoryview(bytes(body))) for code, tag, body in self.advance(count)]
            rest = rest[count:]
        return frames

    def take(self, data: bytes) -> list[Frame]:
        """Take bytes that nobody changes; what is whole in them is not copied, and needs no buffer here."""
        if self._start != self._end or self._bulk is not None:
            return self.feed(data)
        own = self._buffer, self._view
        self._buffer, self._view, self._start, self._end = data, memoryview(data), 0, len(data)
        try:
            frames = self._parse()
        finally:
            rest = self._view[self._start : self._end]
            (self._buffer, self._view), self._start, self._end = own, 0, 0
        if rest:
            self.get_buffer(len(rest))[: len(rest)] = rest
            self._end = len(rest)
        return frames

    def _make_room(self, hint: int) -> None:
        """Keep the buffer small while little comes, and move what is left of a frame to its front."""
        left = self._end - self._start
        if not left:
            self._start = self._end = 0
        wanted = min(max(_SMALL_BUFFER, left + hint, self._missing()), _LARGE_BUFFER)
        self._calm = self._calm + 1 if wanted == _SMALL_BUFFER < len(self._buffer) else 0
        if len(self._buffer) < wanted or self._calm > _CALM_READS:
            fresh = bytearray(wanted)
            fresh[:left] = self._view[self._start : self._end]
            self._buffer, self._view, self._start, self._end = fresh, memoryview(fresh), 0, left
            self._calm = 0
        elif len(self._buffer) - self._end < wanted - left:
            self._view[:left] = bytes(self._view[self._start : self._end])
            self._start, self._end = 0, left

    def _missing(self) -> int:
        """How long the frame at the front is, header included, as far as its header is known."""
        if self._end - self._start < HEADER_BYTES:
            return HEADER_BYTES
        length: int = HEADER.unpack_from(self._buffer, self._start)[1]
        return HEADER_BYTES + length

    def _parse(self) -> list[Frame]:
        frames: list[Frame] = []
        append, unpack, buffer, view = frames.append, HEADER.unpack_from, self._buffer, self._view
        start, end = self._start, self._end
        if self._skip:
            skipped = min(self._skip, end - start)
            self._skip -= skipped
            start += skipped
        while end - start >= HEADER_BYTES:
            code, length, tag = unpack(buffer, start)
            body = start + HEADER_BYTES
            if code == BULK:
                start = self._begin_bulk(tag, length, body, frames)
                if self._bulk is not None:
                    break
                continue
            if length > MAX_CONTROL_PAYLOAD:
                raise ProtocolError(f"a {code!r} message of {length} bytes, more than {MAX_CONTROL_PAYLOAD}")
            if body + length > end:
                break
            start = body + length
            append(_frame((code, tag, view[body:start])))
        self._start = start
        return frames

    def _begin_bulk(self, tag: int, length: int, body: int, frames: list[Frame]) -> int:
        """Send what has come of a bulk payload on its way; return where the next frame starts."""
        if length > MAX_BULK_PAYLOAD:
            raise ProtocolError(f"a piece of {length} bytes, more than {MAX_BULK_PAYLOAD}")
        here = min(length, self._end - body)
        target = self._sink.bulk_buffer(tag, length)
        if target is None:
            self._skip = length - here
            return body + here
        target[:here] = self._view[body : body + here]
        if here:
            self._sink.bulk_progress(tag, here)
        if here == length:
            frames.append(Frame(BULK, tag, memoryview(b"")))
        else:
            self._bulk, self._bulk_tag = target[here:], tag
        return body + here

    def _fill_bulk(self, count: int) -> list[Frame]:
        assert self._bulk is not None
        self._bulk = self._bulk[count:]
        self._sink.bulk_progress(self._bulk_tag, count)
        if self._bulk:
            return []
        self._bulk = None
        return [Frame(BULK, self._bulk_tag, memoryview(b""))]
