"""The numbers of the distributed hash table, in one struct: limits.py has their reasons.

Invariant: all nodes of a network should have the same `bucket`, `region`, `life` and `stamp_bits`; the other numbers
are each node's own business. Pure.
"""

from __future__ import annotations

from typing import Final

import msgspec

from peerage.overlay.dht import limits
from peerage.overlay.publish_gate import PublishRules

_PUBLISHING: Final = PublishRules(
    free=limits.DHT_POSTINGS_FREE,
    subnet_free=limits.DHT_POSTINGS_SUBNET_FREE,
    step=limits.DHT_POSTINGS_STEP,
    step_bits=limits.DHT_STAMP_STEP_BITS,
    rise=limits.DHT_STAMP_RISE,
    seconds=limits.DHT_POSTINGS_SECONDS,
    remembered=limits.DHT_POSTINGS_REMEMBERED,
)


class DhtRules(msgspec.Struct, frozen=True, kw_only=True):
    """What one node does and keeps; times in seconds."""

    bucket: int = limits.DHT_BUCKET
    parallel: int = limits.DHT_PARALLEL
    paths: int = limits.DHT_PATHS
    path_end: int = limits.DHT_PATH_END
    deadline: float = limits.DHT_DEADLINE
    walk_questions: int = limits.DHT_WALK_QUESTIONS
    walk_known: int = limits.DHT_WALK_KNOWN
    walk_subnet: int = limits.DHT_WALK_SUBNET
    walks: int = limits.DHT_WALKS
    subnet_bucket: int = limits.DHT_SUBNET_BUCKET
    subnet_table: int = limits.DHT_SUBNET_TABLE
    spares: int = limits.DHT_SPARES
    probes: int = limits.DHT_PROBES
    upkeep: float = limits.DHT_UPKEEP
    checks: int = limits.DHT_CHECKS
    held: int = limits.DHT_HELD
    join_delay: float = 1.0  # after the first link: others may follow
    region: int = limits.DHT_REGION
    region_min: int = limits.DHT_REGION_MIN
    region_max: int = limits.DHT_REGION_MAX
    near: int = limits.DHT_NEAR
    life: float = limits.DHT_LIFE
    renew: float = limits.DHT_RENEW
    renew_min: float = limits.DHT_RENEW_MIN
    retry: float = limits.DHT_RETRY
    backoff: float = limits.DHT_BACKOFF
    stored: int = limits.DHT_STORED
    stored_bytes: int = limits.DHT_STORED_BYTES
    stored_per_publisher: int = limits.DHT_STORED_PER_PUBLISHER
    stored_per_subnet: int = limits.DHT_STORED_PER_SUBNET
    per_key: int = limits.DHT_PER_KEY
    per_key_publisher: int = limits.DHT_PER_KEY_PUBLISHER
    per_key_subnet: int = limits.DHT_PER_KEY_SUBNET
    look_rate: float = limits.DHT_LOOK_RATE
    look_burst: float = limits.DHT_LOOK_BURST
    store_rate: float = limits.DHT_STORE_RATE
    store_burst: float = limits.DHT_STORE_BURST
    listings: int = limits.DHT_LISTINGS
    words: int = limits.DHT_WORDS
    search_words: int = limits.DHT_SEARCH_WORDS
    stamp_bits: int = limits.DHT_STAMP_BITS
    uncounted: int = limits.DHT_POSTINGS_UNCOUNTED
    publishing: PublishRules = _PUBLISHING

    @property
    def dearest_bits(self) -> int:
        """What a stamp is worth that is always enough."""
        return self.stamp_bits + self.publishing.rise


DEFAULT_RULES = DhtRules()
