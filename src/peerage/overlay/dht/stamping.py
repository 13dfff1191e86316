"""The stamps of what this node publishes: the usual ones at once, better ones, for who wants them, in the background.

Invariant: stamps are made off the event loop and kept as long as the content is published. A better one is looked for
only when at least half of the keepers of a posting want it, and it costs no more than the dearest that this node itself
would ask for; each one found is better than the one before. So nobody can make a node work for more than that on one
content. One search runs at a time, none while there is nothing to look for, and it rests most of the time. When a
posting may be stored again is up to book.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from peerage.catalogue.record import Record
from peerage.errors import LimitError
from peerage.overlay.dht.book import Listing, PublicationBook, bits_wanted
from peerage.overlay.dht.messages import Outcome
from peerage.overlay.dht.node import DhtNode
from peerage.overlay.stamps import find_stamp, stamp_bits, stamp_subject

_TRIES_AT_ONCE: Final = 4096  # hashes for a stamp in one go: a few milliseconds
_REST: Final = 0.01  # seconds between two goes for a better stamp: a fifth of one core, and others come first


class _Wish:
    """A better stamp that is wanted for one content; the numbers below `begin` are none."""

    __slots__ = ("begin", "bits", "listings", "subject")

    def __init__(self, subject: bytes, begin: int) -> None:
        self.subject = subject
        self.begin = begin
        self.bits = 0
        self.listings: set[Listing] = set()  # that wait for it


class Stamping:
    """The stamps of one node; `when_better` is called when listings can be stored that could not."""

    def __init__(self, node: DhtNode, book: PublicationBook, when_better: Callable[[], None]) -> None:
        self.task: asyncio.Task[None] | None = None  # looks for better stamps
        self._node = node
        self._book = book
        self._when_better = when_better
        self._stamps: dict[bytes, int] = {}  # by content, and so are the wishes; the book bounds both
        self._wishes: dict[bytes, _Wish] = {}

    async def stamp(self, record: Record) -> int:
        """Return the best stamp of a record that there is, at least the usual one."""
        known = self._stamps.get(record.content)
        if known is None:
            known = self._stamps[record.content] = await self._find_usual(_subject_of(record))
        return known

    def forget(self, content: bytes) -> None:
        """A content is published no more."""
        self._stamps.pop(content, None)
        self._wishes.pop(content, None)

    def close(self) -> None:
        """Look for nothing any more."""
        if self.task is not None:
            self.task.cancel()

    def weigh(self, listing: Listing, sent: int, outcomes: Sequence[Outcome]) -> None:
        """Take note of what the keepers of a posting said of the stamp that it was sent with."""
        record = listing.item
        stamp = self._stamps.get(listing.id.content)
        if not isinstance(record, Record) or stamp is None:  # withdrawn meanwhile
            return
        wanted = 0 if listing.leaving else bits_wanted(outcomes)
        if wanted > self._node.rules.dearest_bits:
            self._count("too-dear")
            wanted = 0
        subject = _subject_of(record)
        if wanted <= stamp_bits(subject, sent):  # it was enough, or they lie
            self._give_up(listing)
        elif wanted <= stamp_bits(subject, stamp):  # a better one was found while this one was under way
            self._book.hurry(listing, self._node.now())
        else:
            self._wish(listing, wanted, _Wish(subject, stamp))

    # --- better ones ------------------------------------------------------------------------------------------------

    def _wish(self, listing: Listing, bits: int, new: _Wish) -> None:
        wish = self._wishes.setdefault(listing.id.content, new)
        wish.bits = max(wish.bits, bits)
        wish.listings.add(listing)
        if self.task is not None and not self.task.done():
            return
        try:
            self.task = self._node.peer.spawn(self._work(), "dht-stamping")
        except LimitError:
            self._count("refused")

    def _give_up(self, listing: Listing) -> None:
        """A listing needs no better stamp any more."""
        wish = self._wishes.get(listing.id.content)
        if wish is not None:
            wish.listings.discard(listing)
            if not wish.listings:
                del self._wishes[listing.id.content]

    async def _work(self) -> None:
        while self._wishes:
            content, wish = next(iter(self._wishes.items()))
            found = await self._find(content, wish)
            if found is None or self._wishes.get(content) is not wish:
                continue
            del self._wishes[content]
            self._stamps[content] = found
            for listing in wish.listings:
                self._book.hurry(listing, self._node.now())
            self._count("better")
        self._when_better()

    async def _find(self, content: bytes, wish: _Wish) -> int | None:
        """Look for a stamp as long as it is wished for; the wish may rise meanwhile."""
        while self._wishes.get(content) is wish:
            found = await self._try(wish.subject, wish.bits, wish.begin)
            if found is None:
                wish.begin += _TRIES_AT_ONCE
            elif stamp_bits(wish.subject, found) >= wish.bits:
                return found
            await asyncio.sleep(_REST)
        return None

    # --- searching --------------------------------------------------------------------------------------------------

    async def _find_usual(self, subject: bytes) -> int:
        begin = 0
        while (found := await self._try(subject, self._node.rules.stamp_bits, begin)) is None:
            begin += _TRIES_AT_ONCE
        return found

    async def _try(self, subject: bytes, bits: int, begin: int) -> int | None:
        return await self._node.peer.in_thread(find_stamp, subject, bits, range(begin, begin + _TRIES_AT_ONCE))

    def _count(self, reason: str) -> None:
        self._node.peer.metrics.count("dht_stamps", reason)


def _subject_of(record: Record) -> bytes:
    return stamp_subject(record.holder, record.content)
