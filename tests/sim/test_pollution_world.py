"""Half of all answers are decoys, and liars vote under many keys: ten votes of one's own are enough to see through it.

What comes first is looked at with votes and without, in the same world and for the same searches, and nobody is measured
on what he has voted on himself. `peerage lab attack pollute --peers 300` runs a larger one.
"""

from __future__ import annotations

import random

import pytest

from peerage.lab.attacks.attack import AttackSpec, Variant
from peerage.lab.attacks.pollute import Pollute, decoy_of
from peerage.lab.attacks.registry import run_attack
from peerage.lab.clock import run_virtual

SMALL = {"peers": 60, "queries": 3, "joining": 20.0, "settle": 20.0, "quiet": 5.0, "share": 0.2}


def run(variant: Variant, **changes) -> dict[str, float | None]:
    spec = AttackSpec(attack="pollute", generation="flood", variant=variant, **{**SMALL, **changes})
    result = run_attack(spec, lambda _step, _share: None)
    return {extra.label: extra.value for extra in result.extras}


@pytest.fixture(scope="module")
def defended() -> dict[str, float | None]:
    return run(Variant.DEFENDED)


def test_polluted_first_results_are_avoided(defended):
    assert defended["polluted first results avoided"] >= 0.9
    assert defended["polluted, of the first results shown"] < 0.05


def test_honest_results_are_not_hidden(defended):
    assert defended["honest results hidden"] < 0.02


def test_without_votes_half_of_the_first_results_are_polluted(defended):
    assert 0.35 < defended["polluted, of the first results by holders alone"] < 0.7


def test_as_many_decoys_are_offered_as_there_are_copies():
    async def main(rng: random.Random) -> None:
        spec = AttackSpec(attack="pollute", generation="flood", **SMALL)
        attack = Pollute(rng, spec, lambda _step, _share: None)
        attack._hand_out()
        for item in attack._popular():
            honest = len(attack.population.holders(item) - attack.attackers)
            decoys = sum(item in items for items in attack._polluted.values())
            assert decoys == min(honest, len(attack.attackers))
            assert decoy_of(item).content != item.content
            assert decoy_of(item).name == item.name

    run_virtual(main)
