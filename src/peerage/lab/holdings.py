"""What is in a simulated world and who has it: items, how often each is copied, and on which seats the copies lie.

How often an item is held falls with its rank as Zipf's law has it; a share of all peers holds nothing, and of the rest
some hold far more than others (Saroiu, Gummadi, Gribble, MMCN 2002: a quarter of Gnutella's peers shared nothing). Two
classes are set apart to be measured: *rare* items, held by exactly 0.1 % of the peers, and *single* ones, held by one.
Invariant: an item keeps its number of copies for good: a copy belongs to a seat, and whoever leaves a seat is followed
by somebody who holds the same. Nothing here knows peers, keys or records.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator
from enum import StrEnum
from itertools import accumulate
from typing import Final

import msgspec
from blake3 import blake3

from peerage.errors import LocalError
from peerage.lab.vocabulary import Vocabulary

RARE_SHARE: Final = 0.001
POPULAR_SHARE: Final = 0.01  # an item counts as popular from here on
SPREAD: Final = 1.2  # sigma of the log-normal by which some hold more than others
_TYPES: Final = (("flac", "audio/flac"), ("mp4", "video/mp4"), ("pdf", "application/pdf"), ("zip", "application/zip"))
PEERS_PER_ITEM: Final = 4
FEWEST_ITEMS: Final = 20  # items by Zipf's law, in small worlds
_NO_PLACE: Final = 1000  # draws after which the copies of an item must fit somewhere, or never will


class Held(StrEnum):
    """How many hold an item: the classes that are measured apart, and the rest."""

    POPULAR = "popular"
    RARE = "rare"
    SINGLE = "single"
    OTHER = "other"


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is in a world, and how it is spread."""

    items: int = 0  # with copies by Zipf's law; 0: one for every four peers, so that a peer holds one or two in all
    exponent: float = 0.8  # of Zipf's law, for copies and for queries
    top: float = 0.05  # share of the peers that hold the most popular item
    rare: int = 50  # items held by 0.1 % of the peers
    single: int = 50  # items held by one peer
    freeriders: float = 0.25  # share of the peers that hold nothing

    def ranked(self, seats: int) -> int:
        """Return how many items there are by Zipf's law, for so many peers."""
        return self.items or max(seats // PEERS_PER_ITEM, FEWEST_ITEMS)

    def copies(self, rank: int, seats: int) -> int:
        """Return how many hold the item of a rank."""
        return max(1 if rank else 2, round(seats * self.top / float((rank + 1) ** self.exponent)))


def words_for(items: int) -> int:
    """Return how many words the names of so many items are made of."""
    return 500 + 3 * items


def rare_copies(seats: int) -> int:
    """Return how many hold a rare item."""
    return max(1, round(seats * RARE_SHARE))


def popular_from(seats: int) -> float:
    """Return how many must hold an item for it to count as popular."""
    return max(2, POPULAR_SHARE * seats)


class Item(msgspec.Struct, frozen=True):
    """Something that can be shared; `words` are those of its name, `rank` 0 is the most popular."""

    number: int
    rank: int
    held: Held
    copies: int
    words: tuple[str, ...]
    name: str
    mime: str
    size: int
    content: bytes


class Holdings:
    """The items of a world and the seats that hold them, for `seats` peers."""

    def __init__(self, rng: random.Random, seats: int, stock: Stock) -> None:
        if seats < 2:
            raise LocalError("a world needs at least two peers")
        self._rng = rng
        self._stock = stock
        self._count = stock.ranked(seats)
        self._words = Vocabulary(rng, words_for(self._count + stock.rare + stock.single))
        self._names: set[str] = set()
        weights = [0.0 if rng.random() < stock.freeriders else rng.lognormvariate(0, SPREAD) for _ in range(seats)]
        self._weights = list(accumulate(weights))
        if not self._weights[-1]:
            raise LocalError("nobody in this world holds anything: lower the share of free riders")
        self.items = list(self._make_items(seats))
        self.seats: list[list[Item]] = [[] for _ in range(seats)]
        for item in self.items:
            for seat in self._places_for(item.copies):
                self.seats[seat].append(item)
        self._asked: dict[Held, tuple[list[Item], list[float]]] = {}

    def ask_for(self, held: Held, rng: random.Random) -> Item:
        """Draw an item of a class as people do who search: popular ones by Zipf's law, others evenly."""
        if held not in self._asked:
            items = [item for item in self.items if item.held is held]
            if not items:
                raise LocalError(f"there are no {held} items in this world: it is too small, or was made without")
            popular = held is Held.POPULAR
            weights = [1 / (item.rank + 1) ** self._stock.exponent if popular else 1.0 for item in items]
            self._asked[held] = items, list(accumulate(weights))
        items, weights = self._asked[held]
        return items[min(bisect(weights, rng.random() * weights[-1]), len(items) - 1)]

    # --- inside -----------------------------------------------------------------------------------------------------

    def _make_items(self, seats: int) -> Iterator[Item]:
        stock, count = self._stock, self._count
        for rank in range(count):
            copies = stock.copies(rank, seats)
            held = Held.POPULAR if copies >= popular_from(seats) else Held.OTHER
            yield self._make(rank, held, copies)
        for rank in range(stock.rare):
            yield self._make(count + rank, Held.RARE, rare_copies(seats))
        for rank in range(stock.single):
            yield self._make(count + stock.rare + rank, Held.SINGLE, 1)

    def _make(self, number: int, held: Held, copies: int) -> Item:
        extension, mime = self._rng.choice(_TYPES)
        words = self._title()
        content = blake3(f"{number} ".encode() + self._rng.randbytes(16)).digest()
        size = int(self._rng.lognormvariate(15, 2)) + 1
        name = f"{' '.join(words).title()}.{extension}"
        return Item(number, number, held, copies, words, name, mime, size, content)

    def _title(self) -> tuple[str, ...]:
        """Return three words that no other item has together; the first is a common one."""
        while True:
            words = (self._words.common(), self._words.rare(), self._words.rare())
            title = " ".join(words)
            if title not in self._names and words[1] != words[2]:
                self._names.add(title)
                return words

    def _places_for(self, copies: int) -> list[int]:
        """Choose the seats of one item's copies, by what each can hold."""
        chosen: dict[int, None] = {}
        failures = 0
        while len(chosen) < copies and failures < _NO_PLACE:
            seat = bisect(self._weights, self._rng.random() * self._weights[-1])
            seat = min(seat, len(self._weights) - 1)
            failures += seat in chosen
            chosen[seat] = None
        return list(chosen)
