"""Who gets which listings, and in how few messages: all that go to one peer are packed together.

Invariant: a listing is offered to each peer at most once, to those in its region or the `region_min` nearest, and to
`region_max` at the most; who did not answer is replaced by the next nearest. No message exceeds the bounds on items and
bytes. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from peerage.identity.keys import PeerId
from peerage.overlay.dht.book import Listing
from peerage.overlay.dht.contacts import Contact, number_of
from peerage.overlay.dht.limits import DHT_STORE_BYTES, DHT_STORE_ITEMS
from peerage.overlay.dht.messages import Drop, Outcome, Put, Store
from peerage.overlay.dht.records import Posting, Provider, Whereabouts
from peerage.overlay.dht.rules import DhtRules

Item = Provider | Posting | Put | Drop

_ITEM_BYTES = 300  # of anything but a posting's record or a value


class Parcel:
    """What one peer is to keep, in one message."""

    __slots__ = ("contact", "items", "listings", "size")

    def __init__(self, contact: Contact) -> None:
        self.contact = contact
        self.listings: list[Listing] = []
        self.items: list[Item] = []
        self.size = 0

    def ordered(self) -> list[Listing]:
        """Return the listings in the order in which their outcomes come back."""
        order = (Provider, Posting, Put, Drop)
        pairs = zip(self.items, self.listings, strict=True)
        return [each for _, each in sorted(pairs, key=lambda pair: order.index(type(pair[0])))]

    def message(self, whereabouts: Whereabouts) -> Store:
        """Return what is sent."""
        by_kind: dict[type, list[Any]] = {Provider: [], Posting: [], Put: [], Drop: []}
        for item in self.items:
            by_kind[type(item)].append(item)
        return Store(
            whereabouts if by_kind[Posting] else None,
            tuple(by_kind[Provider]),
            tuple(by_kind[Posting]),
            tuple(by_kind[Put]),
            tuple(by_kind[Drop]),
        )


class Consignment:
    """The listings of one region on their way to those who will keep them."""

    def __init__(self, listings: Sequence[tuple[Listing, Item]], radius: int, rules: DhtRules) -> None:
        self._listings = listings
        self._radius = radius
        self._rules = rules
        self._pool: dict[PeerId, tuple[int, Contact]] = {}
        self._offered: dict[int, set[PeerId]] = {id(listing): set() for listing, _ in listings}
        self._outcomes: dict[int, list[Outcome]] = {id(listing): [] for listing, _ in listings}

    def may_go_to(self, contacts: Iterable[Contact]) -> None:
        """Add peers of the region."""
        for each in contacts:
            self._pool[each.peer_id] = (number_of(each.peer_id), each)

    def parcels(self) -> list[Parcel]:
        """Return what is to be sent now; nothing when every listing has its keepers."""
        finished: list[Parcel] = []
        open_parcels: dict[PeerId, Parcel] = {}
        for listing, item in self._listings:
            size = _size_of(item)
            for contact in self._keepers(listing):
                parcel = open_parcels.get(contact.peer_id)
                if parcel is None or len(parcel.items) >= DHT_STORE_ITEMS or parcel.size + size > DHT_STORE_BYTES:
                    parcel = open_parcels[contact.peer_id] = Parcel(contact)
                    finished.append(parcel)
                parcel.listings.append(listing)
                parcel.items.append(item)
                parcel.size += size
                self._offered[id(listing)].add(contact.peer_id)
        return finished

    def delivered(self, parcel: Parcel, outcomes: Sequence[Outcome]) -> None:
        """Take what a keeper said; an answer of the wrong length counts as none."""
        if len(outcomes) != len(parcel.items):
            self.lost(parcel)
            return
        for listing, outcome in zip(parcel.ordered(), outcomes, strict=True):
            self._outcomes[id(listing)].append(outcome)

    def lost(self, parcel: Parcel) -> None:
        """A peer did not answer: it is no keeper of anything."""
        self._pool.pop(parcel.contact.peer_id, None)

    def results(self) -> Iterator[tuple[Listing, list[Outcome]]]:
        """Yield each listing with what its keepers said."""
        for listing, _ in self._listings:
            yield listing, self._outcomes[id(listing)]

    def _keepers(self, listing: Listing) -> list[Contact]:
        """Return the peers that should have a listing and were not offered it yet."""
        ranked = [(number ^ listing.number, contact) for number, contact in self._pool.values()]
        ranked.sort(key=itemgetter(0))
        inside = sum(distance <= self._radius for distance, _ in ranked)
        count = min(self._rules.region_max, max(self._rules.region_min, inside))
        offered = self._offered[id(listing)]
        return [contact for _, contact in ranked[:count] if contact.peer_id not in offered]


def _size_of(item: Item) -> int:
    if isinstance(item, Posting):
        return _ITEM_BYTES + len(item.record)
    return _ITEM_BYTES + len(item.value.value) if isinstance(item, Put) else _ITEM_BYTES
