"""Half of all answers are decoys, and liars vote under many keys: ten votes of one's own are enough to see through it.

The same world runs with the defence and without. Nobody is measured on what he has voted on himself. The bars hold in
worlds of 300 peers (`peerage lab attack pollute --peers 300`); in this one, which is small enough for every test run,
people share fewer opinions and a little less is avoided.
"""

from __future__ import annotations

import random

import pytest

from peerage.lab.attacks.attack import AttackSpec, Variant
from peerage.lab.attacks.pollute import Pollute, decoy_of
from peerage.lab.attacks.registry import run_attack
from peerage.lab.clock import run_virtual

SMALL = {"peers": 90, "queries": 3, "joining": 20.0, "settle": 20.0, "quiet": 5.0, "share": 0.2}


def run(variant: Variant, **changes) -> dict[str, float | None]:
    spec = AttackSpec(attack="pollute", generation="flood", variant=variant, **{**SMALL, **changes})
    result = run_attack(spec, lambda _step, _share: None)
    return {extra.label: extra.value for extra in result.extras}


@pytest.fixture(scope="module")
def defended() -> dict[str, float | None]:
    return run(Variant.DEFENDED)


def test_polluted_first_results_are_avoided(defended):
    assert defended["polluted first results avoided"] >= 0.85
    assert defended["polluted, of the first results shown"] < 0.1


def test_honest_results_are_not_hidden(defended):
    assert defended["honest results hidden"] < 0.02


def test_without_votes_half_of_the_first_results_are_polluted():
    bare = run(Variant.BARE, peers=40)
    assert 0.35 < bare["polluted, of the first results shown"] < 0.7
    assert bare["polluted first results avoided"] == 0


def test_as_many_decoys_are_offered_as_there_are_copies():
    async def main(rng: random.Random) -> None:
        spec = AttackSpec(attack="pollute", generation="flood", **SMALL)
        attack = Pollute(rng, spec, lambda _step, _share: None)
        attack._hand_out()
        for item in attack.population.holdings.items[:60]:
            honest = len(attack.population.holders(item) - attack.attackers)
            decoys = sum(item in items for items in attack._polluted.values())
            assert decoys == min(honest, len(attack.attackers))
            assert decoy_of(item).content != item.content
            assert decoy_of(item).name == item.name

    run_virtual(main)
