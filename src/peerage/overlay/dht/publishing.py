"""Stores what this node publishes with the peers of its region, and renews it: one sweep over all that is due.

Keys are grouped by region, a region is explored once, and all that goes to one peer goes in one message; so the cost
follows the number of regions, not of records (the "sweep" of go-libp2p-kad-dht). Invariant: one sweep runs at a time;
nothing is signed before it is sent; a sweep waits for no stamp but the usual one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from peerage.catalogue.record import Record, encode
from peerage.errors import LimitError, PeerageError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.dht.book import Listing, PublicationBook
from peerage.overlay.dht.contacts import BITS, SPACE, Contact
from peerage.overlay.dht.limits import DHT_POSTING_BYTES
from peerage.overlay.dht.messages import Drop, Outcome, Put, Store
from peerage.overlay.dht.node import DhtNode, Errand
from peerage.overlay.dht.parcels import Consignment, Item, Parcel
from peerage.overlay.dht.records import Posting, Provider, Whereabouts
from peerage.overlay.dht.stamping import Stamping
from peerage.overlay.dht.store import Publisher
from peerage.overlay.reach import told_addresses

_GROUP: Final = 256  # listings stored together
_FEW: Final = 2  # keys that are walked to one by one; with more of them their region is explored
_ENOUGH: Final = 10  # nearest peers that answer to a walk: all of them together name the others of the region
_QUARTERS: Final = 4
_TRIES: Final = 3  # rounds of offers, each to those who replace who did not answer
_AT_ONCE: Final = 16  # messages on their way


class Publishing:
    """The publications of one node."""

    def __init__(self, node: DhtNode, book: PublicationBook) -> None:
        self._node = node
        self._book = book
        self._stamping = Stamping(node, book, self.sweep_soon)
        self._sweeping: asyncio.Task[None] | None = None
        self._places = asyncio.Semaphore(_AT_ONCE)

    # --- sweeping ---------------------------------------------------------------------------------------------------

    def sweep_soon(self) -> None:
        """Store what is due, if that is not under way and anybody is there to take it."""
        busy = self._sweeping is not None and not self._sweeping.done()
        if busy or not len(self._node.table) or not self._book.is_due(self._node.now()):
            return
        try:
            self._sweeping = self._node.peer.spawn(self._sweep(), "dht-publishing")
        except LimitError:
            self._node.peer.metrics.count("dht_sweeps", "refused")

    async def settle(self) -> None:
        """Wait until nothing that can be stored now is left."""
        self.sweep_soon()
        while busy := [each for each in (self._sweeping, self._stamping.task) if each is not None and not each.done()]:
            await asyncio.wait(busy, return_when=asyncio.FIRST_COMPLETED)
            self.sweep_soon()

    def forget_stamp(self, content: bytes) -> None:
        """A content is published no more."""
        self._stamping.forget(content)

    def close(self) -> None:
        """Store nothing any more, and look for no stamps."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._stamping.close()

    async def _sweep(self) -> None:
        self._node.peer.metrics.count("dht_sweeps")
        while groups := self._book.sweep(self._node.now(), self._node.size.prefix_bits, _GROUP):
            await self._store_groups(groups)

    async def _store_groups(self, groups: list[list[Listing]]) -> None:
        """Store one group after the other; whatever ends this, none of them stays busy."""
        rest = list(reversed(groups))
        try:
            while rest:
                await self.store(rest[-1])
                rest.pop()
        finally:
            for group in rest:
                self._book.failed(group, self._node.now())

    # --- one group --------------------------------------------------------------------------------------------------

    async def store(self, group: Sequence[Listing]) -> list[tuple[Listing, list[Outcome]]]:
        """Store listings that lie in one region; return what the keepers said of each."""
        node = self._node
        pairs = [(listing, await self._item(listing)) for listing in group]
        before = node.size.radius
        explored = await self._explore(group)
        radius = before if before < SPACE - 1 else node.size.radius  # a node's very first walks say how far it reaches
        consignment = Consignment(pairs, radius, node.rules)
        consignment.may_go_to(explored)
        whereabouts = Whereabouts.sign(node.peer.key, self._addresses(), self._expiry())
        for _ in range(_TRIES):
            parcels = consignment.parcels()
            if not parcels:
                break
            async with asyncio.TaskGroup() as tasks:
                for parcel in parcels:
                    tasks.create_task(self._deliver(parcel, parcel.message(whereabouts), consignment))
        results = list(consignment.results())
        for (listing, outcomes), (_, item) in zip(results, pairs, strict=True):
            listing.radius = radius
            self._book.stored(listing, outcomes, node.now())
            if isinstance(item, Posting):
                self._stamping.weigh(listing, item.stamp, outcomes)
            node.peer.metrics.count("dht_published", "stored" if outcomes else "nobody")
        return results

    async def _explore(self, group: Sequence[Listing]) -> list[Contact]:
        """Return the peers of a region, this node among them if it serves."""
        node = self._node
        keys = list(dict.fromkeys(each.number for each in group))
        points = keys if len(keys) <= _FEW else _quarters(keys[0], node.size.prefix_bits)
        pool: dict[PeerId, Contact] = {}
        for point in points:
            seeds = tuple(pool.values())
            errand = Errand(point, node.now() + node.rules.deadline, seeds=seeds, enough=_ENOUGH)
            pool |= await node.cover(errand)
            if len(pool) < node.rules.region_min:
                break  # that is the whole network
        if node.serving:
            pool[node.peer.peer_id] = Contact(node.peer.peer_id, ())
        return list(pool.values())

    async def _deliver(self, parcel: Parcel, message: Store, consignment: Consignment) -> None:
        node = self._node
        if parcel.contact.peer_id == node.peer.peer_id:
            own = Publisher(node.peer.peer_id, "", "")
            outcomes = node.keeper.take(message, own, node.peer.key.public_key, node.peer.clock.time())
            consignment.delivered(parcel, outcomes)
            return
        try:
            async with self._places:
                _, kept = await node.caller.call(parcel.contact, message)
        except PeerageError as error:
            node.did_not_answer(parcel.contact, error)
            consignment.lost(parcel)
        else:
            consignment.delivered(parcel, kept.outcomes)

    # --- what is sent -----------------------------------------------------------------------------------------------

    async def _item(self, listing: Listing) -> Item:
        """Make what is sent of a listing."""
        kind, key, content, _ = listing.id
        item = listing.item
        if listing.leaving:
            return Drop(kind, key, content or None)
        if isinstance(item, Record):
            return Posting(key, self._short(item), await self._stamping.stamp(item))
        if isinstance(item, Put):
            return item
        return Provider.sign(self._node.peer.key, key, self._addresses(), self._expiry())

    def _short(self, record: Record) -> bytes:
        """Return a record as it is posted: one that is too long without its path and tags, signed anew."""
        raw = encode(record)
        if len(raw) <= DHT_POSTING_BYTES:
            return raw
        bare = msgspec.structs.replace(record, path=(), meta=None)
        return encode(msgspec.structs.replace(bare, signature=self._node.peer.key.sign(bare.signed_bytes())))

    def _addresses(self) -> tuple[Address, ...]:
        return told_addresses(self._node.peer.addresses)

    def _expiry(self) -> int:
        return int(self._node.peer.clock.time() + self._node.rules.life)


def _quarters(key: int, prefix_bits: int) -> list[int]:
    """Return points spread over the region of a key."""
    loose = BITS - prefix_bits
    base = key >> loose << loose
    step = 1 << (loose - 2)
    return [base + step * quarter + step // 2 for quarter in range(_QUARTERS)]
