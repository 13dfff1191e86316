"""Words for the names of simulated files: made up, pronounceable, some common and most rare.

Invariant: the same random source gives the same words; no two words of one vocabulary are equal, and each is one search
word (catalogue.text). Words mean nothing, so nobody is tempted to take the contents of a world for real.
"""

from __future__ import annotations

import random
from bisect import bisect
from itertools import accumulate
from typing import Final

_ONSETS: Final = (
    "b",
    "br",
    "d",
    "f",
    "g",
    "gr",
    "h",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "st",
    "t",
    "tr",
    "v",
    "w",
    "z",
)
_VOWELS: Final = ("a", "e", "i", "o", "u", "ai", "ea", "ou")
_CODAS: Final = ("", "", "l", "m", "n", "r", "s", "t", "ck", "nd")
_COMMON_SHARE: Final = 0.02  # of all words; they stand in every other name, as "live" and "mix" do
_FEWEST: Final = 20
EXPONENT: Final = 0.8  # of the Zipf law by which common words are drawn


class Vocabulary:
    """`size` different words; the first of them are the common ones."""

    def __init__(self, rng: random.Random, size: int) -> None:
        self._rng = rng
        words: dict[str, None] = {}
        while len(words) < size:
            words[self._word()] = None
        self._words = list(words)
        self._common = common_words(size)
        self._weights = list(accumulate(1 / (rank + 1) ** EXPONENT for rank in range(self._common)))

    def __len__(self) -> int:
        return len(self._words)

    def common(self) -> str:
        """Draw a word that many names have."""
        at = bisect(self._weights, self._rng.random() * self._weights[-1])
        return self._words[min(at, self._common - 1)]

    def rare(self) -> str:
        """Draw a word that few names have."""
        return self._words[self._rng.randrange(self._common, len(self._words))]

    def _word(self) -> str:
        choose = self._rng.choice
        syllables = self._rng.choice((2, 2, 3))
        return "".join(choose(_ONSETS) + choose(_VOWELS) for _ in range(syllables)) + choose(_CODAS)


def common_words(size: int) -> int:
    """Return how many words of a vocabulary are common ones."""
    return max(_FEWEST, int(size * _COMMON_SHARE))
