"""Loss of supernodes: half of them die in one moment, without a word, and people search at once.

Against it: a leaf has three supernodes and asks another when one is silent, what it shares is with all of them, and
whoever has lost its place finds another or steps up.
"""

from __future__ import annotations

import random

import msgspec

from peerage.lab.attacks.attack import Attack, Extra
from peerage.lab.generations import YOUNG_WORLD, Generation, Supernode
from peerage.lab.holdings import Held
from peerage.lab.member import Member
from peerage.overlay.supernode import Role, SupernodeOverlay, SupernodeRules

_ASKED = 20  # searches in the moments after


class SupernodeWith(Supernode):
    """Supernodes under other rules."""

    def __init__(self, rules: SupernodeRules) -> None:
        self.rules = rules


class SupernodeLoss(Attack):
    """Half of the supernodes are gone at once."""

    name = "supernode-loss"
    about = "half of all supernodes die at once, without a word"
    defence = "each leaf has three supernodes, and asks another when one is silent"
    overlays = ("supernode",)
    usual_share = 0.5
    has_attackers = False

    _killed = 0
    _found: float | None = None

    def make_generation(self) -> Generation:
        """Return leaves with three supernodes, or with one."""
        rules = msgspec.structs.replace(YOUNG_WORLD, uplinks=1) if self.is_bare else YOUNG_WORLD
        return SupernodeWith(rules)

    async def strike(self) -> None:
        """Kill, and search at once."""
        rng = random.Random(f"victims {self.spec.seed}")  # noqa: S311 -- a simulation, not a secret
        elected = [member for member in self.population.living() if _is_supernode(member)]
        if not self.is_calm:
            count = min(max(1, round(self.spec.share * len(elected))), len(elected))  # one of one, too
            for member in rng.sample(elected, count):
                await self.population.leave(member, silently=True)
                self._killed += 1
        outcomes = await self.ask(Held.POPULAR, _ASKED)
        self._found = sum(each.found for each in outcomes) / len(outcomes) if outcomes else None

    def extras(self) -> list[Extra]:
        """Return how many were lost, and whether people noticed."""
        return [
            Extra("popular items found, searches begun at once", self._found),
            Extra("supernodes killed", self._killed, ""),
        ]


def _is_supernode(member: Member) -> bool:
    return isinstance(member.overlay, SupernodeOverlay) and member.overlay.role is Role.SUPERNODE
