from hypothesis import given
from hypothesis import strategies as st

from peerage.classic.patience import Patience
from peerage.limits import BTPEER_GRACE, BTPEER_SILENCE, BTPEER_SLOWEST


def test_silence_ends_the_wait() -> None:
    patience = Patience(100.0, silence=10.0)
    assert patience.left(100.0) == 10.0
    assert patience.left(107.5) == 2.5
    assert patience.left(200.0) == 0.0


def test_bytes_earn_more_time() -> None:
    patience = Patience(0.0, silence=10.0)
    patience.moved(10, 9.0)
    assert patience.left(9.0) == 10.0
    patience.moved(1000 * BTPEER_SLOWEST, 20.0)
    assert patience.left(25.0) == 5.0


def test_one_byte_now_and_then_does_not_last_for_ever() -> None:
    patience, now = Patience(0.0), 0.0
    while patience.left(now) > 0:
        now += 0.9
        patience.moved(1, now)
        assert now < BTPEER_GRACE + 1
    assert now > BTPEER_GRACE - 1


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 10**6))))
def test_no_wait_is_longer_than_the_silence_or_below_nothing(moves: list[tuple[int, int]]) -> None:
    patience, now = Patience(0.0), 0.0
    for pause, count in moves:
        now += pause
        patience.moved(count, now)
        assert 0.0 <= patience.left(now) <= BTPEER_SILENCE
