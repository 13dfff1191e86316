"""Where simulated hosts are on the Earth: regions, how far apart they are, and so the latency of every link.

The shape comes from round-trip times between continents as cloud providers and looking glasses publish them, in round
figures; how many peers a region has follows crawls of open networks (IPFS, SIGCOMM 2022: America, Europe and East Asia
hold nine tenths). The scale is the caller's: the nearest two are `nearest` seconds apart, the farthest `farthest`.
Invariant: the same two hosts are always equally far apart, both ways. Nothing moves, and no link is slower today.
"""

from __future__ import annotations

import random
from bisect import bisect
from itertools import accumulate
from typing import Final

import msgspec

from peerage.errors import LocalError

NEAREST: Final = 0.050
FARTHEST: Final = 0.130


class Region(msgspec.Struct, frozen=True):
    """A part of the world: its share of all peers, and where it is on a map of 0 to 1 (from the left, from the top)."""

    name: str
    share: float
    x: float
    y: float


REGIONS: Final = (
    Region("North America", 0.30, 0.20, 0.34),
    Region("South America", 0.06, 0.31, 0.72),
    Region("Europe", 0.32, 0.51, 0.28),
    Region("Africa", 0.03, 0.54, 0.62),
    Region("Asia", 0.26, 0.77, 0.40),
    Region("Oceania", 0.03, 0.88, 0.76),
)
ROUND_TRIPS: Final = (  # milliseconds, backbone to backbone
    (40, 130, 90, 170, 160, 170),
    (130, 40, 190, 280, 290, 290),
    (90, 190, 25, 110, 190, 270),
    (170, 280, 110, 80, 250, 300),
    (160, 290, 190, 250, 70, 150),
    (170, 290, 270, 300, 150, 30),
)
LAST_MILE: Final = 20.0  # milliseconds that a home line adds at the most, each way
_SPREAD: Final = 0.06  # how far from the middle of their region hosts are drawn on the map
LONGEST: Final = max(max(row) for row in ROUND_TRIPS) / 2 + 2 * LAST_MILE
SHORTEST: Final = min(min(row) for row in ROUND_TRIPS) / 2


class Earth:
    """Random places on Earth (lab.places.Places): the region decides most of a latency, the home line the rest."""

    def __init__(self, rng: random.Random, nearest: float = NEAREST, farthest: float = FARTHEST) -> None:
        if not 0 < nearest <= farthest:
            raise LocalError(f"latencies from {nearest} to {farthest} seconds make no sense")
        self._rng = rng
        self._bounds = list(accumulate(region.share for region in REGIONS))
        self._nearest = nearest
        self._scale = (farthest - nearest) / (LONGEST - SHORTEST)
        self._homes: dict[str, tuple[int, float]] = {}  # region, milliseconds of the home line
        self._spots: dict[str, tuple[float, float]] = {}

    def settle(self, name: str) -> None:
        """Give a host its place; a second call leaves it there."""
        if name in self._homes:
            return
        number = min(bisect(self._bounds, self._rng.random() * self._bounds[-1]), len(REGIONS) - 1)
        self._homes[name] = (number, self._rng.random() * LAST_MILE)
        region = REGIONS[number]
        self._spots[name] = (self._rng.gauss(region.x, _SPREAD / 2), self._rng.gauss(region.y, _SPREAD))

    def latency(self, one: str, other: str) -> float:
        """Return the seconds one way between two settled hosts."""
        here, home = self._homes[one]
        there, their_home = self._homes[other]
        return self._nearest + self._scale * (ROUND_TRIPS[here][there] / 2 + (home + their_home) - SHORTEST)

    def spot(self, name: str) -> tuple[float, float]:
        """Return where a settled host is on the map, 0 to 1 from the left and from the top."""
        x, y = self._spots[name]
        return min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)

    def region(self, name: str) -> Region:
        """Return the region of a settled host."""
        return REGIONS[self._homes[name][0]]
