"""Speed limits: over any stretch no more than the rate and one burst, whatever is spent when, and however it changes."""

from hypothesis import given
from hypothesis import strategies as st

from peerage.content.rate import RateLimit
from peerage.limits import KIB, MIB


def test_no_limit_is_no_wait_but_counts():
    rate = RateLimit(0, 0.0)
    assert rate.spend(10**12, 1.0) == 0.0
    assert rate.total == 10**12
    assert rate.rate == 0


def test_a_burst_is_half_a_second_within_bounds():
    for speed, burst in ((1000, 64 * KIB), (400_000, 200_000), (10**9, MIB)):
        rate = RateLimit(speed, 0.0)
        assert rate.spend(burst, 0.0) == 0.0
        assert rate.spend(speed, 0.0) == 1.0


@given(
    speed=st.integers(1000, 10**8),
    steps=st.lists(st.tuples(st.floats(0.0, 2.0), st.integers(1, 10**7)), min_size=1, max_size=50),
)
def test_who_waits_as_told_stays_within_the_limit(speed, steps):
    rate, now, passed, allowed_at = RateLimit(speed, 0.0), 0.0, 0, 0.0
    for pause, count in steps:
        now = max(now + pause, allowed_at)
        burst = max(min(speed / 2, MIB), 64 * KIB)
        assert passed <= speed * now + burst + 1
        allowed_at = now + rate.spend(count, now)
        passed += count
    assert rate.total == passed
    assert passed <= speed * allowed_at + max(min(speed / 2, MIB), 64 * KIB) + 1


def test_a_change_forgives_debts_beyond_a_burst():
    rate = RateLimit(1000, 0.0)
    assert rate.spend(10**6, 0.0) > 900
    rate.change(10**6, 1.0)
    assert rate.rate == 10**6
    assert rate.spend(0, 1.0) <= 0.5
    rate.change(0, 1.0)
    assert rate.spend(10**9, 1.0) == 0.0
