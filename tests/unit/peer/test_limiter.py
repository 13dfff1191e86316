"""How fast and how many: the token bucket never gives more than it may, the limiter's counts always come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.errors import LimitError
from peerage.identity.keys import PeerId
from peerage.limits import Limits
from peerage.peer.limiter import ConnectionLimiter, TokenBucket
from peerage.peer.metrics import Metrics

rates = st.floats(0.1, 1e6)
pauses = st.floats(0, 100)
steps = st.lists(st.tuples(pauses, st.floats(0, 1e6)), min_size=1, max_size=50)


@given(rates, st.floats(1, 1e6), steps)
def test_a_bucket_never_gives_more_than_burst_and_rate_allow(
    rate: float, burst: float, asked: list[tuple[float, float]]
) -> None:
    bucket, now, given_away = TokenBucket(rate, burst, 0.0), 0.0, 0.0
    for pause, amount in asked:
        now += pause
        if bucket.take(amount, now):
            given_away += amount
        assert given_away <= burst + rate * now + 1e-6 * (burst + rate * now)


@given(rates, st.floats(1, 1e6), st.floats(0.001, 1e6))
def test_what_was_refused_is_there_after_the_wait(rate: float, burst: float, amount: float) -> None:
    amount = min(amount, burst)
    bucket = TokenBucket(rate, burst, 0.0)
    assert bucket.take(burst, 0.0)
    wait = amount / rate
    assert bucket.take(amount * (1 - 1e-9), wait * (1 + 1e-9))


@given(rates, st.floats(1, 1e6), st.lists(st.floats(0, 1e5), min_size=1, max_size=30))
def test_whoever_waits_as_told_keeps_to_the_rate(rate: float, burst: float, amounts: list[float]) -> None:
    bucket, now = TokenBucket(rate, burst, 0.0), 0.0
    for amount in amounts:
        now += bucket.spend(amount, now)
    assert sum(amounts) <= (burst + rate * now) * (1 + 1e-6) + 1e-6


@given(rates, st.floats(1, 1e6), st.lists(st.floats(-100, 100), max_size=20))
def test_time_that_goes_backwards_gives_nothing(rate: float, burst: float, times: list[float]) -> None:
    bucket = TokenBucket(rate, burst, 0.0)
    assert bucket.take(burst, 0.0)
    highest = 0.0
    for time in times:
        highest = max(highest, time)
        bucket.take(0, time)
    spread = sum(abs(later - earlier) for earlier, later in zip([0.0, *times], times, strict=False))
    assert (
        not bucket.take(min(burst, rate * spread) * 1.001 + 1e-3, times[-1] if times else 0.0) or burst < rate * spread
    )


@given(rates, rates, st.floats(1, 1e6), st.floats(1, 1e6), st.floats(0, 1e7))
def test_a_rate_changed_at_run_time(before: float, after: float, burst: float, other: float, debt: float) -> None:
    bucket = TokenBucket(before, burst, 0.0)
    bucket.spend(debt, 0.0)
    bucket.change(after, other, 0.0)
    assert bucket.spend(0, 0.0) <= other / after * (1 + 1e-9)  # a debt made at the old rate does not last for ever
    assert not bucket.take(other * 1.001, 0.0)


def test_no_rate_means_no_wait() -> None:
    assert TokenBucket(0, 100, 0.0).spend(1e9, 0.0) == 0


# --- connections -------------------------------------------------------------------------------------------------------------

LIMITS = Limits(connections=5, connections_per_peer=2, connections_per_address=3)
arrivals = st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 2)), max_size=80)


@given(arrivals)
def test_counts_never_pass_a_limit_and_come_back_to_nothing(comings: list[tuple[bool, int, int]]) -> None:
    limiter, inside = ConnectionLimiter(LIMITS, Metrics()), []
    for enters, number, host in comings:
        place = (PeerId(bytes([number]) * 32), f"192.0.2.{host}")
        if not enters:
            if inside:
                limiter.leave(*inside.pop())
            continue
        fits = (
            len(inside) < 5
            and sum(each[0] == place[0] for each in inside) < 2
            and sum(each[1] == place[1] for each in inside) < 3
        )
        if fits:
            limiter.enter(*place)
            inside.append(place)
        else:
            with pytest.raises(LimitError) as caught:
                limiter.enter(*place)
            assert caught.value.whose == "ours"
            assert caught.value.limit in str(caught.value)
    for place in inside:
        limiter.leave(*place)
    assert not limiter._by_peer
    assert not limiter._by_home
    assert limiter._total == 0


def test_a_refusal_names_the_limit_and_is_counted() -> None:
    metrics = Metrics()
    limiter = ConnectionLimiter(LIMITS, metrics)
    for number in range(3):
        limiter.enter(PeerId(bytes([number]) * 32), "192.0.2.1")
    assert not limiter.admits("192.0.2.1")
    assert limiter.admits("192.0.2.2")
    with pytest.raises(LimitError, match="connections_per_address is 3"):
        limiter.enter(PeerId(bytes([9]) * 32), "192.0.2.1")
    assert metrics.value("links_refused", "connections_per_address") == 2
    limiter.handshake_failed("timeout")
    assert metrics.value("handshakes_failed", "timeout") == 1


def test_a_household_has_one_ipv6_network() -> None:
    limiter = ConnectionLimiter(LIMITS, Metrics())
    for number in range(3):
        limiter.enter(PeerId(bytes([number]) * 32), f"2001:db8:1:2::{number}")
    assert not limiter.admits("2001:db8:1:2:ffff:ffff:ffff:ffff")
    assert limiter.admits("2001:db8:1:3::1")
    assert limiter.admits("::ffff:192.0.2.1")
