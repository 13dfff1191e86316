"""How long peers stay: session lengths as they were measured, scaled to the churn that a world is to have.

The shapes are fits to traces of real networks: most sessions are short, a few are very long, and who has stayed long
will stay longer, which an exponential distribution does not show. Source of the fits: Zhang, Iosup, Epema, The
Peer-to-Peer Trace Archive (TU Delft, PDS-2010-003), table 14, trace T6'09.
Invariant: whatever the shape, the share of peers that leave in an hour is, on average and in the long run, the churn
that was asked for. Who leaves is not decided here.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import accumulate
from typing import Final

from peerage.errors import LocalError

HOUR: Final = 3600.0
_SAMPLE: Final = 4096  # sessions from which those of the first population are drawn

Draw = Callable[[random.Random], float]


def _weibull(rng: random.Random) -> float:
    return rng.weibullvariate(246.24, 0.67)


def _log_normal(rng: random.Random) -> float:
    return rng.lognormvariate(4.80, 1.36)


def _exponential(rng: random.Random) -> float:
    return rng.expovariate(1.0)


SHAPES: Final[dict[str, tuple[Draw, float]]] = {
    "weibull": (_weibull, 246.24 * math.gamma(1 + 1 / 0.67)),
    "lognormal": (_log_normal, math.exp(4.80 + 1.36**2 / 2)),
    "exponential": (_exponential, 1.0),  # memoryless: what analysis likes to assume
}
"""Shapes by name: how to draw a session, and the mean of what is drawn."""


class Lifetimes:
    """Sessions of a world in which the share `churn` of all peers leaves in an hour; in seconds."""

    def __init__(self, rng: random.Random, churn: float, shape: str = "weibull") -> None:
        if shape not in SHAPES:
            raise LocalError(f"there are no session times called {shape!r}; there are: {', '.join(SHAPES)}")
        if churn <= 0:
            raise LocalError("a world without churn needs no lifetimes")
        self._rng = rng
        self._draw, mean = SHAPES[shape]
        self._unit = HOUR / churn / mean
        self._met: list[float] = []
        self._sums: list[float] = []

    def session(self) -> float:
        """Return how long somebody who comes now will stay."""
        return self._draw(self._rng) * self._unit

    def rest(self) -> float:
        """Return how long somebody who is met at a random moment will still stay.

        Whoever is met then is likelier to be in a long session: it is drawn by its length, and the moment in it evenly.
        """
        if not self._met:
            self._met = [self.session() for _ in range(_SAMPLE)]
            self._sums = list(accumulate(self._met))
        return self._rng.choices(self._met, cum_weights=self._sums)[0] * self._rng.random()
