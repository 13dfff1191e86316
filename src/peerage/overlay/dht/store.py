"""What this node keeps for others, and for how long.

Providers and postings are taken from their holder only, over its own link, which proves who it is: so nobody can store
in another's name, or bring back what was withdrawn, and no signature has to be checked here. Values are taken from
anybody, as their owner signed them; an older one never replaces a newer.
Invariant: what is kept is bounded: in all, in bytes, for each publisher, each subnet, each key, and each publisher and
subnet under one key. When all room is taken, the key farthest from this node gives way, never a nearer one. Everything
expires. Pure: time is an argument (seconds since 1970).
"""

from __future__ import annotations

from collections import Counter
from heapq import heappop, heappush
from typing import Any, NamedTuple

from peerage.identity.keys import PeerId
from peerage.overlay.dht.contacts import number_of
from peerage.overlay.dht.rules import DhtRules

Slot = tuple[int, bytes]
"""A kind and a key."""

_OVERHEAD = 200  # bytes that an entry costs beside its own


class Publisher(NamedTuple):
    """Who stores something, and from where; no subnet means one that has no price."""

    peer_id: PeerId
    subnet: str
    host: str  # as seen from here


class Offer(NamedTuple):
    """Something to be kept: one entry of a slot, named by `label` among those of its publisher."""

    slot: Slot
    label: bytes
    item: Any
    size: int
    expires: float


class Kept(NamedTuple):
    """One entry."""

    publisher: Publisher
    item: Any
    size: int
    expires: float


