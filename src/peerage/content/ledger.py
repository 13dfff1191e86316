"""The state and the priority of every piece of a download, and how many bytes that makes.

Invariant: each piece is in exactly one `PieceState`; the counts and byte sums agree with it at any time. Why a piece
changes its state is not decided here.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from enum import IntEnum
from typing import Final

import msgspec

from peerage.content.bitmap import Bitmap
from peerage.content.manifest import PieceSpace
from peerage.content.picker import Priority


class PieceState(IntEnum):
    """The one state that a piece is in."""

    MISSING = 0
    """Wanted, and asked of nobody."""
    IN_FLIGHT = 1
    """Owed by one source or more, or arrived and being checked."""
    HAVE = 2
    """Verified and stored."""
    UNWANTED = 3
    """Not asked for, as its priority is SKIP."""


class PieceRange(msgspec.Struct, frozen=True):
    """The priority of the pieces from `first` up to, not including, `stop`."""

    first: int
    stop: int
    priority: Priority


class Progress(msgspec.Struct, frozen=True):
    """How far a download is: bytes that are wanted, those of them that are verified, and pieces by their state."""

    wanted_bytes: int
    verified_bytes: int
    in_flight_bytes: int
    have: int
    in_flight: int
    missing: int
    unwanted: int


# What each state becomes when its piece is wanted, or not; then, as digits, which pieces are missing.
_WANTED: Final = bytes((PieceState.MISSING, PieceState.IN_FLIGHT, PieceState.HAVE, PieceState.MISSING)).ljust(256)
_SKIPPED: Final = bytes((PieceState.UNWANTED, PieceState.IN_FLIGHT, PieceState.HAVE, PieceState.UNWANTED)).ljust(256)
_MISSING_DIGIT: Final = b"1000".ljust(256)
_STRETCH_TO_COME: Final = re.compile(b"[\0\1]+")  # MISSING or IN_FLIGHT
_STRETCH_SKIPPED: Final = re.compile(b"\0+")
_STRETCH_WANTED: Final = re.compile(b"[^\0]+")


class Ledger:
    """One byte of state and one of priority for each piece; whole stretches are changed at once."""

    def __init__(self, space: PieceSpace, have: Bitmap) -> None:
        self._space = space
        self._state = bytearray(space.count)
        for first, stop in have.ranges():
            self._state[first:stop] = bytes([PieceState.HAVE]) * (stop - first)
        self._verified = array("I")
        self._counts = [0] * len(PieceState)
        self._wanted_bytes = 0
        self._bytes_to_come = 0
        self.have = have.copy()
        self.priorities = bytearray(space.count)

    def set_priorities(self, ranges: Iterable[PieceRange], default: Priority) -> None:
        """Set the priority of every piece, and with it which are wanted; raises IndexError for pieces there are not."""
        priorities = bytearray([default]) * self._space.count
        for part in ranges:
            if not 0 <= part.first <= part.stop <= self._space.count:
                raise IndexError(f"pieces {part.first} to {part.stop} of {self._space.count}")
            priorities[part.first : part.stop] = bytes([part.priority]) * (part.stop - part.first)
        self.priorities = priorities
        for pattern, change in ((_STRETCH_WANTED, _WANTED), (_STRETCH_SKIPPED, _SKIPPED)):
            for match in pattern.finditer(priorities):
                first, stop = match.span()
                self._state[first:stop] = self._state[first:stop].translate(change)
        self._counts = [self._state.count(state) for state in PieceState]
        self._wanted_bytes = self._bytes_in(_STRETCH_WANTED, priorities)
        self._bytes_to_come = self._bytes_in(_STRETCH_TO_COME, self._state)

    def take_off(self, index: int) -> None:
        """Note that a missing piece is in flight."""
        self._move(index, PieceState.IN_FLIGHT)

    def put_back(self, index: int, length: int) -> bool:
        """Note that a piece of that length is no longer in flight; returns whether it is wanted, and so missing."""
        if self.priorities[index]:
            self._move(index, PieceState.MISSING)
            return True
        self._move(index, PieceState.UNWANTED)
        self._bytes_to_come -= length
        return False

    def store(self, index: int, length: int) -> None:
        """Note that a piece of that length is there."""
        self._move(index, PieceState.HAVE)
        self.have.add(index)
        self._verified.append(index)
        self._bytes_to_come -= length

    def count(self, state: PieceState) -> int:
        """Return how many pieces are in a state."""
        return self._counts[state]

    def state_of(self, index: int) -> PieceState:
        """Return the state of a piece."""
        return PieceState(self._state[index])

    def states(self) -> bytes:
        """Return the states of all pieces, one byte each."""
        return bytes(self._state)

    def missing(self) -> Bitmap:
        """Return the pieces that are wanted and asked of nobody."""
        digits = self._state.translate(_MISSING_DIGIT)[::-1]
        bits = int(digits, 2) if digits else 0
        return Bitmap.from_bytes(bits.to_bytes((self._space.count + 7) // 8, "little"), self._space.count)

    def verified_since(self, cursor: int) -> tuple[list[int], int]:
        """Return the pieces that came to be there since a cursor, and the cursor for the next time."""
        return self._verified[cursor:].tolist(), len(self._verified)

    def progress(self, in_flight_bytes: int) -> Progress:
        """Return how far it is."""
        return Progress(
            wanted_bytes=self._wanted_bytes,
            verified_bytes=max(0, self._wanted_bytes - self._bytes_to_come),
            in_flight_bytes=in_flight_bytes,
            have=self._counts[PieceState.HAVE],
            in_flight=self._counts[PieceState.IN_FLIGHT],
            missing=self._counts[PieceState.MISSING],
            unwanted=self._counts[PieceState.UNWANTED],
        )

    def _move(self, index: int, state: int) -> None:
        self._counts[self._state[index]] -= 1
        self._counts[state] += 1
        self._state[index] = state

    def _bytes_in(self, stretch: re.Pattern[bytes], marks: bytearray) -> int:
        return sum(self._space.bytes_between(*match.span()) for match in stretch.finditer(marks))
