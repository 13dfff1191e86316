"""Eclipse: Sybils choose their keys so that they are the nearest to the words of one item, which is to vanish.

Against it: what is stored on a whole region is not all in the hands of the nearest.
"""

from __future__ import annotations

import random
from typing import Final

from peerage.identity.keys import PeerKey
from peerage.lab.attacks.attack import AttackSpec, Extra
from peerage.lab.attacks.sybil import Sybil
from peerage.lab.experiment import Report
from peerage.lab.holdings import Held, Item
from peerage.overlay.dht.contacts import number_of
from peerage.overlay.dht.records import key_of_word

_BITS: Final = 256
_NEARER: Final = 1  # bits that a Sybil is nearer to the key than the nearest honest node can be expected to be
_ASKED: Final = 10  # searches for the item


class Eclipse(Sybil):
    """As many Sybils as the attacker has, all of them round the words of one item."""

    name = "eclipse"
    about = "Sybils choose keys that are nearest to the words of one item, to make it vanish"
    defence = "records are stored on a whole region, and walks go four disjoint ways"
    usual_share = 0.1

    _found: float | None = None

    def __init__(self, rng: random.Random, spec: AttackSpec, report: Report) -> None:
        super().__init__(rng, spec, report)
        self.target = next(item for item in self.population.holdings.items if item.held is Held.SINGLE)
        if not self.is_calm:
            self._choose_keys()

    def _choose_keys(self) -> None:
        """Try keys until they are near enough; the work doubles with each bit."""
        rng = random.Random(f"keys {self.spec.seed}")  # noqa: S311 -- a simulation, not a secret
        within = 1 << (_BITS - self.spec.peers.bit_length() - _NEARER)
        words = self.target.words
        for number, seat in enumerate(sorted(self.attackers)):
            point = number_of(key_of_word(words[number % len(words)]))
            seed = rng.randbytes(32)
            while number_of(PeerKey.from_seed(seed).peer_id) ^ point >= within:
                seed = rng.randbytes(32)
            self.population.seeds[seat] = seed

    async def strike(self) -> None:
        """Search for the item that is to vanish."""
        self._only = self.target
        outcomes = await self.ask(Held.SINGLE, _ASKED)
        self._only = None
        self._found = sum(each.found for each in outcomes) / len(outcomes)

    _only: Item | None = None

    def _item(self, kind: Held) -> Item:
        return self._only or super()._item(kind)

    def extras(self) -> list[Extra]:
        """Return whether it has vanished."""
        return [Extra("searches that found the item under attack", self._found)]
