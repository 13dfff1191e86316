"""What there is in a modelled world and who holds it: lab/holdings.py and lab/vocabulary.py as arrays.

Names are three words each, words are numbers; a query is two words of a name, as in the experiments, and what else has
both words is found as well. Invariant: items have exactly the copies that lab/holdings.py gives them, as far as there
are holders to take them.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from peerage.errors import LocalError
from peerage.lab.holdings import SPREAD, Held, popular_from, rare_copies, words_for
from peerage.lab.model.lists import Ints, Lists, distinct, starts_of, within
from peerage.lab.model.randomness import source
from peerage.lab.model.spec import ModelSpec
from peerage.lab.vocabulary import EXPONENT, common_words

_ROUNDS: Final = 200  # of drawing holders for copies that came to one who has the item already


class Contents:
    """Items by number, the most popular first, then the rare and the single ones."""

    def __init__(self, spec: ModelSpec) -> None:
        rng = source(spec.seed, "contents")
        stock, seats = spec.stock, spec.peers
        self.ranked = stock.ranked(seats)
        copies = [stock.copies(rank, seats) for rank in range(self.ranked)]
        copies += [rare_copies(seats)] * stock.rare + [1] * stock.single
        self.copies = np.array(copies, dtype=np.int64)
        self.count = len(copies)
        self.vocabulary = words_for(self.count)
        self.holders = _Dealing(rng, seats, stock.freeriders).deal(self.copies)
        places, _ = self.holders.expand(np.arange(self.count))
        self.items_of = Lists.grouped(self.holders.values, places.astype(np.int32), seats)
        self.words = self._names(rng)  # of each item: a common one, then two rare ones
        numbers = np.repeat(np.arange(self.count, dtype=np.int32), 3)
        self.with_word = Lists.grouped(self.words.ravel(), numbers, self.vocabulary)
        self._popular = int((self.copies[: self.ranked] >= popular_from(seats)).sum())
        self._stock = stock

    @property
    def held(self) -> Ints:
        """How many items each seat holds."""
        return self.items_of.lengths()

    def numbers_of(self, kind: Held) -> tuple[Ints, np.ndarray]:
        """Return the items of a class, and with what probability each is asked for."""
        first = {Held.POPULAR: 0, Held.RARE: self.ranked, Held.SINGLE: self.ranked + self._stock.rare}[kind]
        count = {Held.POPULAR: self._popular, Held.RARE: self._stock.rare, Held.SINGLE: self._stock.single}[kind]
        if not count:
            raise LocalError(f"there are no {kind} items in this world: it is too small, or was made without")
        ranks = np.arange(1, count + 1)
        weights = ranks**-self._stock.exponent if kind is Held.POPULAR else np.ones(count)
        return first + ranks - 1, weights / weights.sum()

    def matching(self, one: int, other: int) -> Ints:
        """Return the items whose names have both words."""
        return np.intersect1d(self.with_word.row(one), self.with_word.row(other))

    def _names(self, rng: np.random.Generator) -> Ints:
        common = common_words(self.vocabulary)
        weights = np.arange(1, common + 1) ** -EXPONENT
        words = np.empty((self.count, 3), dtype=np.int32)
        words[:, 0] = rng.choice(common, self.count, p=weights / weights.sum())
        words[:, 1] = rng.integers(common, self.vocabulary, self.count)
        words[:, 2] = rng.integers(common, self.vocabulary - 1, self.count)
        words[:, 2] += words[:, 2] >= words[:, 1]  # two different ones
        return words


class _Dealing:
    """Deals copies out to seats, by what each can hold; no seat gets two of one item."""

    def __init__(self, rng: np.random.Generator, seats: int, freeriders: float) -> None:
        self._rng = rng
        self._seats = seats
        weights = np.where(rng.random(seats) < freeriders, 0.0, rng.lognormal(0, SPREAD, seats))
        self._bounds = np.cumsum(weights)
        if not self._bounds[-1]:
            raise LocalError("nobody in this world holds anything: lower the share of free riders")

    def deal(self, copies: Ints) -> Lists:
        """Return the seats that hold each item, in order."""
        keys = np.empty(0, dtype=np.int64)
        missing = copies
        for _ in range(_ROUNDS):
            items = np.repeat(np.arange(len(copies), dtype=np.int64), missing)
            if not len(items):
                break
            drawn = self._rng.random(len(items)) * self._bounds[-1]
            chosen = np.searchsorted(self._bounds, drawn, side="right").clip(max=self._seats - 1)
            fresh = distinct(items * self._seats + chosen)
            fresh = fresh[~within(keys, fresh)]
            keys = np.sort(np.concatenate((keys, fresh)), kind="stable")  # two sorted runs: a merge
            missing = missing - np.bincount(fresh // self._seats, minlength=len(copies))
        held = np.bincount(keys // self._seats, minlength=len(copies))
        return Lists(starts_of(held), (keys % self._seats).astype(np.int32))
