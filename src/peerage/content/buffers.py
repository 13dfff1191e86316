"""Memory for pieces on their way, used again and again.

Invariant: a buffer is in one pair of hands at a time; what is kept for later is bounded. Memory that has been touched
is several times faster than fresh memory, which the kernel has to clear first; for small pieces that does not matter,
and they have so many lengths that none would ever fit again.
"""

from __future__ import annotations

from typing import Final

from peerage.limits import KIB, MAX_FREE_BUFFERS

_SMALLEST: Final = 64 * KIB


class BufferPool:
    """Buffers by length; not safe to use from several threads."""

    def __init__(self, maximum: int = MAX_FREE_BUFFERS) -> None:
        self._maximum = maximum
        self._free: dict[int, list[bytearray]] = {}
        self._kept = 0

    def take(self, length: int) -> memoryview:
        """Return a buffer of `length` bytes with anything in it."""
        free = self._free.get(length)
        if free:
            self._kept -= length
            return memoryview(free.pop())
        return memoryview(bytearray(length))

    def give_back(self, buffer: memoryview) -> None:
        """Return a whole buffer, made by `take`, that nobody reads or writes any more."""
        length = len(buffer)
        if not _SMALLEST <= length <= self._maximum:
            return
        if self._kept + length > self._maximum:
            self._free.clear()  # the lengths of an earlier download; they are not needed again
            self._kept = 0
        self._free.setdefault(length, []).append(buffer.obj)  # type: ignore[arg-type]  # made by take
        self._kept += length
