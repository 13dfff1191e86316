"""A set of piece indexes as one bit each, in memory and on the wire.

Invariant: bit i lives in byte i // 8 at value 1 << (i % 8), and the spare bits of the last byte are zero, so equal
sets are equal bytes and a byte is a run of eight neighbouring pieces. It does not know what the pieces are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from peerage.errors import ProtocolError

_BITS: Final = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))
"""For each byte the bits that are set in it, lowest first."""


class Bitmap:
    """A fixed range of indexes, 0 to size - 1, of which some are in the set."""

    __slots__ = ("_bytes", "size")

    def __init__(self, size: int, indices: Iterable[int] = ()) -> None:
        self.size = size
        self._bytes = bytearray((size + 7) // 8)
        for index in indices:
            self.add(index)

    @classmethod
    def full(cls, size: int) -> Bitmap:
        """Return the set of all indexes."""
        bitmap = cls(size)
        bitmap._bytes[:] = b"\xff" * len(bitmap._bytes)
        if size % 8:
            bitmap._bytes[-1] = (1 << size % 8) - 1
        return bitmap

    @classmethod
    def from_bytes(cls, data: bytes | bytearray, size: int) -> Bitmap:
        """Read what `to_bytes` wrote; raises ProtocolError on a wrong length or spare bits that are set."""
        if len(data) != (size + 7) // 8:
            raise ProtocolError(f"a piece map of {size} pieces has {(size + 7) // 8} bytes, this one {len(data)}")
        if size % 8 and data[-1] >> size % 8:
            raise ProtocolError(f"a piece map of {size} pieces names pieces beyond the last")
        bitmap = cls(0)
        bitmap.size = size
        bitmap._bytes = bytearray(data)
        return bitmap

    def to_bytes(self) -> bytes:
        """Return the bits, lowest index first: a byte for each eight."""
        return bytes(self._bytes)

    def copy(self) -> Bitmap:
        """Return a second set with the same members."""
        return Bitmap.from_bytes(self._bytes, self.size)

    def add(self, index: int) -> None:
        """Put an index into the set; raises IndexError outside of it."""
        self._check(index)
        self._bytes[index >> 3] |= 1 << (index & 7)

    def discard(self, index: int) -> None:
        """Take an index out of the set, if it is there."""
        self._check(index)
        self._bytes[index >> 3] &= ~(1 << (index & 7))

    def run(self, number: int) -> int:
        """Return eight neighbours at once: the byte that holds indexes 8 * number to 8 * number + 7."""
        return self._bytes[number]

    def count(self) -> int:
        """Return how many indexes are in the set."""
        return int.from_bytes(self._bytes, "little").bit_count()

    def is_full(self) -> bool:
        """Say whether every index is in the set."""
        return self.count() == self.size

    def ranges(self) -> Iterator[tuple[int, int]]:
        """Yield (first, stop) of each unbroken stretch, in order."""
        first = stop = -1
        for index in self:
            if index != stop:
                if stop >= 0:
                    yield first, stop
                first = index
            stop = index + 1
        if stop >= 0:
            yield first, stop

    def __contains__(self, index: int) -> bool:
        return 0 <= index < self.size and bool(self._bytes[index >> 3] >> (index & 7) & 1)

    def __iter__(self) -> Iterator[int]:
        for number, byte in enumerate(self._bytes):
            if byte:
                for bit in _BITS[byte]:
                    yield number * 8 + bit

    def __len__(self) -> int:
        return self.count()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bitmap) and self.size == other.size and self._bytes == other._bytes

    __hash__ = None  # type: ignore[assignment]  # it changes, so it cannot be a key

    def __repr__(self) -> str:
        return f"Bitmap({self.count()} of {self.size})"

    def _check(self, index: int) -> None:
        if not 0 <= index < self.size:
            raise IndexError(f"piece {index} of {self.size}")
