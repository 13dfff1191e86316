"""Which indexes this node knows, which of them it uses, and what each was good for.

Invariant: never more than `maximum`; those that the user named never give way. What others say of an index only makes
it a candidate: it is passed on after it has proved itself here. One that leaves out what it has is used last. Pure:
time is an argument (seconds of the event loop).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from blake3 import blake3

from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.limits import INDEX_RETRY, INDEX_RETRY_MAX, INDEXES_TOLD, MAX_ADDRESSES
from peerage.overlay.index.messages import IndexAt

_SUSPECT_SHARE: Final = 0.05  # of what it should have told; clocks and full tables explain less
_SUSPECT_LEAST: Final = 3  # omissions in all: one may be bad luck


class IndexView(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one index, for people."""

    peer_id: PeerId
    addresses: tuple[Address, ...]
    configured: bool  # named by the user
    proved: bool  # it has answered, or has said so itself
    registered: bool  # it has all that this node shares
    asked: int
    failed: int  # questions that it did not answer
    refused: int  # answers that were forged, stale or off the question
    compared: int  # holders of whom it should have told everything, by what other indexes told
    omitted: int  # and those of whom it did not

    @property
    def suspect(self) -> bool:
        """Whether it leaves out what it has."""
        return self.omitted >= _SUSPECT_LEAST and self.omitted > _SUSPECT_SHARE * self.compared


class KnownIndex:
    """One of them."""

    __slots__ = (
        "addresses", "asked", "compared", "configured", "failed", "failures", "omitted", "peer_id", "proved", "rank",
        "refused", "registered", "retry_at",
    )  # fmt: skip

    def __init__(self, peer_id: PeerId, addresses: tuple[Address, ...], rank: bytes, *, configured: bool) -> None:
        self.peer_id = peer_id
        self.addresses = addresses
        self.rank = rank
        self.configured = configured
        self.proved = False
        self.registered = False
        self.failures = 0  # in a row
        self.retry_at = 0.0
        self.asked = self.failed = self.refused = self.compared = self.omitted = 0

    def view(self) -> IndexView:
        """Return a picture of it."""
        return IndexView(
            peer_id=self.peer_id, addresses=self.addresses, configured=self.configured, proved=self.proved,
            registered=self.registered, asked=self.asked, failed=self.failed, refused=self.refused,
            compared=self.compared, omitted=self.omitted,
        )  # fmt: skip

    def preference(self) -> tuple[bool, bool, bool, bytes]:
        """Order them: honest before suspect, named before found, proved before hearsay, the rest by chance."""
        return (self.view().suspect, not self.configured, not self.proved, self.rank)


class KnownIndexes:
    """All of them; `own_id` makes each node prefer others, so that the load is shared."""

    def __init__(self, own_id: PeerId, maximum: int, configured: Iterable[IndexAt] = ()) -> None:
        self._own_id = own_id
        self._maximum = maximum
        self._indexes: dict[PeerId, KnownIndex] = {}
        for each in configured:
            self._add(each, configured=True)

    def __len__(self) -> int:
        return len(self._indexes)

    def get(self, peer_id: PeerId) -> KnownIndex | None:
        """Return what is known of one."""
        return self._indexes.get(peer_id)

    def name(self, configured: Iterable[IndexAt]) -> None:
        """Take these as named by the user, and forget those that were and are not any more."""
        named = {each.peer_id: each for each in configured}
        for known in list(self._indexes.values()):
            if known.configured and known.peer_id not in named:
                del self._indexes[known.peer_id]
        for each in named.values():
            before = self._indexes.get(each.peer_id)
            if before is None:
                self._add(each, configured=True)
            else:
                before.configured, before.retry_at = True, 0.0
                before.addresses = tuple(dict.fromkeys((*each.addresses, *before.addresses)))[:MAX_ADDRESSES]

    def hear(self, told: IndexAt, *, proved: bool) -> bool:
        """Take note of an index, `proved` when it said so itself; returns whether that is news."""
        known = self._indexes.get(told.peer_id)
        if known is None:
            if not (told.addresses or proved) or told.peer_id == self._own_id or not self._make_room():
                return False
            known = self._add(told, configured=False)
            known.proved = proved
            return True
        if proved or not known.proved:
            known.addresses = tuple(dict.fromkeys((*told.addresses, *known.addresses)))[:MAX_ADDRESSES]
        news = proved and not known.proved
        known.proved = known.proved or proved
        return news

    def usable(self, now: float) -> list[KnownIndex]:
        """Return those that may be used now, the preferred ones first."""
        ready = (each for each in self._indexes.values() if each.retry_at <= now)
        return sorted(ready, key=KnownIndex.preference)

    def worked(self, peer_id: PeerId) -> bool:
        """It did what it was asked; returns whether that proves it for the first time."""
        known = self._indexes.get(peer_id)
        if known is None:
            return False
        first, known.proved = not known.proved, True
        known.failures, known.retry_at = 0, 0.0
        return first

    def did_not_work(self, peer_id: PeerId, now: float) -> None:
        """It could not be reached or did not answer: it is left in peace for a while."""
        known = self._indexes.get(peer_id)
        if known is None:
            return
        known.failed += 1
        known.failures += 1
        known.registered = False
        known.retry_at = now + min(INDEX_RETRY * 2.0 ** (known.failures - 1), INDEX_RETRY_MAX)

    def compared(self, peer_id: PeerId, compared: int, omitted: int) -> None:
        """Other indexes told of holders that this one should have told of, too."""
        known = self._indexes.get(peer_id)
        if known is not None:
            known.compared += compared
            known.omitted += omitted

    def to_tell(self) -> tuple[IndexAt, ...]:
        """Return the ones to pass on."""
        good = [each for each in self._indexes.values() if each.proved and each.addresses and not each.failures]
        good.sort(key=KnownIndex.preference)
        return tuple(IndexAt(each.peer_id, each.addresses) for each in good[:INDEXES_TOLD])

    def registered(self) -> tuple[PeerId, ...]:
        """Return those that have all that this node shares."""
        return tuple(sorted(each.peer_id for each in self._indexes.values() if each.registered))

    def views(self) -> tuple[IndexView, ...]:
        """Return a picture of each, the preferred ones first."""
        return tuple(each.view() for each in sorted(self._indexes.values(), key=KnownIndex.preference))

    def _add(self, told: IndexAt, *, configured: bool) -> KnownIndex:
        rank = blake3(self._own_id + told.peer_id).digest(8)
        made = KnownIndex(told.peer_id, told.addresses, rank, configured=configured)
        self._indexes[told.peer_id] = made
        return made

    def _make_room(self) -> bool:
        """Let the least useful one go if there is no room: one that fails, or that is only hearsay."""
        if len(self._indexes) < self._maximum:
            return True
        spare = [each for each in self._indexes.values() if not each.configured and (each.failures or not each.proved)]
        if not spare:
            return False
        worst = max(spare, key=lambda each: (each.failures, each.preference()))
        del self._indexes[worst.peer_id]
        return True
