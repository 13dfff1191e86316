import itertools
import random

import pytest

from peerage.lab.places import Plane


def test_latencies_lie_between_the_bounds_and_are_the_same_both_ways():
    plane = Plane(random.Random(1), 0.02, 0.13)
    names = [str(number) for number in range(100)]
    for name in names:
        plane.settle(name)
    for one, other in itertools.combinations(names, 2):
        assert 0.02 <= plane.latency(one, other) <= 0.13
        assert plane.latency(one, other) == plane.latency(other, one)
    assert plane.latency("7", "7") == 0.02


def test_a_place_is_kept():
    plane = Plane(random.Random(1), 0.02, 0.13)
    plane.settle("a")
    plane.settle("b")
    before = plane.latency("a", "b")
    plane.settle("a")
    assert plane.latency("a", "b") == before


def test_nobody_is_placed_unasked():
    with pytest.raises(KeyError):
        Plane(random.Random(1), 0.02, 0.13).latency("a", "b")
