"""The trace of a run: a hash over everything that arrived, when and where.

Invariant: two runs have the same digest only if the same bytes came over the same links at the same times, in the same
order; so one line of a test proves that nothing in a node depends on chance or on the computer.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Final

from blake3 import blake3

from peerage.transport.byte_queue import Data
from peerage.transport.memory_link import MemoryLink

_HEAD: Final = struct.Struct("!dL")
_PORTS: Final = struct.Struct("!HH")
_BATCH: Final = 256 * 1024  # bytes that are hashed together: many small ones cost four times as much


class Trace:
    """Hashes deliveries and whatever else is noted."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._hash = blake3()
        self._waiting = bytearray()
        self.deliveries = 0
        self.bytes = 0

    def note_delivery(self, link: MemoryLink, data: Data) -> None:
        """Take in what came over a link (transport.simnet.Tap)."""
        self.deliveries += 1
        self.bytes += len(data)
        waiting = self._waiting
        waiting += _HEAD.pack(self._loop.time(), len(data))
        waiting += link.label or _label(link)
        waiting += data
        if len(waiting) > _BATCH:
            self._take_in()

    def note(self, text: str) -> None:
        """Take in something else that happened."""
        self._waiting += f"{self._loop.time()} {text}".encode()

    def digest(self) -> str:
        """Return the hash so far, in hexadecimal."""
        self._take_in()
        return self._hash.hexdigest()

    def _take_in(self) -> None:
        self._hash.update(bytes(self._waiting))
        self._waiting.clear()


def _label(link: MemoryLink) -> bytes:
    """Return who receives and who sends, and keep it with the link."""
    local, remote = link.local, link.remote
    link.label = _PORTS.pack(local.port, remote.port) + f"{local.host} {remote.host} ".encode()
    return link.label
