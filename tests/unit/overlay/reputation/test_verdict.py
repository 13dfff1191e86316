"""What votes do to a hit: strangers nothing, one's own everything, and no subnet outshouts the rest."""

from __future__ import annotations

from votes import FAKE, GOOD, MALWARE, RULES, key_of, told, vote

from peerage.overlay.reputation.ballots import Told
from peerage.overlay.reputation.verdict import Standing, judge
from peerage.overlay.reputation.vote import name_hash
from peerage.overlay.reputation.weights import STRANGER, Bond, Weight

NAME = name_hash("a song")


def verdict(votes: list[Told], name: bytes | None = NAME, **weights: float | Weight):
    """Judge; weights by the voter's name, numbers are of those who agree."""
    table = {}
    for who, weight in weights.items():
        bond = Bond.AGREES if isinstance(weight, float) and weight > 0 else Bond.DISAGREES
        table[key_of(who).public_key] = weight if isinstance(weight, Weight) else Weight(weight, bond, 6)
    return judge(votes, name, lambda voter: table.get(voter, STRANGER), RULES)


def test_without_votes_nothing_is_known():
    assert verdict([]).standing is Standing.SHOW
    assert verdict([]).score == 0


def test_attack_a_thousand_strangers_change_nothing():
    found = verdict([told(f"sybil {number}", 1, FAKE) for number in range(100)])
    assert (found.standing, found.score, found.weight_against, found.votes_against) == (Standing.SHOW, 0, 0, 100)
    assert found.reasons == ("fake: 100 not known, weight 0",)


def test_two_who_agree_hide_one_warns():
    one, two = told("anna", 1, FAKE), told("bert", 1, FAKE)
    assert verdict([one], anna=0.7).standing is Standing.WARN
    found = verdict([one, two], anna=0.7, bert=0.7)
    assert (found.standing, found.weight_against) == (Standing.HIDE, 1.4)
    assert found.score < -0.5
    assert found.reasons == ("fake: 2 who agree with you, weight 1.40",)


def test_praise_outweighs():
    votes = [told("anna", 1, FAKE), told("bert", 1, FAKE), told("carl", 1), told("dora", 1)]
    found = verdict(votes, anna=0.7, bert=0.7, carl=0.8, dora=0.8)
    assert found.standing is Standing.SHOW
    assert found.score > 0


def test_ones_own_vote_decides():
    me = Weight(1.0, Bond.OWN)
    against = [told("anna", 1, FAKE), told("bert", 1, FAKE), told("me", 1)]
    found = verdict(against, me=me, anna=0.9, bert=0.9)
    assert (found.standing, found.score, found.own) == (Standing.SHOW, 1, GOOD)
    found = verdict([told("anna", 1), told("me", 1, FAKE)], me=me, anna=0.9)
    assert (found.standing, found.score, found.reasons[0]) == (Standing.HIDE, -1, "you said fake")


def test_one_friend_is_enough():
    friend = Weight(1.0, Bond.FRIEND)
    assert verdict([told("anna", 1, FAKE)], anna=friend).standing is Standing.HIDE


def test_malware_counts_twice_and_by_any_name():
    found = verdict([told("anna", 1, MALWARE)], name_hash("by another name"), anna=0.6)
    assert (found.standing, found.weight_against, found.malware) == (Standing.HIDE, 1.2, 1)


def test_a_fake_under_another_name_counts_half():
    votes = [told("anna", 1, FAKE)]
    assert verdict(votes, name_hash("something else"), anna=0.8).weight_against == 0.4
    assert verdict(votes, None, anna=0.8).weight_against == 0.8


def test_attack_one_subnet_speaks_with_two_voices():
    crowd = [Told(vote(f"sybil{number}", 1, FAKE), "192.0.2.0/24") for number in range(30)]
    weights = {f"sybil{number}": 0.8 for number in range(30)}
    honest = [Told(vote(f"anna{number}", 1), f"198.51.{number}.0/24") for number in range(4)]
    weights |= {f"anna{number}": 0.7 for number in range(4)}
    found = verdict(crowd + honest, **weights)
    assert found.weight_against == 1.6
    assert found.weight_for == 2.8
    assert found.standing is Standing.SHOW


def test_voters_without_a_subnet_count_each():
    votes = [told(f"anna{number}", 1, FAKE) for number in range(4)]
    found = verdict(votes, **{f"anna{number}": 0.7 for number in range(4)})
    assert round(found.weight_against, 6) == 2.8


def test_attack_who_lies_to_be_turned_round_hides_nothing():
    liars = {f"liar{number}": -0.9 for number in range(20)}
    found = verdict([told(name, 1) for name in liars], **liars)
    assert found.weight_against == RULES.contrary
    assert found.standing is Standing.WARN
