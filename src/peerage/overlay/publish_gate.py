"""What publishing costs: a limiter for whoever keeps what strangers publish, and is sent it piece by piece.

The first publications of a key in an hour need the usual stamp, further ones a dearer one, step by step; all keys of
one subnet share a second count, so that many keys behind one address pay as one. So who publishes by hand never
notices, who has a large library works a while for it, and who floods works for ever.
Invariant: whoever shows a stamp of the bits that `bits` names may publish, whatever he did before, and these never
exceed the dearest; counts are bounded in number, and none of them lasts longer than its two hours. Pure: time is an
argument (seconds).

    gate = PublishGate(16, rules)
    if stamp_bits(subject, stamp) >= gate.bits(key, subnet, now):
        gate.count(key, subnet, now)
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from peerage.overlay.expiring import ExpiringTable

_KeyT = TypeVar("_KeyT")


class PublishRules(msgspec.Struct, frozen=True, kw_only=True):
    """How the price rises: `free` publications of a key within `seconds` cost no more than the usual."""

    free: int
    subnet_free: int
    step: int  # further publications after which a stamp costs `step_bits` more
    step_bits: int
    rise: int  # bits by which the dearest stamp exceeds the usual one
    seconds: float
    remembered: int  # keys, and subnets, that are counted; who published longest ago is forgotten first


class PublishGate:
    """Counts what keys and subnets publish; `usual` are the bits of a stamp that everybody needs."""

    __slots__ = ("_keys", "_rules", "_subnets", "_usual")

    def __init__(self, usual: int, rules: PublishRules) -> None:
        self._usual = usual
        self._rules = rules
        self._keys: ExpiringTable[bytes, _Count] = ExpiringTable(rules.remembered, 2 * rules.seconds)
        self._subnets: ExpiringTable[str, _Count] = ExpiringTable(rules.remembered, 2 * rules.seconds)

    def bits(self, key: bytes, subnet: str, now: float) -> int:
        """Return what the next stamp of a key must be worth; `subnet` is "" where addresses are not counted."""
        rules = self._rules
        over = self._recent(self._keys.get(key, now), now) - rules.free
        if subnet:
            over = max(over, self._recent(self._subnets.get(subnet, now), now) - rules.subnet_free)
        steps = max(0.0, over + rules.step) // rules.step
        return self._usual + min(int(steps) * rules.step_bits, rules.rise)

    def count(self, key: bytes, subnet: str, now: float) -> None:
        """Take note of one publication."""
        self._count(self._keys, key, now)
        if subnet:
            self._count(self._subnets, subnet, now)

    def _recent(self, count: _Count | None, now: float) -> float:
        return count.recent(now, self._rules.seconds) if count is not None else 0.0

    def _count(self, table: ExpiringTable[_KeyT, _Count], key: _KeyT, now: float) -> None:
        count = table.get(key, now) or _Count(now)
        count.add(now, self._rules.seconds)
        table.put(key, count, now)


class _Count:
    """How much came in a sliding window: that of this hour, and what of the last one still lies in the window."""

    __slots__ = ("_before", "_began", "_now")

    def __init__(self, now: float) -> None:
        self._began = now
        self._before = 0
        self._now = 0

    def add(self, now: float, seconds: float) -> None:
        self._turn(now, seconds)
        self._now += 1

    def recent(self, now: float, seconds: float) -> float:
        self._turn(now, seconds)
        return self._now + self._before * (1 - (now - self._began) / seconds)

    def _turn(self, now: float, seconds: float) -> None:
        if now < self._began:  # the clock was put back: nobody pays for that
            self._began = now
        elif now - self._began >= 2 * seconds:
            self._before = self._now = 0
            self._began = now
        elif now - self._began >= seconds:
            self._before, self._now = self._now, 0
            self._began += seconds
