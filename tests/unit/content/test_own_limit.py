"""A download's own speed limit, under that of all."""

from __future__ import annotations

import pytest

from peerage.content.own_limit import OwnLimit
from peerage.content.rate import RateLimit
from peerage.limits import MIB


def test_the_slower_limit_holds() -> None:
    shared = RateLimit(0, 0.0)
    limit = OwnLimit(shared, 0, 0.0)
    assert limit.rate == 0
    assert limit.spend(100 * MIB, 0.0) == 0.0
    limit.change(MIB, 0.0)
    assert limit.rate == limit.own == MIB
    shared.change(4 * MIB, 0.0)
    assert limit.rate == MIB
    shared.change(MIB // 2, 0.0)
    assert (limit.rate, limit.own) == (MIB // 2, MIB)
    assert shared.total == 100 * MIB


def test_both_count_what_passes() -> None:
    shared = RateLimit(8 * MIB, 0.0)
    slow, free = OwnLimit(shared, MIB, 0.0), OwnLimit(shared, 0, 0.0)
    now = 0.0
    for _ in range(40):
        now += slow.spend(MIB // 4, now)
    assert 10 * MIB / now == pytest.approx(MIB, rel=0.1)
    assert free.spend(MIB, now) == 0.0  # the others are not held up
    assert shared.total == 11 * MIB
