"""Many short lists in two arrays (compressed sparse rows): who holds an item, who is whose neighbour.

Invariant: row r is `values[starts[r]:starts[r + 1]]`; all that is done to rows is done to many at once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]


class Lists(NamedTuple):
    """Rows of whole numbers."""

    starts: Ints
    values: Ints

    @classmethod
    def grouped(cls, rows: Ints, values: Ints, count: int) -> Lists:
        """Return `count` rows, of which row r has the values at which `rows` is r, in their order."""
        order = np.argsort(rows, kind="stable")
        return cls(starts_of(np.bincount(rows, minlength=count)), values[order])

    def __len__(self) -> int:
        return len(self.starts) - 1

    def row(self, number: int) -> Ints:
        """Return one row."""
        return self.values[self.starts[number] : self.starts[number + 1]]

    def lengths(self) -> Ints:
        """Return how long each row is."""
        return np.diff(self.starts)

    def expand(self, rows: Ints) -> tuple[Ints, Ints]:
        """Return all values of some rows, and for each the place in `rows` that it comes from."""
        begin = self.starts[rows]
        lengths = self.starts[rows + 1] - begin
        places = np.repeat(np.arange(len(rows)), lengths)
        within = np.arange(len(places)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return places, self.values[begin[places] + within]


def starts_of(lengths: Ints) -> Ints:
    """Return where rows of these lengths start, and where the last ends."""
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def distinct(numbers: Ints) -> Ints:
    """Return each number once, in order; for many numbers faster than numpy.unique."""
    ordered = np.sort(numbers)
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))] if len(ordered) else ordered


def within(ordered: Ints, sought: Ints) -> Bools:
    """Return which of the numbers sought are among others that are in order."""
    if not len(ordered):
        return np.zeros(len(sought), dtype=np.bool_)
    places = np.searchsorted(ordered, sought).clip(max=len(ordered) - 1)
    found: Bools = ordered[places] == sought
    return found
