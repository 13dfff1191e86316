import random
from statistics import fmean

import pytest

from peerage.errors import LocalError
from peerage.lab.lifetimes import HOUR, SHAPES, Lifetimes


@pytest.mark.parametrize("shape", SHAPES)
def test_the_mean_session_gives_the_churn_that_was_asked_for(shape):
    lifetimes = Lifetimes(random.Random(5), 0.2, shape)
    mean = fmean(lifetimes.session() for _ in range(60_000))
    assert mean == pytest.approx(5 * HOUR, rel=0.06)


def test_measured_sessions_are_mostly_short_and_sometimes_very_long():
    lifetimes = Lifetimes(random.Random(5), 1.0, "weibull")
    sessions = sorted(lifetimes.session() for _ in range(20_000))
    assert sessions[len(sessions) // 2] < 0.5 * HOUR
    assert sessions[-20] > 5 * HOUR


def test_who_is_met_stays_longer_than_who_comes():
    lifetimes = Lifetimes(random.Random(5), 1.0, "weibull")
    assert fmean(lifetimes.rest() for _ in range(8000)) > 1.2 * HOUR
    memoryless = Lifetimes(random.Random(5), 1.0, "exponential")
    assert fmean(memoryless.rest() for _ in range(8000)) == pytest.approx(HOUR, rel=0.1)


@pytest.mark.parametrize(("churn", "shape"), [(0.0, "weibull"), (0.1, "gaussian")])
def test_what_makes_no_sense_is_refused(churn, shape):
    with pytest.raises(LocalError):
        Lifetimes(random.Random(), churn, shape)
