"""When to dial again: the addresses a node was given to begin with, and peers that did not answer.

Invariant: both are bounded; what does not answer is dialled more and more seldom, and an anchor that has answered only
when the node is alone again. Pure.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final

from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.limits import DIAL_PAUSE, DIAL_PAUSE_MAX, MAX_ANCHORS, MAX_PAUSES

_SEED_PAUSE: Final = 1.0  # seconds between two looks at the whole peer table
_ALONE_PAUSE: Final = 60.0  # seconds after which a node without a neighbour dials an anchor again in any case
_LONGEST_ALONE: Final = 300.0  # seconds before a node without a neighbour dials a known peer again
_MOST_DOUBLINGS: Final = 10


class _Anchor:
    """What became of the dials to one address."""

    __slots__ = ("failures", "last", "not_before")

    def __init__(self) -> None:
        self.failures = 0
        self.last = 0.0
        self.not_before = 0.0


class Anchors:
    """Addresses to come back to."""

    def __init__(self) -> None:
        self._anchors: dict[Address, _Anchor] = {}

    def __len__(self) -> int:
        return len(self._anchors)

    def add(self, addresses: Iterable[Address]) -> None:
        """Remember addresses, as many as there is room for."""
        for address in addresses:
            if len(self._anchors) < MAX_ANCHORS:
                self._anchors.setdefault(address, _Anchor())

    def remove(self, addresses: Iterable[Address]) -> None:
        """Come back to these no more."""
        for address in addresses:
            self._anchors.pop(address, None)

    def due(self, now: float, *, alone: bool) -> list[Address]:
        """Return which to dial: those that have never answered, and all of them when the node is alone."""
        return [
            address
            for address, anchor in self._anchors.items()
            if (alone and now >= min(anchor.not_before, anchor.last + _ALONE_PAUSE))
            or (anchor.failures and now >= anchor.not_before)
        ]

    def failed(self, address: Address, now: float) -> None:
        """Nobody answered there."""
        anchor = self._anchors.get(address)
        if anchor is not None:
            anchor.last = now
            anchor.not_before = now + min(DIAL_PAUSE * 2 ** min(anchor.failures, _MOST_DOUBLINGS), DIAL_PAUSE_MAX)
            anchor.failures += 1

    def answered(self, address: Address) -> bool:
        """Somebody answered there; whether nobody had before."""
        anchor = self._anchors.get(address)
        if anchor is None:
            return False
        before, anchor.failures, anchor.not_before = anchor.failures, 0, 0.0
        return before > 0


class Pauses:
    """Peers that did not answer, and until when they are left in peace."""

    def __init__(self) -> None:
        self._until: dict[PeerId, tuple[float, int]] = {}  # and how often in a row it did not answer
        self._seeded = 0.0

    def waiting(self, peer_id: PeerId, now: float) -> bool:
        """Whether a peer is not to be dialled yet."""
        return self._until.get(peer_id, (0.0, 0))[0] > now

    def add(self, peer_id: PeerId, now: float, rng: random.Random, *, alone: bool) -> None:
        """A peer did not answer; while the node has no neighbour it may be the node's own fault."""
        _, failures = self._until.pop(peer_id, (0.0, 0))
        if len(self._until) >= MAX_PAUSES:
            del self._until[next(iter(self._until))]
        longest = _LONGEST_ALONE if alone else DIAL_PAUSE_MAX
        pause = min(DIAL_PAUSE * 2 ** min(failures + 1, _MOST_DOUBLINGS), longest)
        self._until[peer_id] = (now + pause * rng.uniform(0.8, 1.2), failures + 1)

    def answered(self, peer_id: PeerId, *, alone: bool) -> None:
        """A peer answers; if the node had no neighbour, it was the node that could not be reached, not the others."""
        self._until.pop(peer_id, None)
        if alone:
            self._until.clear()

    def may_seed(self, now: float) -> bool:
        """Whether the peer table may be searched again; counts as such a search."""
        if self._seeded and now - self._seeded < _SEED_PAUSE:
            return False
        self._seeded = now
        return True
