"""Searches in the modelled hash table: the real walks (overlay/dht/lookup.py), answered from arrays.

All that a walk decides is decided by the real Lookup; only who answers what, and when, comes from the model. No answer
comes sooner than there and back over the shortest link, so the questions that all searches ask within such a stride are
answered together. Invariant: each search sees its answers in the order of their times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from peerage.identity.address import Address
from peerage.identity.keys import ID_BYTES, PeerId
from peerage.lab.measure import Outcome
from peerage.lab.model.kademlia import ID_BITS, Kademlia
from peerage.lab.model.lists import Ints
from peerage.overlay.dht.contacts import BITS, Contact
from peerage.overlay.dht.limits import DHT_ANSWER_ENTRIES
from peerage.overlay.dht.lookup import Lookup, LookupPlan

DIAL_TRIPS: Final = 2.5  # round trips until a new link carries something (lab/world.py)
_ADDRESSES: Final = (Address("10.0.0.1", 7411),)  # of everybody: in a private network, where subnets have no caps
_HALF: Final = 8  # bytes of an id, then as many of the peer's number


class Stored(NamedTuple):
    """What is kept under one word: where, by whom, how many entries answer the query; and is the one meant there?"""

    key: int
    keepers: frozenset[int]
    entries: int
    meant: bool


class Told(NamedTuple):
    """What comes back to a search: when, when its question had left, from whom, what; `peers` None: no answer came."""

    at: float
    sent: float
    peer: int
    peers: Ints | None


class Bounds(NamedTuple):
    """What one search may do."""

    wanted: int
    deadline: float


class Search:
    """One search: a walk for each of its words, one after the other, until enough was found."""

    def __init__(self, table: Kademlia, asker: int, stored: Sequence[Stored], bounds: Bounds) -> None:
        self.asker = asker
        self._table = table
        self._left = list(stored)
        self._bounds = bounds
        self._lookup: Lookup
        self._word: Stored
        self._hits = 0
        self._hops: int | None = None
        self._first: float | None = None
        self._last: float | None = None
        self.over_at: float | None = None

    @property
    def target(self) -> int:
        """Where the walk that is under way goes to."""
        return self._word.key

    def begin(self, now: float) -> bool:
        """Begin with the next word; False when there is none, or no time."""
        if not self._left or now >= self._bounds.deadline:
            self.over_at = now
            return False
        self._word = self._left.pop(0)
        rules = self._table.rules
        plan = LookupPlan(rules.bucket, rules.paths, min(self._bounds.deadline, now + rules.deadline))
        target = self._word.key << (BITS - ID_BITS)
        self._lookup = Lookup(target, _id_of(self._table, self.asker), plan, rules)
        return True

    def seed(self, peers: Ints, now: float) -> Iterator[int]:
        """Start the walk with the nearest contacts of the asker; yields whom to ask."""
        self._lookup.begin(self._contacts(peers))
        return self._next(now)

    def take(self, told: Told) -> Iterator[int]:
        """Take an answer, or that there is none; yields whom to ask now."""
        peer_id = _id_of(self._table, told.peer)
        if told.peers is None:
            self._lookup.failed(peer_id)
        else:
            hops = self._lookup.answered(peer_id, self._contacts(told.peers))
            if told.peer in self._word.keepers:
                self._find(max(1, hops), told.at)
        if self.over_at is None:
            yield from self._next(told.at)

    @property
    def walking(self) -> bool:
        """Whether the walk waits for answers."""
        return self._lookup.waiting > 0

    def end_walk(self, now: float) -> None:
        """The walk has ended: the asker looks at what it keeps itself."""
        if self.asker in self._word.keepers:
            self._find(1, now)

    def entries_of(self, peer: int) -> int:
        """Return how many entries are in the answer of a peer."""
        return min(self._word.entries, DHT_ANSWER_ENTRIES) if peer in self._word.keepers else 0

    def outcome(self) -> Outcome:
        """Return how it went."""
        return Outcome(
            found=self._hops is not None, hits=self._hits, hops=self._hops, first=self._first, last=self._last
        )

    # --- inside -----------------------------------------------------------------------------------------------------

    def _find(self, hops: int, now: float) -> None:
        """Take what a keeper told: all keep the same, so only the first of them has news."""
        if not self._word.entries or now >= self._bounds.deadline:
            return
        fresh = min(self._word.entries, self._bounds.wanted) - self._hits
        if fresh > 0:
            self._hits += fresh
            self._first = now if self._first is None else self._first
            self._last = now
        if self._word.meant and self._hops is None:
            self._hops = hops
        if self._hits >= self._bounds.wanted:
            self.over_at = now

    def _next(self, now: float) -> Iterator[int]:
        for contact in self._lookup.next(now):
            yield int.from_bytes(contact.peer_id[_HALF : 2 * _HALF], "big")

    def _contacts(self, peers: Ints) -> list[Contact]:
        return [Contact(_id_of(self._table, peer), _ADDRESSES) for peer in peers.tolist()]


def _id_of(table: Kademlia, peer: int) -> PeerId:
    """Return the id of a peer: that of the table, then its number, so that it is known again."""
    return PeerId(
        int(table.ids[peer]).to_bytes(_HALF, "big") + peer.to_bytes(_HALF, "big") + bytes(ID_BYTES - 2 * _HALF)
    )
