"""What a part of a run adds up to: outcomes and traffic for each query, and what each peer received.

Invariant: parts can be put together in any order and give what one process would have counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import msgspec
import numpy as np

from peerage.lab.census import Traffic
from peerage.lab.holdings import Held
from peerage.lab.measure import KINDS, KindResult, Load, Outcome, sum_up
from peerage.lab.model.lists import Ints


class Done(msgspec.Struct, frozen=True):
    """One query that was run: its number, its class, how it ended and what the whole network received for it."""

    number: int
    kind: Held
    outcome: Outcome
    traffic: Traffic


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What one part of a run yields; `received` are messages for those peers that received any."""

    done: list[Done]
    receivers: Any  # numpy arrays of whole numbers, equally long
    received: Any
    links: Load | None
    components: int | None
    cpu_seconds: float
    peak_bytes: int


class Receipts:
    """Counts what peers receive."""

    def __init__(self, peers: int) -> None:
        self._counts = np.zeros(peers, dtype=np.int64)
        self._noted: list[Ints] = []
        self._waiting = 0

    def note(self, receivers: Ints) -> None:
        """Each of these received a message."""
        self._noted.append(receivers)
        self._waiting += len(receivers)
        if self._waiting > len(self._counts):
            self._count()

    def _count(self) -> None:
        if self._noted:
            self._counts += np.bincount(np.concatenate(self._noted), minlength=len(self._counts))
        self._noted, self._waiting = [], 0

    def all(self) -> tuple[Ints, Ints]:
        """Return who received something, and how much."""
        self._count()
        who = np.flatnonzero(self._counts)
        return who, self._counts[who]


class SomeReceipts:
    """Counts what some of all peers receive, who are numbered among themselves."""

    def __init__(self, receipts: Receipts, peers: Ints) -> None:
        self._receipts = receipts
        self._peers = peers

    def note(self, receivers: Ints) -> None:
        """Each of these received a message."""
        self._receipts.note(self._peers[receivers])


def kinds_of(done: Iterable[Done]) -> list[KindResult]:
    """Return the results for each class of items."""
    listed = list(done)
    results = []
    for kind in KINDS:
        of_kind = [each for each in listed if each.kind is kind]
        traffic = sum((each.traffic for each in of_kind), Traffic())
        results.append(sum_up(kind, [each.outcome for each in of_kind], traffic))
    return results


def load_of(tallies: Iterable[Tally], peers: int, queries: int) -> Load:
    """Return the messages that a peer received for one query of the whole network."""
    counts = np.zeros(peers, dtype=np.int64)
    for tally in tallies:
        counts[tally.receivers] += tally.received
    return Load(mean=float(counts.mean()) / queries, busiest=float(counts.max()) / queries)


def digest_of(done: Iterable[Done]) -> str:
    """Return a hash over all outcomes: same specification, same digest."""
    raw = msgspec.msgpack.encode(sorted(done, key=lambda each: each.number))
    return blake2b(raw, digest_size=32).hexdigest()
