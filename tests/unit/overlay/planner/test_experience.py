"""What is remembered of how common things were."""

import pytest

from peerage.catalogue.query_parser import parse
from peerage.limits import PLAN_FEW, PLAN_MANY, PLAN_REMEMBERED, PLAN_REMEMBERED_SECONDS
from peerage.overlay.base import Cost
from peerage.overlay.planner.experience import Experience
from peerage.overlay.planner.plan import Over, Rarity


def after(text: str, found: int, over: Over = Over.COMPLETE, asked: int = 5) -> Experience:
    experience = Experience()
    experience.note(parse(text), Cost(found=found, peers_asked=asked), over, 0.0)
    return experience


def rarity(experience: Experience, text: str, now: float = 1.0) -> Rarity:
    return experience.rarity(parse(text), now)


def test_of_what_was_never_searched_nothing_is_known():
    assert rarity(Experience(), "blue train") is Rarity.UNKNOWN


def test_each_part_of_a_query_that_brought_much_is_common():
    experience = after("blue train", PLAN_MANY, Over.FOUND)
    assert rarity(experience, "train blue") in {Rarity.COMMON, Rarity.UNKNOWN}
    for text in ("blue train", "blue", "train"):
        assert rarity(experience, text) is Rarity.COMMON
    assert rarity(experience, "blue note") is Rarity.UNKNOWN
    assert rarity(experience, "blue -train") is Rarity.UNKNOWN


@pytest.mark.parametrize("over", [Over.COMPLETE, Over.TIME])
def test_what_nobody_had_is_rare_and_so_is_whatever_asks_for_more(over):
    experience = after("zyzzyva", PLAN_FEW - 1, over)
    assert rarity(experience, "zyzzyva") is Rarity.RARE
    assert rarity(experience, "zyzzyva blue") is Rarity.RARE
    assert rarity(experience, "blue") is Rarity.UNKNOWN


def test_two_words_that_never_meet_may_be_common_each_by_itself():
    experience = after("blue zebra", 0)
    assert rarity(experience, "blue zebra") is Rarity.RARE
    assert rarity(experience, "blue") is Rarity.UNKNOWN


@pytest.mark.parametrize(
    ("found", "over", "asked"),
    [
        (0, Over.STOPPED, 5),
        (0, Over.BUDGET, 5),
        (1, Over.FOUND, 5),
        (PLAN_FEW, Over.COMPLETE, 5),
        (0, Over.COMPLETE, 0),
    ],
)
def test_a_search_that_ended_early_or_asked_nobody_says_nothing(found, over, asked):
    assert rarity(after("blue", found, over, asked), "blue") is Rarity.UNKNOWN


def test_a_later_search_knows_better():
    experience = after("blue", 0)
    experience.note(parse("blue"), Cost(found=PLAN_MANY), Over.FOUND, 1.0)
    assert rarity(experience, "blue") is Rarity.COMMON


def test_it_is_forgotten_after_an_hour_or_when_there_is_too_much():
    experience = after("blue", 0)
    assert rarity(experience, "blue", PLAN_REMEMBERED_SECONDS + 1) is Rarity.UNKNOWN
    for number in range(PLAN_REMEMBERED):
        experience.note(parse(f"word{number}"), Cost(peers_asked=1), Over.COMPLETE, 1.0)
    assert rarity(experience, "blue", 2.0) is Rarity.UNKNOWN
