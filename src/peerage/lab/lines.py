"""What simulated homes are connected with: classes of bandwidth, and whether a home can be dialled.

Invariant: a host's line is decided by the random source when it is made, and stays. Rates are bytes a second. What a
line does to the bytes is the business of transport.simnet; latency is that of geography.py.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

import msgspec

from peerage.errors import LocalError


class Line(msgspec.Struct, frozen=True):
    """A class of lines: its share of all homes, and bytes a second each way (0: no bound)."""

    name: str
    share: float
    up: float
    down: float


_KBIT: Final = 1000 / 8
_MBIT: Final = 1000 * _KBIT

LINES: Final[dict[str, tuple[Line, ...]]] = {
    "none": (Line("unbounded", 1.0, 0.0, 0.0),),
    "home": (  # today's homes, in round numbers
        Line("fibre", 0.35, 100 * _MBIT, 300 * _MBIT),
        Line("cable", 0.35, 20 * _MBIT, 150 * _MBIT),
        Line("dsl", 0.20, 8 * _MBIT, 40 * _MBIT),
        Line("mobile", 0.10, 5 * _MBIT, 20 * _MBIT),
    ),
    "2002": (  # Saroiu, Gummadi, Gribble: A measurement study of peer-to-peer file sharing systems (MMCN 2002)
        Line("modem", 0.08, 33 * _KBIT, 56 * _KBIT),
        Line("dsl", 0.40, 128 * _KBIT, 768 * _KBIT),
        Line("cable", 0.30, 256 * _KBIT, 3 * _MBIT),
        Line("campus", 0.22, 10 * _MBIT, 10 * _MBIT),
    ),
}
"""The mixes of lines a world can be made of, by name."""


def mix(name: str) -> tuple[Line, ...]:
    """Return the mix of that name; raises LocalError that lists the names."""
    if name not in LINES:
        raise LocalError(f"there are no lines called {name!r}; there are: {', '.join(LINES)}")
    return LINES[name]


def draw(lines: Sequence[Line], rng: random.Random) -> Line:
    """Choose a line by the shares of the mix."""
    return rng.choices(lines, [line.share for line in lines])[0]
