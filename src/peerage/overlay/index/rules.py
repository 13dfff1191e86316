"""The numbers of an index, on either side; the defaults are in limits.py, with their reasons.

Invariant: rules only bound and choose; whatever they say, nothing unsigned is shown. Pure.
"""

from __future__ import annotations

import msgspec

from peerage.limits import (
    INDEX_KEPT,
    INDEX_LEASE,
    INDEX_PATIENCE,
    INDEX_QUERIES_BURST,
    INDEX_QUERIES_RATE,
    INDEX_QUIET,
    INDEX_RECORDS_BURST,
    INDEX_RECORDS_PER_SUBNET,
    INDEX_RECORDS_RATE,
    INDEX_TENANTS_PER_SUBNET,
    INDEX_UPKEEP,
    INDEXES_KNOWN,
    INDEXES_USED,
    MAX_SEARCH_HITS,
)


class IndexRules(msgspec.Struct, frozen=True, kw_only=True):
    """How a node uses indexes, and how it serves one; times in seconds, rates a second."""

    # using
    used: int = INDEXES_USED  # indexes to register with, and to ask at once
    known: int = INDEXES_KNOWN  # indexes to know of
    widens: bool = True  # whether another index is asked when one fails, is silent, or did not bring enough
    checks: bool = True  # whether more than a record's signature is looked at
    lease: float = INDEX_LEASE
    quiet: float = INDEX_QUIET
    patience: float = INDEX_PATIENCE
    upkeep: float = INDEX_UPKEEP
    # serving
    hits: int = MAX_SEARCH_HITS  # of one answer
    kept: float = INDEX_KEPT
    queries_rate: float = INDEX_QUERIES_RATE
    queries_burst: float = INDEX_QUERIES_BURST
    records_rate: float = INDEX_RECORDS_RATE
    records_burst: float = INDEX_RECORDS_BURST
    tenants_per_subnet: int = INDEX_TENANTS_PER_SUBNET
    records_per_subnet: int = INDEX_RECORDS_PER_SUBNET

    @classmethod
    def classic_1999(cls) -> IndexRules:
        """Return the rules of Napster's generation: one index, believed whatever it says, and nothing without it."""
        return cls(used=1, known=1, widens=False, checks=False)
