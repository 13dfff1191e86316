"""How many peers take part, from how near the nearest ones are; and how far a region reaches.

Ids are spread evenly, so the i-th nearest peer to any point is about i steps of SPACE / n away; a least-squares line
through the distances of one walk gives the step, and the median over many walks keeps Sybils that crowd round a few
keys from spoiling it; of two the longer step counts, as Sybils shorten it. While a node is young, only the younger half
of its time counts: what it measured when it knew few, or in a network that has grown since, must not hold it back.
Invariant: with nothing measured, everything is near. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from statistics import median_high
from typing import Final

from peerage.overlay.dht.contacts import SPACE
from peerage.overlay.dht.rules import DhtRules

_MEASUREMENTS: Final = 15
_FRESH: Final = 1800.0  # seconds that a measurement counts: networks grow and shrink
_FRESH_MIN: Final = 60.0
_FRESH_SHARE: Final = 0.5  # of the time since the first measurement
_LEAST: Final = 8  # distances in one measurement


class NetworkSize:
    """The estimate of one node."""

    __slots__ = ("_began", "_home", "_rules", "_step", "_steps")

    def __init__(self, rules: DhtRules) -> None:
        self._rules = rules
        self._steps: deque[tuple[float, int]] = deque(maxlen=_MEASUREMENTS)
        self._began: float | None = None
        self._home: int | None = None  # the step round this node itself, as it is now
        self._step = SPACE

    def note(self, distances: Sequence[int], now: float) -> None:
        """Take the distances of the peers nearest to any point, the nearest first; too few say nothing."""
        if len(distances) >= _LEAST:
            self._steps.append((now, _slope(distances)))
            self._reckon(now)

    def note_home(self, distances: Sequence[int], now: float) -> None:
        """Take those of the contacts nearest to this node, in place of the ones before."""
        if len(distances) >= _LEAST:
            self._home = _slope(distances)
            self._reckon(now)

    def _reckon(self, now: float) -> None:
        if self._began is None:
            self._began = now
        fresh = min(_FRESH, max(_FRESH_MIN, _FRESH_SHARE * (now - self._began)))
        while self._steps and self._steps[0][0] < now - fresh:
            self._steps.popleft()
        steps = [step for _, step in self._steps]
        if self._home is not None:
            steps.append(self._home)
        if steps:
            self._step = max(1, median_high(steps))

    @property
    def peers(self) -> int:
        """About how many peers take part; 1 when nothing was measured."""
        return max(1, SPACE // self._step)

    @property
    def radius(self) -> int:
        """How far from its key a record is stored: as far as `region` peers are expected to be."""
        return min(SPACE - 1, self._rules.region * self._step)

    @property
    def near(self) -> int:
        """How far from this node a key may be for it to be stored here."""
        return min(SPACE - 1, self._rules.near * self.radius)

    @property
    def prefix_bits(self) -> int:
        """How many leading bits the keys of one region share, so that two or three regions' peers are in a cell."""
        return max(0, (SPACE // (2 * self.radius)).bit_length() - 1)


def _slope(distances: Sequence[int]) -> int:
    """Return the step of the line through the origin that fits these distances best."""
    weighed = sum(rank * distance for rank, distance in enumerate(distances, 1))
    return weighed // sum(rank * rank for rank in range(1, len(distances) + 1))
