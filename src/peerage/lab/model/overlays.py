"""Which model belongs to which generation.

Invariant: what is here offers the same few methods for every generation, and modules of one generation know no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from peerage.lab.generations import Dht, Index, Index1999, Supernode
from peerage.lab.measure import Load
from peerage.lab.model.contents import Contents
from peerage.lab.model.dht_world import DhtWorld
from peerage.lab.model.flood_world import FloodWorld
from peerage.lab.model.index_world import IndexWorld
from peerage.lab.model.lists import Bools
from peerage.lab.model.spec import ModelSpec
from peerage.lab.model.supernode_world import SupernodeWorld
from peerage.lab.model.tally import Done, Receipts
from peerage.lab.model.workload import Query


class ModelWorld(Protocol):
    """A network that is built, with all that its peers hold."""

    @property
    def at_once(self) -> int:
        """How many queries are best run together."""

    def run(self, queries: Sequence[Query], receipts: Receipts) -> list[Done]:
        """Run queries; each message that somebody receives is noted."""

    def links_of_peers(self) -> Load | None:
        """Return how many links peers have; None where that is not modelled."""

    def components(self) -> int | None:
        """Return into how many parts the network falls; None where links do not hold it together."""


def world_of(spec: ModelSpec, contents: Contents, alive: Bools) -> ModelWorld:
    """Build the network of a generation."""
    if spec.generation in (Index1999.name, Index.name):
        return IndexWorld(spec, contents, alive)
    if spec.generation == Dht.name:
        return DhtWorld(spec, contents, alive)
    if spec.generation == Supernode.name:
        return SupernodeWorld(spec, contents, alive)
    return FloodWorld(spec, contents, alive)
