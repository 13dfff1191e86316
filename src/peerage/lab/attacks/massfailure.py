"""Mass failure: a large share of all nodes dies in one moment, half of them without a word.

Against it: every node remembers peers beyond its neighbours and takes their place when links are lost (HyParView).
"""

from __future__ import annotations

import asyncio
import random
from typing import Final

from peerage.lab.attacks.attack import Attack, Extra
from peerage.lab.attacks.static import StaticFlood
from peerage.lab.generations import Generation
from peerage.lab.topology import parts

_WATCHED: Final = 120.0  # seconds within which survivors must have found together
_LOOK: Final = 1.0


class MassFailure(Attack):
    """Half of everybody goes at once."""

    name = "massfailure"
    about = "half of all nodes die at once, every other without a word"
    defence = "nodes remember peers beyond their neighbours, and dial them when neighbours are lost"
    overlays = ("flood",)
    usual_share = 0.5
    has_attackers = False

    _healed: float | None = None
    _largest = 1.0

    def make_generation(self) -> Generation:
        """Return flooding over a mesh that heals, or over links that nobody makes again."""
        return StaticFlood() if self.is_bare else super().make_generation()

    async def strike(self) -> None:
        """Kill, and watch the survivors."""
        loop, rng = asyncio.get_running_loop(), random.Random(f"victims {self.spec.seed}")  # noqa: S311
        begun = loop.time()
        if not self.is_calm:
            for seat in rng.sample(range(self.spec.peers), round(self.spec.share * self.spec.peers)):
                await self.population.leave(self.population.members[seat], silently=rng.random() < 0.5)
        while loop.time() < begun + _WATCHED and self._healed is None:
            found = parts(self.population.living())
            self._largest = len(found[0]) / sum(map(len, found))
            if len(found) == 1:
                self._healed = loop.time() - begun
            self.report("healing", (loop.time() - begun) / _WATCHED)
            await asyncio.sleep(_LOOK)

    def extras(self) -> list[Extra]:
        """Return how fast survivors found together."""
        return [
            Extra("seconds until all survivors are in one part", self._healed, "s"),
            Extra("survivors in the largest part, when that was so or time was up", self._largest),
        ]
