"""The numbers of supernodes, on either side; the defaults are in limits.py, with their reasons.

Invariant: rules only bound and choose; whatever they say, nothing unchecked is shown. Pure.
"""

from __future__ import annotations

import msgspec

from peerage import limits
from peerage.overlay.flood.state import FloodRules


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """What a node can give: bytes a second it can send (0: not known, which counts as enough), and open links."""

    upload: int = 0
    connections: int = limits.DEFAULT.connections


class SupernodeRules(msgspec.Struct, frozen=True, kw_only=True):
    """How a node takes part; times in seconds, rates a second."""

    # who is one
    crowd: int = limits.SUPERNODE_CROWD
    uptime: float = limits.SUPERNODE_UPTIME
    upload: int = limits.SUPERNODE_UPLOAD
    connections: int = limits.SUPERNODE_CONNECTIONS
    share: float = limits.SUPERNODE_SHARE
    steady: float = limits.SUPERNODE_STEADY
    idle: float = limits.SUPERNODE_IDLE
    least_leaves: int = limits.SUPERNODE_LEAST_LEAVES
    # leaves
    uplinks: int = limits.SUPERNODE_UPLINKS
    renew: float = limits.SUPERNODE_RENEW
    quiet: float = limits.SUPERNODE_QUIET
    patience: float = limits.SUPERNODE_PATIENCE
    upkeep: float = limits.SUPERNODE_UPKEEP
    few: int = 3  # results below which a leaf asks its other supernodes as well
    # serving
    leaves: int = limits.SUPERNODE_LEAVES
    leaves_per_subnet: int = limits.LEAVES_PER_SUBNET
    records_per_leaf: int = limits.LEAF_RECORDS
    records: int = limits.LEAF_RECORDS_ALL
    kept: float = limits.SUPERNODE_KEPT
    queries_rate: float = limits.LEAF_QUERIES_RATE
    queries_burst: float = limits.LEAF_QUERIES_BURST
    records_rate: float = limits.LEAF_RECORDS_RATE
    records_burst: float = limits.LEAF_RECORDS_BURST
    # among each other
    degree: int = limits.SUPERNODE_DEGREE
    per_subnet: int = limits.SUPERNODES_PER_SUBNET
    flood: FloodRules = FloodRules(
        max_ttl=4,
        table_depth=1,  # the tables of all leaves: merged ones of thirty neighbours would say yes to everything
        own_rate=15.0,  # on behalf of two hundred leaves
        own_burst=60.0,
        own_searches=limits.LEAF_SEARCHES,
        incoming_rate=30.0,
        incoming_burst=150.0,
        relayed_rate=15.0,
        relayed_burst=75.0,
    )

    def places(self, connections: int) -> int:
        """Return how many leaves a node with room for so many links can have."""
        return max(0, min(self.leaves, connections - self.degree - limits.SUPERNODE_SPARE - 16))
