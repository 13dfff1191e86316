"""What the keyword tables of neighbours say to a query: overlay/keywords.py and overlay/flood/tables.py for all peers.

No table is made: that a table matches a word means that one of its numbers begins with the same bits, and who holds
such words is looked up. So false matches come as often, and at the same peers each time, as in real tables.
Invariant: whoever can answer is never left out (no false negatives).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Protocol

import numpy as np

from peerage.lab.model.lists import Bools, Ints, Lists, distinct
from peerage.lab.model.randomness import scrambled
from peerage.overlay.keywords import MIN_BITS, KeywordBag

_NUMBER_BITS: Final = 32
_EXTENSIONS: Final = 4  # kinds of files: a word of the name, too
_CACHED: Final = 64  # words; common ones come again and again


class Shelves(Protocol):
    """What tables are made of: words and items by number, who answers with an item, and how many each answers with."""

    @property
    def vocabulary(self) -> int:
        """How many words there are."""

    @property
    def count(self) -> int:
        """How many items."""

    @property
    def with_word(self) -> Lists:
        """The items with each word."""

    @property
    def holders(self) -> Lists:
        """Who answers with each item."""

    @property
    def held(self) -> Ints:
        """With how many items each answers."""


class KeywordTables:
    """The tables of all peers, level by level, over one network."""

    def __init__(self, contents: Shelves, network: Lists, depth: int) -> None:
        self.depth = depth
        self._contents = contents
        self._network = network
        self._bits = _bits_of(contents.held)
        numbers = scrambled(np.arange(contents.vocabulary + contents.count) + 1) >> np.uint64(_NUMBER_BITS)
        words, locators = numbers[: contents.vocabulary], numbers[contents.vocabulary :]
        self._numbers = words.astype(np.int64)
        self._by_number = np.argsort(self._numbers)
        self._ordered = self._numbers[self._by_number]
        self._locators_by_item = locators.astype(np.int64)
        self._located = np.argsort(self._locators_by_item)
        self._locators = self._locators_by_item[self._located]
        self._mark = np.zeros(len(network), dtype=np.bool_)
        self._own = lru_cache(_CACHED)(self._with_number_of)

    def near(self, words: tuple[int, int]) -> list[Ints]:
        """Return who is worth asking with ttl 1, who with ttl 2: those whose table of that level matches both words."""
        if not self.depth:
            return []
        one, other = sorted((self._own(word) for word in words), key=len)
        levels = [one[self._among(one, other)]]
        if self.depth > 1:
            beside = distinct(self._network.expand(one)[1])
            levels.append(beside[self._next_to(beside, other)])
        return levels

    def number_of(self, word: int) -> int:
        """Return the number by which tables know a word."""
        return int(self._numbers[word])

    def locator_of(self, item: int) -> int:
        """Return the number by which they know a content."""
        return int(self._locators_by_item[item])

    # --- inside -----------------------------------------------------------------------------------------------------

    def _with_number_of(self, word: int) -> Ints:
        """Return the peers whose own table matches a word, in order."""
        contents, number = self._contents, self._numbers[word]
        slot = number >> (_NUMBER_BITS - MIN_BITS)  # of the smallest tables: larger ones match no more than they do
        low, high = slot << (_NUMBER_BITS - MIN_BITS), (slot + 1) << (_NUMBER_BITS - MIN_BITS)
        begin, end = np.searchsorted(self._ordered, (low, high))
        alike = self._by_number[begin:end]
        places, items = contents.with_word.expand(alike)
        begin, end = np.searchsorted(self._locators, (low, high))
        items = np.concatenate((items, self._located[begin:end]))
        theirs = np.concatenate((self._numbers[alike][places], self._locators[begin:end]))
        places, holders = contents.holders.expand(items)
        same = (theirs[places] ^ number) >> (_NUMBER_BITS - self._bits[holders]) == 0
        return distinct(holders[same])

    def _among(self, peers: Ints, others: Ints) -> Bools:
        self._mark[others] = True
        found = self._mark[peers]
        self._mark[others] = False
        return found

    def _next_to(self, peers: Ints, others: Ints) -> Bools:
        """Return which of the peers have one of the others as a neighbour."""
        places, beside = self._network.expand(peers)
        return np.bincount(places[self._among(beside, others)], minlength=len(peers)) > 0


def _bits_of(held: Ints) -> Ints:
    """Return the size of everybody's table, by how many items each holds."""
    counts, which = np.unique(held, return_inverse=True)
    return np.array([_bits_for(count) for count in counts.tolist()], dtype=np.int64)[which]


def _bits_for(items: int) -> int:
    """Return the bits of the table of so many items: three words and a locator for each, and the kinds of files."""
    kinds = round(_EXTENSIONS * (1 - (1 - 1 / _EXTENSIONS) ** items))
    bag = KeywordBag()
    step = (1 << _NUMBER_BITS) // (4 * items + kinds + 1)
    bag.add(number * step for number in range(4 * items + kinds))
    return bag.table().bits
