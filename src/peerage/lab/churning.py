"""Coming and going: members leave when their session ends, and others come to their seats.

Invariant: every living member has exactly one end ahead of it; whoever leaves is followed by a newcomer with another
key and the same items, so that how often an item is held does not drift. Index servers do not leave.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from typing import TYPE_CHECKING, Final

from peerage.lab.lifetimes import Lifetimes
from peerage.lab.population import Population

if TYPE_CHECKING:
    from peerage.lab.experiment import Spec

_SILENT: Final = 0.5  # share of those that leave of whom the others hear nothing
_AWAY: Final = 1.0  # seconds until a seat is taken again


class Churning:
    """Makes members leave and come, by the sessions of a specification."""

    def __init__(self, population: Population, spec: Spec) -> None:
        self._population = population
        self._rng = random.Random(f"churn {spec.seed}")  # noqa: S311 -- a simulation, not a secret
        self._lifetimes = Lifetimes(self._rng, spec.churn, spec.sessions)
        self.left = 0

    async def run(self) -> None:
        """Go on until cancelled."""
        loop = asyncio.get_running_loop()
        spared = len(self._population.servers())
        ends = [(loop.time() + self._lifetimes.rest(), seat) for seat in self._population.members if seat >= spared]
        heapq.heapify(ends)
        while ends:
            end, seat = ends[0]
            await asyncio.sleep(max(0.0, end - loop.time()))
            await self._replace(seat)
            heapq.heapreplace(ends, (loop.time() + self._lifetimes.session(), seat))

    async def _replace(self, seat: int) -> None:
        population = self._population
        member = population.members[seat]
        await population.leave(member, silently=self._rng.random() < _SILENT)
        self.left += 1
        newcomer = await population.add(seat)
        newcomer.node.peer.spawn(self._come(seat), "come")

    async def _come(self, seat: int) -> None:
        await asyncio.sleep(_AWAY)
        await self._population.join(seat)
