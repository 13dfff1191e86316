"""Partition: the network is cut in two for some minutes, as when a country's lines are cut, and then whole again.

Against it: each half heals by itself, and every node still remembers peers of the other half when they are back.
"""

from __future__ import annotations

import asyncio
import random
from typing import Final

from peerage.lab.attacks.attack import Attack, Extra
from peerage.lab.attacks.static import StaticFlood
from peerage.lab.generations import Generation
from peerage.lab.holdings import Held
from peerage.lab.topology import parts

_CUT: Final = 180.0  # seconds: long enough for every dead link to be noticed
_WATCHED: Final = 300.0
_LOOK: Final = 1.0
_ASKED: Final = 10  # searches while it is cut


class Partition(Attack):
    """Two halves that cannot hear each other for three minutes."""

    name = "partition"
    about = f"the network is cut in two for {_CUT:.0f} seconds"
    defence = "nodes remember peers of the other side, and try them again"
    overlays = ("flood",)
    usual_share = 0.5
    has_attackers = False

    _healed: float | None = None
    _found: float | None = None

    def make_generation(self) -> Generation:
        """Return flooding over a mesh that heals, or over links that nobody makes again."""
        return StaticFlood() if self.is_bare else super().make_generation()

    async def strike(self) -> None:
        """Cut, ask, mend, and watch."""
        rng = random.Random(f"sides {self.spec.seed}")  # noqa: S311 -- a simulation, not a secret
        seats = rng.sample(range(self.spec.peers), round(self.spec.share * self.spec.peers))
        if not self.is_calm:
            self.population.world.partition([self.population.members[seat].node for seat in seats])
        await self.wait(_CUT, "cut in two")
        outcomes = await self.ask(Held.POPULAR, _ASKED)
        self._found = sum(each.found for each in outcomes) / len(outcomes)
        self.population.world.heal()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while loop.time() < begun + _WATCHED and self._healed is None:
            if len(parts(self.population.living())) == 1:
                self._healed = loop.time() - begun
            self.report("healing", (loop.time() - begun) / _WATCHED)
            await asyncio.sleep(_LOOK)

    def extras(self) -> list[Extra]:
        """Return what was found while it was cut, and how fast it was whole again."""
        return [
            Extra("popular items found while it was cut", self._found),
            Extra("seconds until all are in one part again", self._healed, "s"),
        ]
