import random

import msgspec
import pytest

from peerage.overlay.supernode.election import Election, Standing
from peerage.overlay.supernode.rules import Capacity, SupernodeRules

RULES = SupernodeRules(crowd=10, uptime=100.0, steady=50.0, idle=60.0, upkeep=10.0, least_leaves=30)
WANTING = Standing(reachable=True, crowd=50)


def election(rules=RULES, capacity=None, seed=1):
    return Election(rules, capacity or Capacity(), random.Random(seed), 0.0)


def rounds(one, standing, start, count, step=10.0):
    """Look so often; return at which round it stepped up, None if never."""
    for number in range(count):
        if one.look(standing, start + number * step):
            return number
    return None


def test_a_node_in_want_steps_up_in_the_end():
    assert rounds(election(), WANTING, 200.0, 30) is not None


@pytest.mark.parametrize(
    "standing",
    [
        Standing(reachable=False, crowd=50),
        Standing(reachable=None, crowd=50),
        Standing(reachable=True, crowd=9),
        Standing(reachable=True, crowd=50, uplinks=3),
    ],
)
def test_who_cannot_be_dialled_or_is_not_needed_never_does(standing):
    assert rounds(election(), standing, 200.0, 100) is None


@pytest.mark.parametrize("capacity", [Capacity(upload=1000), Capacity(connections=20)])
def test_who_is_not_up_to_it_never_does_even_when_called(capacity):
    called = msgspec.structs.replace(WANTING, called=True)
    assert rounds(election(capacity=capacity), called, 200.0, 100) is None


def test_nobody_does_before_it_has_been_up_for_a_while():
    one = election()
    assert not one.look(msgspec.structs.replace(WANTING, called=True), 99.0)
    assert one.look(msgspec.structs.replace(WANTING, called=True), 100.0)


def test_about_one_in_fifty_steps_up_first():
    stepped = [rounds(election(seed=seed), WANTING, 200.0, 2) is not None for seed in range(2000)]
    assert 15 <= sum(stepped) <= 80


def test_who_lacks_one_of_three_is_less_eager():
    def eager(uplinks):
        standing = Standing(reachable=True, crowd=50, uplinks=uplinks)
        return sum(rounds(election(seed=seed), standing, 200.0, 4) is not None for seed in range(500))

    assert eager(2) < eager(0) / 2


def test_each_place_found_calms_down():
    one = election()
    seen = 0
    for number in range(3):
        seen += one.look(Standing(reachable=True, crowd=50, uplinks=number), 200.0 + 10 * number)
    assert seen == 0


def serving(**more):
    one = election()
    assert one.look(msgspec.structs.replace(WANTING, called=True), 100.0)
    return one, Standing(reachable=True, crowd=50, **more)


def test_one_with_few_leaves_steps_down_where_three_larger_ones_have_room():
    one, idle = serving(leaves=2, larger=3)
    assert one.look(idle, 200.0)
    assert one.look(idle, 259.0)
    assert not one.look(idle, 260.0)


@pytest.mark.parametrize("kept", [{"leaves": 30, "larger": 9}, {"leaves": 0, "larger": 2}])
def test_one_that_is_needed_stays(kept):
    one, standing = serving(**kept)
    assert all(one.look(standing, 200.0 + 10 * number) for number in range(100))


def test_few_leaves_for_a_moment_do_not_matter():
    one, idle = serving(leaves=2, larger=3)
    busy = msgspec.structs.replace(idle, leaves=40)
    for number in range(50):
        assert one.look(busy if number % 4 == 0 else idle, 200.0 + 10 * number)


def test_who_can_be_dialled_no_more_steps_down_at_once():
    one, standing = serving(leaves=150)
    assert one.look(standing, 101.0)
    assert not one.look(msgspec.structs.replace(standing, reachable=False), 102.0)


def test_a_role_lasts_for_a_while():
    one, standing = serving()
    assert not one.look(msgspec.structs.replace(standing, reachable=None), 110.0)
    called = msgspec.structs.replace(WANTING, called=True)
    assert not one.look(called, 159.0)
    assert one.look(called, 160.0)
