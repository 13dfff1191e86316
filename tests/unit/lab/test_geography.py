import itertools
import random
from collections import Counter

import pytest

from peerage.errors import LocalError
from peerage.lab.geography import REGIONS, Earth


def settled(count: int, nearest: float = 0.05, farthest: float = 0.13) -> tuple[Earth, list[str]]:
    earth = Earth(random.Random(3), nearest, farthest)
    names = [str(number) for number in range(count)]
    for name in names:
        earth.settle(name)
    return earth, names


def test_latencies_lie_between_the_bounds_and_are_the_same_both_ways():
    earth, names = settled(60)
    for one, other in itertools.combinations(names, 2):
        assert 0.05 <= earth.latency(one, other) <= 0.13
        assert earth.latency(one, other) == earth.latency(other, one)


def test_far_apart_regions_have_slower_links():
    earth, names = settled(400)
    within, across = [], []
    for one, other in itertools.combinations(names, 2):
        pair = {earth.region(one).name, earth.region(other).name}
        if pair == {"Europe"}:
            within.append(earth.latency(one, other))
        elif pair == {"Europe", "Oceania"}:
            across.append(earth.latency(one, other))
    assert max(within) < min(across)


def test_regions_are_peopled_by_their_shares():
    earth, names = settled(4000)
    counted = Counter(earth.region(name).name for name in names)
    for region in REGIONS:
        assert counted[region.name] / 4000 == pytest.approx(region.share, abs=0.03)


def test_a_host_stays_where_it_is_and_is_on_the_map():
    earth, names = settled(50)
    before = [earth.latency(names[0], name) for name in names]
    earth.settle(names[1])
    assert before == [earth.latency(names[0], name) for name in names]
    assert all(0 <= part <= 1 for name in names for part in earth.spot(name))


@pytest.mark.parametrize(("nearest", "farthest"), [(0.0, 0.1), (0.2, 0.1), (-1.0, 0.1)])
def test_latencies_that_make_no_sense_are_refused(nearest, farthest):
    with pytest.raises(LocalError):
        Earth(random.Random(), nearest, farthest)
