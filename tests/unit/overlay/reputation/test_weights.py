"""Who agrees counts, as far as chance does not explain it; newcomers, parrots and crowds weigh nothing."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from votes import RULES, fill, key_of

from peerage.overlay.reputation.ballots import Ballots
from peerage.overlay.reputation.weights import Bond, Weights, agreement

OWN = key_of("me").public_key


def signs(text: str, first: int = 0) -> dict[bytes, int]:
    found = enumerate(text, first)
    return {number.to_bytes(2, "big"): 1 if sign == "+" else -1 for number, sign in found if sign != " "}


def weights(*friends: str, **said: str) -> Weights:
    box = Ballots(OWN, RULES)
    for voter, text in said.items():
        fill(box, voter, text)
    keys = {key_of(name).public_key for name in friends}
    return Weights(box, RULES, lambda voter: Bond.FRIEND if voter in keys else None)


def of(table: Weights, name: str):
    return table.of(key_of(name).public_key)


@pytest.mark.parametrize(
    ("mine", "theirs", "theta"),
    [
        ("++--+-+-+-", "++--+-+-+-", 1.0),
        ("++--+-+-+-", "--++-+-+-+", -1.0),
        ("++--+-+-+-", "+-+-+-+-+-", 0.6),  # 8 of 10
        ("++++----", "+++++++++", 0.0),  # praises everything
        ("++++----", "--------", 0.0),  # slanders everything
        ("++--", "++--", 0.0),  # too few
        ("++---", "+----", 0.0),  # 0.61 on five: chance does that in one case of six
        ("++---", "++---", 1.0),
    ],
)
def test_phi_of_two_voters(mine, theirs, theta):
    assert agreement(signs(mine), signs(theirs), RULES).theta == pytest.approx(theta, abs=0.01)


def test_who_has_voted_one_way_only_is_compared_by_the_habits_of_the_other():
    mine = signs("------")
    assert agreement(mine, signs("------"), RULES).theta == 0, "he may say so of everything"
    assert agreement(mine, signs("------++++++++"), RULES).theta == 1
    assert agreement(mine, signs("++++++--------"), RULES).theta == -1
    assert agreement(signs("++++++"), signs("+++++++++"), RULES).theta == 0


@given(st.text("+- ", max_size=12), st.text("+- ", max_size=12))
def test_correlation_is_within_bounds_and_symmetric_where_it_is_two_sided(mine, theirs):
    one, other = agreement(signs(mine), signs(theirs), RULES), agreement(signs(theirs), signs(mine), RULES)
    assert -1 <= round(one.theta, 9) <= 1
    assert one.common == other.common == sum(a != " " != b for a, b in zip(mine, theirs, strict=False))
    if one.common < RULES.common:
        assert one.theta == 0


def test_guessing_is_seldom_taken_for_judgement():
    rng = random.Random(5)
    mine = signs("++--+-+-+-")
    guesses = [signs("".join(rng.choice("+-") for _ in range(10))) for _ in range(2000)]
    believed = sum(agreement(mine, guess, RULES).theta > 0 for guess in guesses)
    assert believed < 0.08 * len(guesses)


def test_friends_count_in_full_newcomers_not_at_all():
    table = weights("anna", me="++--+-", anna="+", bert="+")
    assert (of(table, "anna").value, of(table, "anna").bond) == (1.0, Bond.FRIEND)
    assert (of(table, "bert").value, of(table, "bert").bond) == (0.0, Bond.STRANGER)
    assert of(table, "me").bond is Bond.OWN


def test_more_in_common_weighs_more_and_never_as_much_as_a_friend():
    table = weights(me="++--+-+-", five="++--+", eight="++--+-+-")
    assert 0.5 < of(table, "five").value < of(table, "eight").value < 1
    assert of(table, "eight").bond is Bond.AGREES
    assert of(table, "eight").common == 8


def test_liars_weigh_the_other_way():
    table = weights(me="++--+-+-", liar="--++-+-+")
    assert of(table, "liar").value < -0.5
    assert of(table, "liar").bond is Bond.DISAGREES


def test_who_agrees_with_those_who_agree_counts_half():
    table = weights(
        me="++--+-+-",
        near="++--+-+-+-+-+-+-",
        far="        +-+-+-+-",
        against="        -+-+-+-+",
        farther=" " * 16 + "+-+-+-",
    )
    near, far = of(table, "near"), of(table, "far")
    assert far.bond is Bond.THROUGH
    assert far.value == pytest.approx(near.value * RULES.damping * 8 / 10)
    assert of(table, "against").value == pytest.approx(-far.value)
    assert of(table, "farther").value == 0, "two hops, no more"


def test_attack_many_who_vouch_for_each_other_gain_nothing():
    ring = {f"sybil{number}": " " * 8 + "+-+-+-+-" for number in range(20)}
    table = weights(me="++--+-+-", **ring)
    assert all(of(table, name).value == 0 for name in ring)


def test_attack_many_who_vouch_for_one_are_no_more_than_the_best_of_them():
    one = weights(me="++--+-+-", near="++--+-+-+-+-+-+-", far="        +-+-+-+-")
    crowd = {f"copy{number}": "++--+-+-+-+-+-+-" for number in range(10)}
    many = weights(me="++--+-+-", near="++--+-+-+-+-+-+-", far="        +-+-+-+-", **crowd)
    assert of(one, "far").value == of(many, "far").value


def test_what_is_known_changes_with_the_next_vote():
    box = Ballots(OWN, RULES)
    table = Weights(box, RULES, lambda _voter: None)
    fill(box, "anna", "++--+-")
    assert of(table, "anna").value == 0
    fill(box, "me", "++--+-")
    assert of(table, "anna").value > 0.5
    assert [voter for voter, _ in table.best()] == [key_of("anna").public_key]
    assert table.is_heeded(key_of("anna").public_key)
    assert not table.is_heeded(key_of("bert").public_key)
