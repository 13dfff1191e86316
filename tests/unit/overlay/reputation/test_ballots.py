"""One vote for each voter and content, never more than there is room for, and strangers give way first."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from votes import FAKE, GOOD, NOW, RULES, content_of, fill, key_of, told

from peerage.overlay.reputation.ballots import Ballots

OWN = key_of("me").public_key


def ballots(heeded: str = "", **rules: float) -> Ballots:
    names = {key_of(name).public_key for name in heeded.split()}
    return Ballots(OWN, msgspec.structs.replace(RULES, **rules), lambda voter: voter in names)


def said(box: Ballots, voter: str, number: int) -> int | None:
    return box.of(key_of(voter).public_key).get(content_of(number))


def test_the_later_vote_counts_however_they_come():
    box = ballots()
    assert box.put(told("anna", 1, GOOD, NOW), NOW)
    assert not box.put(told("anna", 1, FAKE, NOW - 10), NOW)
    assert not box.put(told("anna", 1, FAKE, NOW), NOW), "of the same second the first counts"
    assert said(box, "anna", 1) == 1
    assert box.put(told("anna", 1, FAKE, NOW + 10), NOW)
    assert (said(box, "anna", 1), len(box)) == (-1, 1)


def test_old_votes_and_those_of_the_future_do_not_count():
    box = ballots()
    assert not box.put(told("anna", 1, at=NOW - RULES.life - 10), NOW)
    assert not box.put(told("anna", 2, at=NOW + RULES.skew + 10), NOW)
    assert box.put(told("anna", 3, at=NOW - RULES.life + 10), NOW)
    assert len(box.on(content_of(3), NOW)) == 1
    assert not box.on(content_of(3), NOW + 20)


def test_ones_own_votes_stay():
    box = ballots()
    assert box.put(told("me", 1, at=NOW - 2 * RULES.life), NOW)
    assert len(box.on(content_of(1), NOW)) == 1


def test_a_voter_and_a_content_have_room_for_so_many():
    box = ballots(per_voter=3, per_content=2)
    fill(box, "anna", "+++")
    assert not box.put(told("anna", 3), NOW)
    assert box.put(told("bert", 0), NOW)
    assert not box.put(told("carl", 0), NOW)
    assert box.put(told("anna", 0, FAKE, NOW + 1), NOW), "who thinks again needs no room"


def test_strangers_give_way_to_those_who_are_heeded():
    box = ballots("friend other", kept=4, per_content=2)
    fill(box, "friend", "++")
    fill(box, "anna", "++")
    assert box.put(told("friend", 3), NOW)
    assert (said(box, "anna", 0), said(box, "anna", 1), said(box, "friend", 0)) == (None, 1, 1)
    assert box.put(told("other", 1), NOW), "a stranger's vote on the same content gave way"
    assert said(box, "anna", 1) is None
    assert len(box) == 4
    assert not box.put(told("bert", 9), NOW), "nobody who is heeded gives way to a stranger"
    assert box.put(told("other", 2), NOW), "the oldest of them gives way to another"
    assert len(box) == 4


def test_attack_a_flood_of_strangers_displaces_nobody_who_counts():
    box = ballots("friend", kept=50)
    fill(box, "me", "+" * 10)
    fill(box, "friend", "+" * 10)
    for number in range(200):
        box.put(told(f"sybil {number}", number), NOW)
    assert len(box) == 60
    assert len(box.of(OWN)) == len(box.of(key_of("friend").public_key)) == 10


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 4), st.sampled_from([GOOD, FAKE]), st.integers(0, 9)))
)
def test_both_tables_agree_and_stay_within_bounds(votes):
    box = ballots("a", kept=6, per_content=2, per_voter=3)
    for voter, number, opinion, later in votes:
        before = box.version
        assert box.put(told(voter, number, opinion, NOW + later), NOW) == (box.version != before)
    by_content = {(each.vote.voter, each.vote.content): each.vote.opinion.sign for each in box}
    by_voter = {
        (key_of(voter).public_key, content): sign
        for voter in "abcd"
        for content, sign in box.of(key_of(voter).public_key).items()
    }
    assert by_content == by_voter
    assert len(box) == len(by_content) <= 6
    for number in range(5):
        assert len(box.on(content_of(number), NOW)) <= 2