class Shelves:
    """The entries that one node keeps, by slot, then by publisher and label."""

    __slots__ = ("_bytes", "_count", "_farthest", "_own", "_publishers", "_rules", "_slots", "_subnets")

    def __init__(self, own: PeerId, rules: DhtRules) -> None:
        self._own = number_of(own)
        self._rules = rules
        self._slots: dict[Slot, dict[tuple[PeerId, bytes], Kept]] = {}
        self._publishers: Counter[PeerId] = Counter()
        self._subnets: Counter[str] = Counter()
        self._farthest: list[tuple[int, Slot]] = []  # a heap of negated distances, one for each slot
        self._count = 0
        self._bytes = 0

    def __len__(self) -> int:
        return self._count

    @property
    def size(self) -> int:
        """How many bytes all entries take."""
        return self._bytes

    def put(self, offer: Offer, publisher: Publisher, now: float) -> bool | None:
        """Keep an entry; True when it is new, False when it renews one, None when there is no room for it."""
        entries = self._slots.get(offer.slot)
        label = (publisher.peer_id, offer.label)
        known = entries.get(label) if entries is not None else None
        if known is not None:
            self._remove(offer.slot, label)
        elif not (self.may_take(offer.slot, publisher, now) and self._make_room(offer)):
            return None
        self._add(offer, label, publisher)
        return known is None

    def has(self, slot: Slot, peer_id: PeerId, label: bytes) -> bool:
        """Whether an entry is here, living or not."""
        return (peer_id, label) in self._slots.get(slot, ())

    def has_few_of(self, publisher: Publisher, few: int) -> bool:
        """Whether a publisher, and all of its subnet, have fewer entries here than that."""
        return self._publishers[publisher.peer_id] < few and self._subnets[publisher.subnet] < few

    def may_take(self, slot: Slot, publisher: Publisher, now: float) -> bool:
        """Whether a new entry would be within all bounds but that on the whole."""
        rules = self._rules
        if self._publishers[publisher.peer_id] >= rules.stored_per_publisher:
            return False
        if publisher.subnet and self._subnets[publisher.subnet] >= rules.stored_per_subnet:
            return False
        return self._has_room_in_slot(slot, publisher, now)

    def get(self, slot: Slot, now: float) -> list[Kept]:
        """Return the living entries of a slot, the oldest first."""
        return [each for each in self._slots.get(slot, {}).values() if each.expires > now]

    def labels(self, slot: Slot, peer_id: PeerId) -> list[bytes]:
        """Return the labels of the entries that one publisher has in a slot."""
        return [label for publisher, label in self._slots.get(slot, ()) if publisher == peer_id]

    def drop(self, slot: Slot, peer_id: PeerId, label: bytes) -> bool:
        """Forget one entry; False when it was not here."""
        if not self.has(slot, peer_id, label):
            return False
        self._remove(slot, (peer_id, label))
        return True

    def load(self, slot: Slot) -> int:
        """Return how full a slot is, in per cent; all of them are as full as the whole."""
        return min(100, max(100 * len(self._slots.get(slot, ())) // self._rules.per_key, self.fill))

    @property
    def fill(self) -> int:
        """How full the whole is, in per cent."""
        return max(100 * self._count // self._rules.stored, 100 * self._bytes // self._rules.stored_bytes)

    def expire(self, now: float) -> int:
        """Forget what has lived its life; returns how much."""
        over = [
            (slot, label)
            for slot, entries in self._slots.items()
            for label, kept in entries.items()
            if kept.expires <= now
        ]
        for slot, label in over:
            self._remove(slot, label)
        return len(over)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _has_room_in_slot(self, slot: Slot, publisher: Publisher, now: float) -> bool:
        entries = self._slots.get(slot)
        if not entries:
            return True
        rules = self._rules
        if len(entries) >= rules.per_key:
            over = [label for label, kept in entries.items() if kept.expires <= now]
            for label in over:
                self._remove(slot, label)
            if not over:
                return False
        mine = sum(peer_id == publisher.peer_id for peer_id, _ in entries)
        if mine >= rules.per_key_publisher:
            return False
        if not publisher.subnet:
            return True
        return sum(kept.publisher.subnet == publisher.subnet for kept in entries.values()) < rules.per_key_subnet

    def _make_room(self, offer: Offer) -> bool:
        """Let farther keys give way until the entry fits; False when none is farther."""
        distance = number_of(offer.slot[1]) ^ self._own
        size = offer.size + _OVERHEAD
        while self._count >= self._rules.stored or self._bytes + size > self._rules.stored_bytes:
            while self._farthest and self._farthest[0][1] not in self._slots:
                heappop(self._farthest)
            if not self._farthest or -self._farthest[0][0] <= distance:
                return False
            _, slot = heappop(self._farthest)
            for label in tuple(self._slots[slot]):
                self._remove(slot, label)
        return True

    def _add(self, offer: Offer, label: tuple[PeerId, bytes], publisher: Publisher) -> None:
        entries = self._slots.get(offer.slot)
        if entries is None:
            entries = self._slots[offer.slot] = {}
            heappush(self._farthest, (-(number_of(offer.slot[1]) ^ self._own), offer.slot))
            self._tidy()
        kept = entries[label] = Kept(publisher, offer.item, offer.size + _OVERHEAD, offer.expires)
        self._count += 1
        self._bytes += kept.size
        self._publishers[publisher.peer_id] += 1
        if publisher.subnet:
            self._subnets[publisher.subnet] += 1

    def _remove(self, slot: Slot, label: tuple[PeerId, bytes]) -> None:
        entries = self._slots[slot]
        kept = entries.pop(label)
        if not entries:
            del self._slots[slot]
        self._count -= 1
        self._bytes -= kept.size
        _count_down(self._publishers, kept.publisher.peer_id)
        if kept.publisher.subnet:
            _count_down(self._subnets, kept.publisher.subnet)

    def _tidy(self) -> None:
        """Rebuild the heap when most of it is about slots that are gone, or there twice."""
        if len(self._farthest) > 64 + 2 * len(self._slots):
            self._farthest = sorted((-(number_of(slot[1]) ^ self._own), slot) for slot in self._slots)


def _count_down(counter: Counter[Any], key: Any) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
