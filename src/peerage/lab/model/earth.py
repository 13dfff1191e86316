"""Where the peers of the model live, and so the latency of every link: lab/geography.py for arrays of peers.

Invariant: the same two peers are always equally far apart, both ways.
"""

from __future__ import annotations

import numpy as np

from peerage.lab.geography import LAST_MILE, LONGEST, REGIONS, ROUND_TRIPS, SHORTEST
from peerage.lab.model.lists import Floats, Ints
from peerage.lab.model.randomness import source
from peerage.lab.model.spec import ModelSpec


class Earth:
    """The homes of all peers."""

    def __init__(self, spec: ModelSpec) -> None:
        rng = source(spec.seed, "earth")
        shares = np.array([region.share for region in REGIONS])
        self.nearest = spec.nearest
        self._regions = rng.choice(len(REGIONS), spec.peers, p=shares / shares.sum()).astype(np.int8)
        self._lines = (rng.random(spec.peers) * LAST_MILE).astype(np.float32)
        self._ways = np.array(ROUND_TRIPS, dtype=np.float32) / 2
        self._scale = (spec.farthest - spec.nearest) / (LONGEST - SHORTEST)

    def latency(self, here: Ints, there: Ints) -> Floats:
        """Return the seconds one way between peers."""
        ways = self._ways[self._regions[here], self._regions[there]]
        return self.nearest + self._scale * (ways + self._lines[here] + self._lines[there] - SHORTEST).astype(float)
