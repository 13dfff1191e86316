"""What a flood goes through: a network, who holds what on it, what tables say, and how large messages are.

Invariant: peers are numbers from 0; all that is asked for is the same each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from peerage.lab.generations import Flood, Flood2001
from peerage.lab.measure import Load
from peerage.lab.model.asking import Bounds
from peerage.lab.model.contents import Contents
from peerage.lab.model.earth import Earth
from peerage.lab.model.flooding import Batch
from peerage.lab.model.keyword_tables import KeywordTables
from peerage.lab.model.lists import Bools, Floats, Ints, Lists, within
from peerage.lab.model.meshes import components, host_cache, mesh
from peerage.lab.model.randomness import source
from peerage.lab.model.sizes import FloodSizes, flood_sizes
from peerage.lab.model.spec import ModelSpec
from peerage.lab.model.tally import Done, Receipts
from peerage.lab.model.workload import Query
from peerage.overlay.flood.state import FloodRules

_CELLS: Final = 32_000_000  # of one query at one peer, in one batch: seven bytes each


class FloodWorld:
    """The second generation, as it was and as it is."""

    def __init__(self, spec: ModelSpec, contents: Contents, alive: Bools) -> None:
        classic = spec.generation == Flood2001.name
        rng = source(spec.seed, "network")
        self.rules = FloodRules.classic_2001() if classic else FloodRules()
        self.by_holder = False
        self.ttl = Flood2001.ttl if classic else Flood.ttl
        self.peers = spec.peers
        self.wanted = spec.wanted
        self.deadline = spec.deadline
        self.stride = spec.nearest
        self.sizes: FloodSizes = flood_sizes()
        self.network: Lists = host_cache(rng, alive) if classic else mesh(rng, alive)
        self.seed = spec.seed
        self._alive = alive
        self._earth = Earth(spec)
        self._contents = contents
        self._tables = KeywordTables(contents, self.network, self.rules.table_depth)

    # --- a world of the model (overlays.py) -------------------------------------------------------------------------

    @property
    def at_once(self) -> int:
        """As many as fit into memory."""
        return max(1, _CELLS // self.peers)

    def run(self, queries: Sequence[Query], receipts: Receipts) -> list[Done]:
        """Run queries."""
        parts = (queries[start : start + self.at_once] for start in range(0, len(queries), self.at_once))
        return [done for part in parts for done in Batch(self, part, receipts).run()]

    def links_of_peers(self) -> Load:
        """Return the degrees of those who are there."""
        degrees = self.network.lengths()[self._alive]
        return Load(mean=float(degrees.mean()), busiest=float(degrees.max()))

    def components(self) -> int:
        """Return into how many parts the mesh falls."""
        return components(self.network, self._alive)

    # --- what a flood asks ------------------------------------------------------------------------------------------

    @property
    def depth(self) -> int:
        """How many links tables cover."""
        return self.rules.table_depth

    def near(self, words: tuple[int, int]) -> list[Ints]:
        """Return whom it makes sense to ask with ttl 1, then with 2."""
        return self._tables.near(words)

    def answers(self, query: Query) -> tuple[Ints, Ints, Bools]:
        """Return who answers a query, with how many records, and whether the item that is meant is among them."""
        _, holders = self._contents.holders.expand(self._contents.matching(*query.words))
        peers, counts = np.unique(holders, return_counts=True)
        return peers, counts, within(self._contents.holders.row(query.item), peers)

    def bounds(self, query: Query) -> Bounds:  # noqa: ARG002 -- the same for all
        """Return what a search may do."""
        return Bounds(self.wanted, self.deadline, self.ttl)

    def reader(self, query: Query) -> None:
        """A record is told by its holder only."""

    def links(self, peer: int) -> Ints:
        """Return the neighbours of one."""
        return self.network.row(peer)

    def degree(self, peer: int) -> int:
        """Return how many links one has."""
        return int(self.network.starts[peer + 1] - self.network.starts[peer])

    def expand(self, peers: Ints) -> tuple[Ints, Ints]:
        """Return the neighbours of many."""
        return self.network.expand(peers)

    def latency(self, here: Ints, there: Ints) -> Floats:
        """Return the seconds over some links."""
        return self._earth.latency(here, there)
