"""Random sources of the model: one for each part of a world, so that no part depends on what another draws.

Invariant: the same seed and the same names give the same numbers, in any process.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)


def source(seed: int, name: str) -> np.random.Generator:
    """Return the random source of one part of a world."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def scrambled(numbers: NDArray[Any]) -> NDArray[np.uint64]:
    """Return a random-looking 64-bit number for each number, always the same (SplitMix64, Steele and others 2014)."""
    mixed = numbers.astype(np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return mixed ^ (mixed >> np.uint64(31))
