"""Holdings are made once: for all who use one, and a while longer for the latest."""

import gc

from peerage.content.holding import HoldingCache


class Thing:
    """Whatever can be kept."""


def test_the_same_content_made_from_the_same_is_the_same_holding():
    cache, thing = HoldingCache(), Thing()
    assert cache.get(b"a", "stamp") is None
    cache.put(b"a", "stamp", thing)
    assert cache.get(b"a", "stamp") is thing
    assert cache.get(b"a", "other stamp") is None


def test_the_latest_are_kept_and_older_ones_as_long_as_somebody_uses_them():
    cache, used = HoldingCache(2), Thing()
    cache.put(b"used", 1, used)
    for number in range(100):
        cache.put(b"%d" % number, number, Thing())
    gc.collect()
    assert cache.get(b"used", 1) is used
    assert cache.get(b"98", 98) is None  # "used" and 99 are the latest two
    assert cache.get(b"99", 99) is not None
    assert len(cache._stamps) <= 8
