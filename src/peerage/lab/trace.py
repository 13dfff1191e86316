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

_HEAD: Final = struct.Struct("!dHHL")


class Trace:
    """Hashes deliveries and whatever else is noted."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._hash = blake3()
        self.deliveries = 0
        self.bytes = 0

    def note_delivery(self, link: MemoryLink, data: Data) -> None:
        """Take in what came over a link (transport.simnet.Tap)."""
        self.deliveries += 1
        self.bytes += len(data)
        head = _HEAD.pack(self._loop.time(), link.local.port, link.remote.port, len(data))
        self._hash.update(head + f"{link.local.host} {link.remote.host} ".encode())
        self._hash.update(data)

    def note(self, text: str) -> None:
        """Take in something else that happened."""
        self._hash.update(f"{self._loop.time()} {text}".encode())

    def digest(self) -> str:
        """Return the hash so far, in hexadecimal."""
        return self._hash.hexdigest()
