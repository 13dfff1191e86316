"""Each attack of the lab does harm where the defence is taken away, and little where it is not."""

from __future__ import annotations

import msgspec
import pytest

from peerage.errors import LocalError
from peerage.identity.keys import PeerKey
from peerage.lab.attacks.attack import AttackResult, AttackSpec, Variant
from peerage.lab.attacks.eclipse import Eclipse
from peerage.lab.attacks.holes import hole
from peerage.lab.attacks.registry import ATTACKS, attack_named, jobs, overlay_for, run_attack
from peerage.lab.attacks.sybil import Sybil, SybilOverlay
from peerage.lab.clock import run_virtual
from peerage.lab.experiment import run_experiment
from peerage.lab.holdings import Stock
from peerage.overlay import checks
from peerage.overlay.dht.contacts import number_of
from peerage.overlay.dht.records import key_of_word

SMALL = {"peers": 30, "queries": 9, "joining": 10.0, "settle": 20.0, "quiet": 10.0, "rate": 2.0}


def run(name: str, **changes) -> dict[Variant, AttackResult]:
    kind = attack_named(name)
    spec = AttackSpec(attack=name, generation=kind.overlays[0], **{"share": kind.usual_share, **SMALL, **changes})
    return {
        variant: run_attack(msgspec.structs.replace(spec, variant=variant), lambda _step, _share: None)
        for variant in Variant
    }


def extra(result: AttackResult, number: int = 0) -> float | None:
    return result.extras[number].value


def success(result: AttackResult) -> float:
    return sum(each.success for each in result.result.kinds) / len(result.result.kinds)


def test_spoofed_records_are_shown_only_without_the_defence():
    runs = run("spoof")
    assert extra(runs[Variant.CALM]) == extra(runs[Variant.DEFENDED]) == 0
    assert extra(runs[Variant.BARE]) > 0.3
    assert success(runs[Variant.DEFENDED]) == 1


def test_a_flood_of_questions_is_held_back():
    runs = run("dos")
    assert extra(runs[Variant.BARE]) > 2 * extra(runs[Variant.DEFENDED])
    assert extra(runs[Variant.BARE]) > 20 * extra(runs[Variant.CALM])
    assert extra(runs[Variant.DEFENDED], 1) == 1


def test_half_of_all_nodes_may_die():
    runs = run("massfailure", share=0.7, peers=50, stock=Stock(top=0.5))
    assert extra(runs[Variant.DEFENDED]) is not None
    assert extra(runs[Variant.DEFENDED]) < 10
    assert success(runs[Variant.DEFENDED]) > success(runs[Variant.BARE])


def test_a_network_that_was_cut_grows_together_again():
    runs = run("partition")
    assert extra(runs[Variant.BARE], 1) is None
    assert extra(runs[Variant.DEFENDED], 1) < 120
    assert success(runs[Variant.DEFENDED]) == 1
    assert success(runs[Variant.BARE]) < 0.8


LITTLE = Stock(items=10, top=0.3, rare=5, single=5)


@pytest.mark.parametrize("name", ["sybil", "eclipse", "supernode-loss"])
def test_most_is_found_in_spite_of(name):
    runs = run(name, settle=0.0, stock=LITTLE, peers=40)
    assert success(runs[Variant.CALM]) == 1
    assert success(runs[Variant.DEFENDED]) >= 0.85
    assert all(
        extra.value is None or extra.value >= 0.8 for extra in runs[Variant.DEFENDED].extras if extra.unit == "%"
    )


def test_sybils_keep_nothing_of_others():
    spec = AttackSpec(attack="sybil", generation="dht", **{**SMALL, "stock": LITTLE, "settle": 100.0})
    made: list[Sybil] = []

    def make(rng, _spec, report):
        made.append(Sybil(rng, spec, report))
        return made[0]

    run_experiment(spec, lambda *_: None, make)
    assert len(made[0].attackers) == 6
    hostile = [each.overlay for each in made[0].population.members.values() if each.hostile]
    assert all(isinstance(each, SybilOverlay) for each in hostile)
    honest = [each.overlay for each in made[0].population.members.values() if not each.hostile]
    # Sybils keep nothing but what they themselves publish, where they are the nearest.
    assert max(each.stored for each in hostile) < min(each.stored for each in honest)


def test_keys_of_an_eclipse_lie_round_the_words_of_its_item():
    async def main(rng):
        spec = AttackSpec(attack="eclipse", generation="dht", **{**SMALL, "stock": LITTLE})
        attack = Eclipse(rng, spec, lambda *_: None)
        points = [number_of(key_of_word(word)) for word in attack.target.words]
        assert attack.population.seeds.keys() == attack.attackers
        for seed in attack.population.seeds.values():
            placed = number_of(PeerKey.from_seed(seed).peer_id)
            assert min(placed ^ point for point in points) < 1 << 250

    run_virtual(main)


def test_there_are_three_runs_for_each_seed():
    spec = AttackSpec(attack="spoof", seed=4)
    labels = [job.label for job in jobs(spec, 2)]
    assert labels == [f"spoof, {variant}, seed {seed}" for variant in Variant for seed in (4, 5)]


def test_what_makes_no_sense_is_refused():
    with pytest.raises(LocalError, match="spoof"):
        attack_named("rumour")
    with pytest.raises(LocalError, match="no attack on"):
        overlay_for(ATTACKS["dos"], "flood-2001")
    with pytest.raises(LocalError, match="share"):
        AttackSpec(attack="spoof", share=1.0)


def test_a_hole_is_closed_again():
    from peerage.overlay.flood import asking

    original = checks.check_hit
    with hole(original, lambda *_: "hole"):
        assert asking.check_hit(b"", None, None) == checks.check_hit(b"", None, None) == "hole"
    assert checks.check_hit is original
    assert asking.check_hit is original
