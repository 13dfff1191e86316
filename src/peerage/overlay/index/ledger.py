"""What this node wants indexes to know, as a log that each index is brought up to at its own pace.

Invariant: every change has a number of its own, larger than all before it; an index that was told everything up to its
cursor needs only what `since` and `removed_since` return. Only public records are in it, and claims to what is shared
by link; what friends see never enters. Bounded: what exceeds MAX_RECORDS_PER_HOLDER is left out, and counted. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import takewhile
from typing import NamedTuple

from peerage.catalogue.index_table import Held, Key, claim_key, fingerprint, key_of
from peerage.catalogue.locator import locator_of
from peerage.catalogue.record import Record, Visibility, encode
from peerage.identity.keys import PeerId
from peerage.limits import INDEX_REMOVALS, MAX_RECORDS_PER_HOLDER

MakeClaim = Callable[[bytes], tuple[bytes, int]]
"""Signs a claim to a locator; returns it encoded, and its date."""


class Offer(NamedTuple):
    """One record or claim to be registered."""

    number: int  # of the change that brought it
    body: bytes
    mark: int  # its fingerprint
    claim: bool


class Ledger:
    """The log of one node; `make_claim` signs for it."""

    def __init__(self, owner: PeerId, make_claim: MakeClaim, maximum: int = MAX_RECORDS_PER_HOLDER) -> None:
        self._owner = owner
        self._make_claim = make_claim
        self._maximum = maximum
        self._offers: dict[Key, Offer] = {}  # by ascending number
        self._removed: dict[Key, int] = {}  # the same, bounded by INDEX_REMOVALS
        self._reasons: dict[bytes, set[int]] = {}  # why there is a claim to a locator: slots, _FETCHING
        self.number = 0  # of the last change
        self.floor = 0  # a cursor below this one must begin afresh: removals before it are forgotten
        self.left_out = 0
        self._digest = 0

    def __len__(self) -> int:
        return len(self._offers)

    @property
    def held(self) -> Held:
        """What an index has that knows all of this."""
        return Held(len(self._offers), self._digest)

    # --- changes --------------------------------------------------------------------------------------------------

    def publish(self, records: Iterable[Record]) -> None:
        """Offer what may be told of these records, and no more what they replace."""
        for record in records:
            key = key_of(record)
            if record.visibility is Visibility.PUBLIC:
                self._unclaim(key.locator, key.slot)
                self._put(key, encode(record), record.issued, claim=False)
                continue
            self._remove(key)
            if record.visibility is Visibility.LINK:
                self._claim(key.locator, key.slot)
            else:
                self._unclaim(key.locator, key.slot)

    def withdraw(self, records: Iterable[Record]) -> None:
        """Offer these no more."""
        for record in records:
            key = key_of(record)
            self._remove(key)
            self._unclaim(key.locator, key.slot)

    def set_fetching(self, contents: Iterable[bytes]) -> None:
        """Claim what is being downloaded and served as far as it is there, and no more what was."""
        wanted = set(map(locator_of, contents))
        for locator in [each for each, reasons in self._reasons.items() if _FETCHING in reasons and each not in wanted]:
            self._unclaim(locator, _FETCHING)
        for locator in sorted(wanted):
            self._claim(locator, _FETCHING)

    # --- for indexes ----------------------------------------------------------------------------------------------

    def since(self, cursor: int) -> list[Offer]:
        """Return what was offered after a change, in order."""
        newer = list(takewhile(lambda offer: offer.number > cursor, reversed(self._offers.values())))
        return newer[::-1]

    def removed_since(self, cursor: int) -> list[Key]:
        """Return what was taken back after a change."""
        return [key for key, number in self._removed.items() if number > cursor]

    # --- inside ---------------------------------------------------------------------------------------------------

    def _claim(self, locator: bytes, reason: int) -> None:
        reasons = self._reasons.setdefault(locator, set())
        if not reasons:
            body, issued = self._make_claim(locator)
            self._put(claim_key(self._owner, locator), body, issued, claim=True)
        reasons.add(reason)

    def _unclaim(self, locator: bytes, reason: int) -> None:
        reasons = self._reasons.get(locator, set())
        reasons.discard(reason)
        if not reasons and self._reasons.pop(locator, None) is not None:
            self._remove(claim_key(self._owner, locator))

    def _put(self, key: Key, body: bytes, issued: int, *, claim: bool) -> None:
        known = self._offers.get(key)
        if known is not None and known.body == body:
            return
        if known is None and len(self._offers) >= self._maximum:
            self.left_out += 1
            return
        if known is not None:
            del self._offers[key]
            self._digest ^= known.mark
        self.number += 1
        mark = fingerprint(key, issued)
        self._removed.pop(key, None)
        self._offers[key] = Offer(self.number, body, mark, claim)
        self._digest ^= mark

    def _remove(self, key: Key) -> None:
        known = self._offers.pop(key, None)
        if known is None:
            return
        self._digest ^= known.mark
        self.number += 1
        self._removed[key] = self.number
        if len(self._removed) > INDEX_REMOVALS:
            self.floor = self._removed.pop(next(iter(self._removed)))


_FETCHING = -1  # no slot
