"""Denial of service: hostile nodes ask as fast as they can, so that nobody else is heard.

Against it: a link brings so many questions a second and no more, and what it brings is relayed at a lower rate still.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from peerage.errors import LimitError, LinkError
from peerage.lab.attacks.attack import Attack, Extra
from peerage.lab.generations import Flood, Generation
from peerage.lab.holdings import Held
from peerage.lab.member import Member
from peerage.overlay.base import Overlay
from peerage.overlay.flood import FloodOverlay
from peerage.overlay.flood.messages import QUESTION_ID_BYTES, FindRecords
from peerage.overlay.flood.state import FloodRules

_RATE: Final = 40.0  # questions a second that an attacker sends over each of its links
_LINKS: Final = 2  # that it uses: without the defence they are enough to keep a large world busy
_TICK: Final = 0.5  # seconds between its volleys
_SECONDS: Final = 6.0  # of the attack
_ASKED: Final = 5  # honest searches meanwhile
_TTL: Final = 7
_UNBOUNDED: Final = 1e9


class OpenFlood(Flood):
    """Flooding in which everybody may ask and relay as much as they like."""

    def overlay(self, member: Member) -> Overlay:
        """Return flooding without rates."""
        rules = msgspec.structs.replace(
            FloodRules(),
            incoming_rate=_UNBOUNDED,
            incoming_burst=_UNBOUNDED,
            relayed_rate=_UNBOUNDED,
            relayed_burst=_UNBOUNDED,
        )
        assert member.membership is not None
        return FloodOverlay(member.shelf, rules, member.membership.active)


class Dos(Attack):
    """A few peers drown the network in questions."""

    name = "dos"
    about = f"hostile peers send {_RATE:.0f} questions a second over each of {_LINKS} links"
    defence = "each link brings and is given only so many questions a second"
    overlays = ("flood",)
    usual_share = 0.005

    _load = 0.0
    _found: float | None = None

    def make_generation(self) -> Generation:
        """Return flooding with its rates, or without."""
        return OpenFlood() if self.is_bare else super().make_generation()

    async def strike(self) -> None:
        """Let the attackers begin, see what it costs the others, and whether they still find things."""
        if not self.is_calm:
            for seat in sorted(self.attackers):
                member = self.population.members[seat]
                member.node.peer.spawn(self._drown(member), "drown")
        self.census.take()
        await self.wait(_SECONDS / 2, "attack")
        count = self.census.take()
        self._load = count.total().messages / self.spec.peers / count.seconds
        outcomes = await self.ask(Held.POPULAR, _ASKED)
        self._found = sum(each.found for each in outcomes) / len(outcomes)

    async def _drown(self, member: Member) -> None:
        rng, loop = member.node.peer.rng, asyncio.get_running_loop()
        end = loop.time() + _SECONDS
        while loop.time() < end:
            for connection in member.node.peer.neighbours()[:_LINKS]:
                for _ in range(int(_RATE * _TICK)):
                    word = f"{rng.getrandbits(32):x}"
                    question = FindRecords(rng.randbytes(QUESTION_ID_BYTES), _TTL, 1, word)
                    try:
                        connection.send(question)
                    except (LinkError, LimitError):
                        break
            await asyncio.sleep(_TICK)

    def extras(self) -> list[Extra]:
        """Return what reaches a node while nobody honest asks."""
        return [
            Extra("messages a node and second, during the attack", self._load, ""),
            Extra("popular items found, searches begun during the attack", self._found),
        ]
