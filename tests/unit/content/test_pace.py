import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.content.pace import TAU, Pace


def test_nothing_is_known_at_first():
    pace = Pace()
    assert pace.rate(0.0) is None
    pace.start(0.0)
    assert pace.rate(5.0) is None
    pace.add(10, 5.0)
    assert pace.rate(5.0) == pytest.approx(2.0)


def test_it_is_right_from_the_first_bytes_on():
    pace = Pace()
    pace.start(10.0)
    for step in range(1, 200):
        pace.add(100, 10.0 + step * 0.1)
        assert pace.rate(10.0 + step * 0.1) == pytest.approx(1000, rel=0.001)


def test_it_follows_a_change_and_fades_in_silence():
    pace = Pace()
    pace.start(0.0)
    for step in range(1, 101):
        pace.add(100, step * 0.1)
    for step in range(101, 301):
        pace.add(10, step * 0.1)
    assert pace.rate(30.0) == pytest.approx(100, rel=0.1)
    assert pace.rate(30.0 + 3 * TAU) < 10


def test_time_in_which_nothing_is_owed_does_not_count():
    pace = Pace()
    pace.start(0.0)
    pace.start(0.5)
    pace.add(1000, 1.0)
    pace.stop(1.0)
    assert pace.rate(500.0) == pytest.approx(1000)
    pace.start(500.0)
    pace.add(1000, 501.0)
    assert pace.rate(501.0) == pytest.approx(1000)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(-5, 1e6)), max_size=20))
def test_a_clock_that_jumps_does_no_harm(events):
    pace, now = Pace(), 0.0
    pace.start(now)
    for count, step in events:
        now += step
        pace.add(count, now)
        rate = pace.rate(now)
        assert rate is None or rate >= 0
