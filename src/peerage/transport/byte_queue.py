"""Bytes that wait: buffers in, any other cut of the same bytes out.

Invariant: bytes come out in the order in which they went in; a buffer is kept, not copied, so whoever puts it in must
not change it any more.
"""

from __future__ import annotations

Data = bytes | bytearray | memoryview


class ByteQueue:
    """Byte buffers in order, taken out in any other cut."""

    __slots__ = ("_first", "_items", "size")

    def __init__(self) -> None:
        self._items: list[Data] = []
        self._first = 0  # the items before it have been taken
        self.size = 0

    def put(self, data: Data) -> None:
        """Add at the end."""
        self._items.append(data)
        self.size += len(data)

    def take(self, limit: int) -> Data:
        """Remove and return at most `limit` bytes of the first buffer."""
        data = self._items[self._first]
        if len(data) > limit:
            rest = memoryview(data)
            self._items[self._first] = rest[limit:]
            data = rest[:limit]
        else:
            self._first += 1
            if self._first * 2 > len(self._items):
                del self._items[: self._first]
                self._first = 0
        self.size -= len(data)
        return data

    def fill(self, buffer: memoryview) -> int:
        """Move as much as fits into `buffer`; return how much."""
        filled = 0
        while self.size and filled < len(buffer):
            data = self.take(len(buffer) - filled)
            buffer[filled : filled + len(data)] = data
            filled += len(data)
        return filled

    def clear(self) -> None:
        """Forget everything."""
        self._items.clear()
        self._first = self.size = 0
