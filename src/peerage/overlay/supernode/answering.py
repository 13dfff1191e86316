"""What a node answers to supernodes and leaves: from its own public shelf, and from the records of all its leaves.

Invariant: nothing that only friends may see is told here. A record of a leaf came over the link of its holder; its
signature is checked when it is first given out, not before, and a leaf that forged is reported. Leaves whose link is
lost are silent. The keyword table says yes to all of this.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from blake3 import blake3

from peerage.catalogue.query import Query
from peerage.catalogue.record import Record, decode
from peerage.catalogue.record import encode as encode_record
from peerage.catalogue.record_index import RecordIndex
from peerage.errors import ForgedError
from peerage.identity.keys import PeerId
from peerage.limits import ANSWER_RECORDS, LEAF_VERIFIED
from peerage.overlay.flood.answering import Holding, Offer, ShelfAnswerer
from peerage.overlay.flood.messages import cut_into_messages
from peerage.overlay.keywords import KeywordTable, Need, merged, need_of_locator
from peerage.overlay.supernode.leaves import LeafBook
from peerage.overlay.supernode.messages import HolderOf, RecordsOf


class PublicShelf(ShelfAnswerer):
    """The node's own shelf, as strangers see it, whoever asks."""

    def knows_more(self, asker: PeerId) -> bool:  # noqa: ARG002 -- an Answerer
        """There is nothing special for anybody."""
        return False

    def _is_friend(self, peer_id: PeerId) -> bool:  # noqa: ARG002 -- as above
        return False


class SupernodeAnswerer:
    """Answers for this node, and for its leaves while it has some (`serve`)."""

    def __init__(self, own: PublicShelf) -> None:
        self._own = own
        self._book: LeafBook | None = None
        self._index: RecordIndex | None = None
        self._verified: OrderedDict[bytes, None] = OrderedDict()
        self.on_forged: Callable[[PeerId], None] = lambda _leaf: None

    def serve(self, book: LeafBook | None, index: RecordIndex | None) -> None:
        """Answer for these leaves from now on; None: for no leaves any more."""
        self._book, self._index = book, index
        self._verified.clear()

    # --- flood.answering.Answerer -------------------------------------------------------------------------------------

    @property
    def table(self) -> KeywordTable | None:
        """Return the table of what can be found here."""
        own = self._own.table
        if own is None or self._book is None or not len(self._book):
            return own
        return merged((own, self._book.table()))

    def knows_more(self, asker: PeerId) -> bool:
        """There is nothing special for anybody."""
        return self._own.knows_more(asker)

    def may_find(self, need: Need, asker: PeerId) -> bool:
        """Look at the tables."""
        return self._own.may_find(need, asker) or self._leaves_may(need)

    def may_hold(self, locator: bytes) -> bool:
        """Look at the locators."""
        return self._own.may_hold(locator) or self._leaves_may(need_of_locator(locator))

    async def find(self, query: Query, limit: int, asker: PeerId) -> Sequence[Offer]:
        """Search the shelf, then the records of the leaves."""
        offers = list(await self._own.find(query, limit, asker))
        limit -= sum(len(offer.records) for offer in offers)
        of_leaves = await self.find_of_leaves(query, limit)
        return offers + [Offer(each.addresses, [decode(raw) for raw in each.records]) for each in of_leaves]

    async def holders(self, locator: bytes, asker: PeerId) -> Sequence[Holding]:
        """Say who of them has a content."""
        told = await self.holders_of_leaves(locator)
        return [*await self._own.holders(locator, asker), *(Holding(each.peer_id, each.addresses) for each in told)]

    async def refresh(self) -> None:
        """Bring the own table up to date; that of the leaves always is."""
        await self._own.refresh()

    # --- for leaves ---------------------------------------------------------------------------------------------------

    async def find_here(self, query: Query, limit: int, asker: PeerId) -> list[RecordsOf]:
        """Return what is found on this node and its leaves, as it travels."""
        own = await self._own.find(query, limit, asker)
        found = [
            RecordsOf(0, offer.addresses, group)
            for offer in own
            for group in cut_into_messages(map(encode_record, offer.records))
        ]
        limit -= sum(len(each.records) for each in found)
        return found + await self.find_of_leaves(query, limit)

    async def holders_here(self, locator: bytes, asker: PeerId) -> list[HolderOf]:
        """Return who of this node and its leaves has a content."""
        return [HolderOf(0, each.addresses, each.peer_id) for each in await self.holders(locator, asker)]

    async def find_of_leaves(self, query: Query, limit: int) -> list[RecordsOf]:
        """Return at most `limit` records of leaves that are there, each checked."""
        if self._index is None or limit < 1:
            return []
        groups: dict[PeerId, list[bytes]] = {}
        for each in await self._index.search(query, limit):
            holder = each.tenant.peer_id
            if self._is_there(holder) and self._is_true(each.body, holder):
                groups.setdefault(holder, []).append(each.body)
        return [
            RecordsOf(0, leaf.addresses, group)
            for holder, bodies in groups.items()
            if self._book is not None and (leaf := self._book.get(holder)) is not None
            for group in cut_into_messages(bodies)
        ]

    async def holders_of_leaves(self, locator: bytes, limit: int = ANSWER_RECORDS) -> list[HolderOf]:
        """Return leaves that are there and have a content."""
        if self._index is None:
            return []
        found = await self._index.holders(locator, limit)
        return [
            HolderOf(0, leaf.addresses, leaf.peer_id)
            for each in found
            if self._book is not None and (leaf := self._book.get(each.tenant.peer_id)) is not None
        ]

    # --- inside -------------------------------------------------------------------------------------------------------

    def _leaves_may(self, need: Need) -> bool:
        return self._book is not None and self._book.table().may_match(need)

    def _is_there(self, leaf: PeerId) -> bool:
        return self._book is not None and self._book.get(leaf) is not None

    def _is_true(self, body: bytes, leaf: PeerId) -> bool:
        key = blake3(body).digest(16)
        if key in self._verified:
            return True
        try:
            _verified(body)
        except ForgedError:
            self.on_forged(leaf)
            return False
        self._verified[key] = None
        if len(self._verified) > LEAF_VERIFIED:
            self._verified.popitem(last=False)
        return True


def _verified(body: bytes) -> Record:
    record = decode(body)
    record.verify()
    return record
