import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.lab.census import Traffic
from peerage.lab.holdings import Held
from peerage.lab.measure import Outcome, Spread, percentile, spread, sum_up


def outcome(*, found=True, hits=1, hops=2, first=0.5, last=0.9) -> Outcome:
    return Outcome(found=found, hits=hits, hops=hops, first=first, last=last)


def test_a_class_of_queries_is_summed_up():
    missed = outcome(found=False, hits=0, hops=None, first=None, last=None)
    result = sum_up(Held.RARE, [outcome(), outcome(hops=4, first=1.5), missed, missed], Traffic(40, 4000))
    assert (result.success, result.messages, result.bytes, result.hits) == (0.5, 10, 1000, 0.5)
    assert result.hops == 3
    assert (result.first.p50, result.first.p95) == (0.5, 1.5)


def test_what_could_not_be_measured_is_none():
    result = sum_up(Held.RARE, [], Traffic())
    assert (result.success, result.hops, result.first.p50, result.last.p95) == (0.0, None, None, None)
    assert spread([None, None]) is None


def test_several_seeds_give_mean_and_deviation():
    assert spread([1.0, None, 3.0]) == Spread(2.0, pytest.approx(2**0.5))
    assert spread([5.0]) == Spread(5.0, 0.0)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1.0))
def test_a_percentile_is_the_smallest_value_that_enough_do_not_exceed(values, share):
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
    assert sum(value < found for value in values) < share * len(values) + 1e-6
