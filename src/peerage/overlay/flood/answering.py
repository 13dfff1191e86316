"""What a node answers to questions: from its own shelf here, from the shelves of its leaves in overlay/supernode.

Invariant: what is told needs no further look at who may know it: link-only records are never told, friends' records
only to a neighbour that is a friend. A keyword table holds words of public records only, and locators of what a
stranger with the content's id would be told of; that there is more for a friend is said by `knows_more`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from peerage.catalogue.query import Query
from peerage.catalogue.record import Record, Visibility
from peerage.catalogue.record_finder import Audience
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.keywords import KeywordBag, KeywordTable, Need, number_of_locator, numbers_of
from peerage.overlay.locators import LocatorTable, locator_of
from peerage.overlay.reach import told_addresses
from peerage.overlay.shelf import ListedShelf, Shelf
from peerage.peer.peer import Peer

_STALE_SHARE = 8  # one in so many withdrawn: the table is made anew


class Offer(msgspec.Struct, frozen=True):
    """Records of one holder, and where it can be reached."""

    addresses: tuple[Address, ...]
    records: Sequence[Record]


class Holding(msgspec.Struct, frozen=True):
    """A holder of the content that was asked for; `private`: only for whom it is told."""

    peer_id: PeerId
    addresses: tuple[Address, ...]
    private: bool = False


class Answerer(Protocol):
    """What answers a question. `asker` is the neighbour that it came from; methods raise StoreError."""

    @property
    def table(self) -> KeywordTable | None:
        """What neighbours are told of what can be answered; None: nothing, so that they ask in any case."""

    def knows_more(self, asker: PeerId) -> bool:
        """Whether there is something for this neighbour that is not in the table."""

    def may_find(self, need: Need, asker: PeerId) -> bool:
        """Whether it is worth the while to look for such records."""

    def may_hold(self, locator: bytes) -> bool:
        """Whether it is worth the while to look for such a content."""

    async def find(self, query: Query, limit: int, asker: PeerId) -> Sequence[Offer]:
        """Return at most `limit` records that answer."""

    async def holders(self, locator: bytes, asker: PeerId) -> Sequence[Holding]:
        """Return who has the content of a locator."""

    async def refresh(self) -> None:
        """Bring the table up to date; called before it is told, at most once a minute."""


class ShelfAnswerer:
    """Answers from the node's own shelf, of which `add` and `remove` tell; `peer` is set when the overlay starts.

    There is a table only when the shelf can be listed (shelf.ListedShelf).
    """

    peer: Peer

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._listed = shelf if isinstance(shelf, ListedShelf) else None
        self._locators = LocatorTable()
        self._contents = _Contents()
        self._next: _Contents | None = None  # while the table is made anew
        self._withdrawn = 0

    # --- what there is ------------------------------------------------------------------------------------------------

    def add(self, records: Sequence[Record]) -> None:
        """These records are on the shelf by now."""
        self._locators.add(record.content for record in records)
        for contents in (self._contents, self._next):
            if contents is not None:
                contents.add(records)

    def remove(self, count: int) -> None:
        """So many are no more; what tables say of them is forgotten when it is worth the while."""
        self._withdrawn += count

    async def refresh(self) -> None:
        """List the shelf again when many records have gone; note what is being fetched."""
        if self._listed is not None and self._withdrawn * _STALE_SHARE > self._contents.records:
            self._withdrawn, self._next = 0, _Contents()
            try:
                async for page in self._listed.own():
                    self._next.add(page)
                self._contents = self._next
            finally:
                self._next = None
        self._contents.bag.add(number_of_locator(locator_of(each)) for each in self._shelf.fetching())

    @property
    def table(self) -> KeywordTable | None:
        """Return the table of what strangers can find."""
        return None if self._listed is None else self._contents.bag.table()

    def knows_more(self, asker: PeerId) -> bool:
        """Whether the asker is a friend, and there is something for friends."""
        return self._contents.private and self._is_friend(asker)

    # --- answers ------------------------------------------------------------------------------------------------------

    def may_find(self, need: Need, asker: PeerId) -> bool:
        """Look at the table."""
        table = self.table
        return table is None or table.may_match(need) or self.knows_more(asker)

    def may_hold(self, locator: bytes) -> bool:
        """Look at the locators."""
        return self._content_of(locator) is not None

    async def find(self, query: Query, limit: int, asker: PeerId) -> Sequence[Offer]:
        """Search the shelf."""
        audience = Audience.FRIEND if self._is_friend(asker) else Audience.ANYONE
        records = await self._shelf.find(query, limit, audience)
        return (Offer(self._addresses(), records),) if records else ()

    async def holders(self, locator: bytes, asker: PeerId) -> Sequence[Holding]:
        """Say that this node has the content, if the asker may know."""
        content_id = self._content_of(locator)
        if content_id is None:
            return ()
        visibility = await self._shelf.visibility(content_id)
        if visibility is None:
            self._locators.remove(content_id)
            return ()
        private = visibility is Visibility.FRIENDS
        if private and not self._is_friend(asker):
            return ()
        return (Holding(self.peer.peer_id, self._addresses(), private),)

    def _content_of(self, locator: bytes) -> bytes | None:
        return self._locators.find(locator, self._shelf.fetching())

    def _addresses(self) -> tuple[Address, ...]:
        return told_addresses(self.peer.addresses)

    def _is_friend(self, peer_id: PeerId) -> bool:
        known = self.peer.table.get(peer_id)
        return known is not None and known.friend


class _Contents:
    """What the records so far would have a table say."""

    def __init__(self) -> None:
        self.bag = KeywordBag()
        self.records = 0
        self.private = False  # whether there are some for friends only

    def add(self, records: Iterable[Record]) -> None:
        for record in records:
            self.records += 1
            if record.visibility is Visibility.FRIENDS:
                self.private = True
                continue
            self.bag.add((number_of_locator(locator_of(record.content)),))
            if record.visibility is Visibility.PUBLIC:
                self.bag.add(numbers_of(record))
