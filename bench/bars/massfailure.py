"""Half of all peers die at one moment: how long until all survivors are in one part again, and do searches work then?

10,000 nodes with the mesh of a node (HyParView) and flooding, as in `lab/attacks/massfailure.py`, but linked at once
(bars/meshes.py) and settled since, or, with `joins=1`, come by joining. "One part": over the links between living nodes
everybody can reach everybody, looked at four times a second. The searches (20 each for popular, rare and single items, of
which somebody still holds a copy) begin as soon as that is so.

- `killed`: as by `kill -9`: the other ends of the links are told by resets;
- `silent`: as by a power cut: nobody is told anything, links have to be found dead;
- `half`: every other death is silent, as in the attack of that name.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

from bars.meshes import settle_mesh

from peerage.lab.attacks.attack import AttackSpec, Variant
from peerage.lab.attacks.massfailure import MassFailure
from peerage.lab.experiment import Report, Spec, run_experiment
from peerage.lab.measure import KINDS, KindResult
from peerage.lab.topology import parts

LOOK = 0.25
SETTLE = 150.0  # seconds from the last link until all links that nobody needs have been closed
WATCHED = 180.0
SILENT = {"killed": 0.0, "half": 0.5, "silent": 1.0}
SOON = (5.0, 10.0, 20.0, 40.0)  # seconds after which the largest part is noted


class Struck(MassFailure):
    """The attack, watched more closely; `silent` is the share of deaths that nobody is told of."""

    silent = 0.0
    joins = False

    def __init__(self, rng: random.Random, spec: AttackSpec, report: Report) -> None:
        super().__init__(rng, spec, report)
        self.figures: dict[str, Any] = {}

    async def _join(self) -> None:
        if self.joins:
            await super()._join()
            return
        await settle_mesh(self.population.living(), random.Random(f"mesh {self.spec.seed}"))
        await self.wait(SETTLE, "settling")

    async def strike(self) -> None:
        """Kill, and watch until all are in one part, and a moment longer: it has to last."""
        loop, rng = asyncio.get_running_loop(), random.Random(f"victims {self.spec.seed}")
        begun, healed = loop.time(), None
        active = [len(member.membership.active()) for member in self.population.living() if member.membership]
        self.figures["neighbours_before"] = sum(active) / len(active)
        for seat in rng.sample(range(self.spec.peers), round(self.spec.share * self.spec.peers)):
            await self.population.leave(self.population.members[seat], silently=rng.random() < self.silent)
        noted = dict.fromkeys(SOON, 1.0)
        while loop.time() < begun + WATCHED:
            found = parts(self.population.living())
            largest = len(found[0]) / sum(map(len, found))
            passed = loop.time() - begun
            self.figures.setdefault("largest_part_at_first", largest)
            self.figures.setdefault("parts_at_first", len(found))
            for second in SOON:
                if passed <= second:
                    noted[second] = largest
            if len(found) == 1:
                healed = passed
                break
            await asyncio.sleep(LOOK)
        self.figures["seconds_to_one_part"] = WATCHED if healed is None else healed
        self.figures |= {f"largest_part_after_{second:g}": share for second, share in noted.items()}


def measure_case(case: str, seed: int, peers: int, queries: int, joins: int) -> dict[str, Any]:
    """Run one world."""
    made: list[Struck] = []

    def make(rng: random.Random, _spec: Spec, report: Report) -> Struck:
        struck = Struck(rng, spec, report)
        struck.silent, struck.joins = SILENT[case], bool(joins)
        made.append(struck)
        return struck

    spec = AttackSpec(
        attack="massfailure",
        generation="flood",
        variant=Variant.DEFENDED,
        peers=peers,
        queries=queries,
        seed=seed,
        share=0.5,
        quiet=5.0,
    )
    result = run_experiment(spec, lambda _step, _share: None, make)
    kinds = {str(kind): _kind(each) for kind in KINDS if (each := result.of(kind)) is not None}
    asked = sum(each["queries"] for each in kinds.values())
    return {
        **made[0].figures,
        "success": sum(each["success"] * each["queries"] for each in kinds.values()) / asked,
        **kinds,
        "components_at_the_end": result.components,
        "cpu_seconds": round(result.cpu_seconds, 1),
        "digest": result.digest,
    }


def _kind(each: KindResult) -> dict[str, Any]:
    return {"queries": each.queries, "success": each.success, "messages": each.messages, "first_p50": each.first.p50}


def measure(seed: int, peers: int = 10_000, queries: int = 60, joins: int = 0) -> dict[str, Any]:
    """Kill half of all peers as `kill -9` does."""
    return measure_case("killed", seed, peers, queries, joins)
