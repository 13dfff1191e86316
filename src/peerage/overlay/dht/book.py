"""What this node has stored with others, and when each of it is due again.

Invariant: every listing is in exactly one state: due at a time, under way, or leaving (to be dropped by those who keep
it). Renewal follows what is lost: when fewer of the keepers are still there than expected, the next one comes sooner,
between `renew_min` and `renew`. A word without room is left alone for `backoff`; a posting that most keepers want a
better stamp for, until there is one, or for an hour. Pure: time is an argument (seconds).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log
from typing import NamedTuple

from peerage.catalogue.record import Record
from peerage.errors import LimitError
from peerage.overlay.dht.contacts import BITS, number_of
from peerage.overlay.dht.messages import Kind, Outcome, Put, Verdict
from peerage.overlay.dht.rules import DhtRules

_SURVIVORS = 0.25  # of the keepers that should still be there at a renewal
_FULL = 0.5  # of the keepers that have no room: the word is too common
_GROWN = 3  # times as many peers as when a listing was stored: two of three that are nearest now do not have it
_KEPT = frozenset({Verdict.STORED, Verdict.RENEWED})


class ListingId(NamedTuple):
    """What a listing is about: a key and, of a posting, the record under it."""

    kind: Kind
    key: bytes
    content: bytes = b""
    place: int = 0  # Record.slot of a posting


class Listing:
    """One thing that is stored elsewhere, or will be."""

    __slots__ = ("busy", "due", "id", "item", "leaving", "number", "radius", "renewed")

    def __init__(self, listing_id: ListingId, item: Record | Put | bytes, due: float) -> None:
        self.id = listing_id
        self.item = item  # a posting's record, a value, a provider's content id
        self.number = number_of(listing_id.key)
        self.due = due
        self.renewed: float | None = None  # when it was last stored
        self.radius = 0  # how far from its key that was
        self.leaving = False
        self.busy = False


class PublicationBook:
    """The listings of one node."""

    def __init__(self, rules: DhtRules) -> None:
        self._rules = rules
        self._listings: dict[ListingId, Listing] = {}
        self._interval = rules.renew_min

    def __len__(self) -> int:
        return len(self._listings)

    def __contains__(self, listing_id: ListingId) -> bool:
        known = self._listings.get(listing_id)
        return known is not None and not known.leaving

    @property
    def interval(self) -> float:
        """Seconds between two renewals, as things are."""
        return self._interval

    def enter(self, listing_id: ListingId, item: Record | Put | bytes, now: float) -> bool:
        """Have something stored, now; False when there are too many listings."""
        known = self._listings.get(listing_id)
        if known is not None:
            if known.leaving or known.item != item:
                known.item, known.leaving, known.due = item, False, now
            return True
        if len(self._listings) >= self._rules.listings:
            return False
        self._listings[listing_id] = Listing(listing_id, item, now)
        return True

    def take(self, listing_id: ListingId, item: Put, now: float) -> Listing:
        """Take a listing out at once, to be stored by whoever calls; raises LimitError when there are too many."""
        if not self.enter(listing_id, item, now):
            raise LimitError("DHT_LISTINGS", "ours", f"this node has {self._rules.listings} things stored already")
        listing = self._listings[listing_id]
        listing.item = item
        listing.busy = True
        return listing

    def replace(self, listing: Listing, item: Put) -> None:
        """Say what is stored of a listing from its next renewal on."""
        listing.item = item

    def unlist(self, listing_id: ListingId, now: float) -> None:
        """Have something dropped; what was never stored is forgotten at once."""
        known = self._listings.get(listing_id)
        if known is None:
            return
        if known.renewed is None and not known.busy:
            del self._listings[listing_id]
            return
        known.leaving, known.due = True, now

    def sweep(self, now: float, prefix_bits: int, most: int) -> list[list[Listing]]:
        """Take out all listings that are due, in groups that lie in one region each and are at most `most` large."""
        due = sorted((each for each in self._listings.values() if each.due <= now and not each.busy), key=_number)
        shift = BITS - prefix_bits
        groups: list[list[Listing]] = []
        for each in due:
            each.busy = True
            if groups and groups[-1][0].number >> shift == each.number >> shift and len(groups[-1]) < most:
                groups[-1].append(each)
            else:
                groups.append([each])
        return groups

    def is_due(self, now: float) -> bool:
        """Whether anything waits to be stored."""
        return any(each.due <= now and not each.busy for each in self._listings.values())

    def stored(self, listing: Listing, outcomes: Sequence[Outcome], now: float) -> None:
        """Note what the keepers said of one listing; no outcomes: nobody was reached."""
        listing.busy = False
        took = sum(each.verdict in _KEPT for each in outcomes)
        if listing.leaving:
            if any(each.verdict is Verdict.DROPPED for each in outcomes):
                self._listings.pop(listing.id, None)
            else:  # what was under way when it was withdrawn has just been stored
                listing.due = now if outcomes else now + self._rules.retry
            return
        if bits_wanted(outcomes):
            listing.renewed = now if took else listing.renewed
            listing.due = now + self._rules.renew_min  # by then it is cheaper; a better stamp comes sooner, by `hurry`
            return
        if not outcomes or (not took and not _is_full(outcomes)):
            listing.due = now + self._rules.retry
            return
        if listing.renewed is not None:
            self._learn(outcomes, now - listing.renewed)
        listing.renewed = now
        listing.due = now + (self._rules.backoff if _is_full(outcomes) else self._interval)

    def hurry(self, listing: Listing, now: float) -> None:
        """Store a listing now that would be stored later: more of its keepers will take it than before."""
        listing.due = min(listing.due, now)

    def grown(self, radius: int, now: float) -> None:
        """Store now what was stored when the network was much smaller, or seemed so: others are nearest by now."""
        for each in self._listings.values():
            if each.renewed is not None and each.radius > _GROWN * radius:
                each.due = min(each.due, now)

    def failed(self, listings: Iterable[Listing], now: float) -> None:
        """Nothing could be said to anybody: try again later."""
        for each in listings:
            self.stored(each, (), now)

    def _learn(self, outcomes: Sequence[Outcome], elapsed: float) -> None:
        """Change the interval by how many of the keepers had the listing still."""
        if elapsed < self._rules.renew_min / 4:
            return
        still = sum(each.verdict is Verdict.RENEWED for each in outcomes)
        share = min(0.99, max(0.05, still / len(outcomes)))
        wanted = elapsed * log(_SURVIVORS) / log(share)
        smooth = 0.75 * self._interval + 0.25 * wanted
        self._interval = min(self._rules.renew, max(self._rules.renew_min, smooth))


def bits_wanted(outcomes: Sequence[Outcome]) -> int:
    """Return the bits of a stamp with which half of the keepers take a posting; 0 when half do without a better one.

    So a few liars among them make nobody work for them.
    """
    wanted = sorted(each.bits if each.verdict is Verdict.UNSTAMPED else 0 for each in outcomes)
    return wanted[(len(wanted) - 1) // 2] if wanted else 0


def _number(listing: Listing) -> int:
    return listing.number


def _is_full(outcomes: Sequence[Outcome]) -> bool:
    return sum(each.verdict is Verdict.FULL for each in outcomes) > _FULL * len(outcomes)
