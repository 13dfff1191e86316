"""Counts every message that arrives anywhere in a simulated world: by kind, and by who received it.

It reads the frame headers of what comes over the links, so it sees what nodes really send and receive, relays included,
not what an asker believes. A reply is counted under the code of the request that it answers. Bytes are those of the
frames with their headers; what TLS and TCP add in a real network (some 60 bytes for a small message) is not in it.
Invariant: each frame that has arrived whole is counted once, and its bytes to the window in which its end arrived. The
census changes nothing of what it counts.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection
from typing import Final

import msgspec

from peerage.transport.byte_queue import Data
from peerage.transport.memory_link import MemoryLink
from peerage.transport.simnet import MemoryHost, Tap
from peerage.wire.frame import BULK, HEADER, HEADER_BYTES
from peerage.wire.message import ERROR, REPLY

_TAG_LIFE: Final = 60.0  # seconds after which a request may be forgotten: no request of a node waits longer
_ANSWERS: Final = frozenset({REPLY, ERROR, BULK})


class Traffic(msgspec.Struct, frozen=True):
    """An amount of messages and of their bytes."""

    messages: float = 0
    bytes: float = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(self.messages + other.messages, self.bytes + other.bytes)

    def __sub__(self, other: Traffic) -> Traffic:
        return Traffic(self.messages - other.messages, self.bytes - other.bytes)

    def times(self, factor: float) -> Traffic:
        """Return so many times as much."""
        return Traffic(self.messages * factor, self.bytes * factor)


class Count(msgspec.Struct, frozen=True):
    """What was counted between two moments `seconds` apart."""

    seconds: float
    by_code: dict[bytes, Traffic]
    by_host: dict[str, int]  # messages received

    def total(self) -> Traffic:
        """Return everything."""
        return sum(self.by_code.values(), Traffic())

    def of(self, codes: Collection[bytes]) -> Traffic:
        """Return the messages of these kinds, their replies included."""
        return sum((traffic for code, traffic in self.by_code.items() if code in codes), Traffic())


class Census:
    """The tap of a simulated network; `onward` is one that sees everything, too."""

    def __init__(self, onward: Tap | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._onward = onward
        self._messages: defaultdict[bytes, int] = defaultdict(int)
        self._bytes: defaultdict[bytes, int] = defaultdict(int)
        self._received: defaultdict[MemoryHost, int] = defaultdict(int)
        self._partial: dict[MemoryLink, bytearray] = {}  # frames of which the end has not come
        self._asked: dict[tuple[int, int], bytes] = {}  # code by link end and tag, of requests lately
        self._asked_before: dict[tuple[int, int], bytes] = {}
        self._turn_at = 0.0
        self._since = self._loop.time()

    def take(self) -> Count:
        """Return what was counted since the last call, and begin anew."""
        now = self._loop.time()
        by_code = {code: Traffic(self._messages[code], self._bytes[code]) for code in sorted(self._messages)}
        count = Count(now - self._since, by_code, {host.name: number for host, number in self._received.items()})
        self._messages.clear()
        self._bytes.clear()
        self._received.clear()
        self._since = now
        return count

    def note_delivery(self, link: MemoryLink, data: Data) -> None:
        """Take in what came over a link (transport.simnet.Tap)."""
        if self._onward is not None:
            self._onward(link, data)
        partial = self._partial.pop(link, None) if self._partial else None
        if partial is not None:
            partial += data
            data = partial
        start, size, frames = 0, len(data), 0
        while size - start >= HEADER_BYTES:
            code, length, tag = HEADER.unpack_from(data, start)
            end = start + HEADER_BYTES + length
            if end > size:
                break
            if tag:
                code = self._request_of(link, code, tag)
            self._messages[code] += 1
            self._bytes[code] += end - start
            frames += 1
            start = end
        self._received[link.host] += frames
        if start < size:
            self._partial[link] = bytearray(memoryview(data)[start:])

    def _request_of(self, link: MemoryLink, code: bytes, tag: int) -> bytes:
        """Return the code under which a frame with a tag counts: of a reply, that of its request."""
        if code not in _ANSWERS:
            now = self._loop.time()
            if now > self._turn_at:
                self._asked, self._asked_before, self._turn_at = {}, self._asked, now + _TAG_LIFE
            self._asked[id(link), tag] = code
            return code
        asked = id(link.far), tag
        return self._asked.get(asked) or self._asked_before.get(asked, code)
