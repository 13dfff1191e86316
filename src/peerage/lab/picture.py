"""A picture of a network: where its nodes are, how they are linked, and one search going through it.

It is taken in a small world of the same kind, as ten thousand nodes on a page are a grey cloud. Invariant: what is
shown happened in a run of the real code: each step is a message that was delivered, at the time at which it was.
"""

from __future__ import annotations

import asyncio
import random
from typing import Final

import msgspec

from peerage.lab.experiment import Experiment, Report, Spec, run_experiment
from peerage.lab.generations import GENERATIONS
from peerage.lab.holdings import Held, Item
from peerage.lab.measure import Outcome
from peerage.lab.topology import edges
from peerage.transport.byte_queue import Data
from peerage.transport.memory_link import MemoryLink
from peerage.wire.frame import HEADER, HEADER_BYTES

PEERS: Final = 120
_MOST_STEPS: Final = 4000  # of a search that are kept: a page must stay small


class Spot(msgspec.Struct, frozen=True):
    """A node: where it is on the map (0 to 1, from the left and the top), and whether it holds what is sought."""

    x: float
    y: float
    holds: bool


class Step(msgspec.Struct, frozen=True, array_like=True):
    """A message: seconds since the search began when it came, from which node, to which, and whether it answers."""

    at: float
    source: int
    target: int
    answer: bool


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A small world of one generation, and one search in it."""

    generation: str
    title: str
    spots: list[Spot]
    links: list[tuple[int, int]]
    asker: int
    text: str
    found_at: float | None
    steps: list[Step]


class _Watched(Experiment):
    """An experiment that is watched during its first search for a rare item."""

    picture: Picture

    async def ask(self, kind: Held, number: int) -> list[Outcome]:
        """Watch one search before the others."""
        if kind is Held.RARE:
            await self._watch()
        return await super().ask(kind, number)

    async def _watch(self) -> None:
        members = self.population.living()
        item = self._item(Held.RARE)
        asker = self._asker(item)
        links = edges(members)
        steps: list[Step] = []
        begun = self._loop.time()
        seats = {member.node.host.name: member.seat for member in members}
        codes, counting = self.generation.codes, self.population.world.net.tap

        def note(link: MemoryLink, data: Data) -> None:
            if counting is not None:
                counting(link, data)
            code, _, tag = HEADER.unpack_from(data) if len(data) >= HEADER_BYTES else (b"", 0, 0)
            ours = code in codes or (tag and code == b"REPL")
            if ours and len(steps) < _MOST_STEPS:
                source, target = seats.get(link.far_host.name), seats.get(link.host.name)
                if source is not None and target is not None:
                    answer = code in {b"REPL", b"HITS", b"HELD"}
                    steps.append(Step(round(self._loop.time() - begun, 3), source, target, answer))

        self.population.world.net.tap = note
        outcomes: list[Outcome] = []
        await self._search(asker, item, outcomes)
        await asyncio.sleep(1.0)
        self.population.world.net.tap = counting
        self.picture = self._picture(item, (asker.seat, links, steps, outcomes[0].first if outcomes else None))

    def _picture(self, item: Item, seen: tuple[int, list[tuple[int, int]], list[Step], float | None]) -> Picture:
        asker, links, steps, found_at = seen
        holders = self.population.holders(item)
        spots = []
        for seat in range(self.spec.peers):
            x, y = self.population.places.spot(self.population.members[seat].node.host.name)
            spots.append(Spot(round(x, 4), round(y, 4), seat in holders))
        return Picture(
            generation=self.spec.generation,
            title=self.generation.title,
            spots=spots,
            links=links,
            asker=asker,
            text=item.name,
            found_at=found_at,
            steps=steps,
        )


def take(generation: str, seed: int, report: Report) -> Picture:
    """Run a small world of a generation and return its picture."""
    spec = Spec(generation=generation, seed=seed, peers=PEERS, queries=3, joining=20.0, quiet=5.0)
    taken: list[_Watched] = []

    def make(rng: random.Random, spec: Spec, report: Report) -> Experiment:
        taken.append(_Watched(rng, spec, report))
        return taken[0]

    run_experiment(spec, report, make)
    return taken[0].picture


def label(generation: str) -> str:
    """Return what a job that takes a picture is called."""
    return f"{GENERATIONS[generation].name}, picture"
