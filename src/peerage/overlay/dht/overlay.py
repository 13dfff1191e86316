"""Kademlia: a distributed hash table that finds providers of contents, rare words, and signed values.

This is the shell: it answers messages, and ties publishing, finding and upkeep to one node of the table. Invariant: a
node stores only what it may (keeping.py), tells only contacts that it has reached itself, and counts as part of the
table only while `reachable` says True; until then it asks, and is told, but keeps nothing. Friends' records are never
told to the table, records shared by link only under the locator of their content, which nobody can fetch by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from peerage.catalogue.query import Query
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import FIELD_GAP, Record, Visibility
from peerage.errors import LimitError, PeerageError, QueryError, RefusedError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.base import Hit, Holder, LocateRequest, Overlay, Search, SearchRequest
from peerage.overlay.dht.book import ListingId, PublicationBook
from peerage.overlay.dht.contacts import number_of, place_of
from peerage.overlay.dht.finding import Finding
from peerage.overlay.dht.messages import Fetch, Found, Kept, Kind, Look, Put, Seen, Store, Verdict
from peerage.overlay.dht.node import DhtNode
from peerage.overlay.dht.publishing import Publishing
from peerage.overlay.dht.records import Value, key_of_word
from peerage.overlay.dht.rules import DEFAULT_RULES, DhtRules
from peerage.overlay.dht.store import Publisher
from peerage.overlay.dht.upkeep import Upkeep
from peerage.overlay.dht.words import Rarity, RarityOf, words_to_post
from peerage.overlay.expiring import ExpiringTable
from peerage.overlay.locators import locator_of
from peerage.overlay.shelf import Shelf
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.peer.limiter import TokenBucket
from peerage.peer.stabilizers import Stabilizer
from peerage.wire.message import ErrorCode, Message

_RATED_LINKS = 1024  # peers whose rates are remembered
_RATED_SECONDS = 600.0


class DhtOverlay(Overlay):
    """One node of the table; `reachable` says whether it may serve, None means not known yet."""

    name = "dht"

    def __init__(
        self,
        shelf: Shelf,
        *,
        reachable: Callable[[], bool | None],
        rules: DhtRules = DEFAULT_RULES,
        rarity: RarityOf | None = None,
    ) -> None:
        self.rules = rules
        self._shelf = shelf
        self._reachable = reachable
        self._counted = Rarity()
        self._rarity = rarity or self._counted
        self._book = PublicationBook(rules)
        self._fetching: set[bytes] = set()  # contents in part that are listed; as bounded as the downloads
        self._node: DhtNode
        self._upkeep: Upkeep
        self._publishing: Publishing
        self._finding: Finding
        self._rates: ExpiringTable[tuple[PeerId, bool], TokenBucket]

    # --- the overlay ------------------------------------------------------------------------------------------------

    async def publish(self, records: Sequence[Record]) -> None:
        """List these records; they are stored in the background."""
        for record in records:
            self._list(record)
        self._publishing.sweep_soon()

    async def withdraw(self, records: Sequence[Record]) -> None:
        """Have these records dropped, in the background; what cannot be reached forgets them within a day."""
        now = self._node.now()
        for record in records:
            self._counted.forget(_words_of(record))
            for word in dict.fromkeys(_words_of(record)):
                self._book.unlist(_posting_id(record, word), now)
            if await self._shelf.visibility(record.content) is None:
                self._book.unlist(_provider_id(record.content), now)
                self._publishing.forget_stamp(record.content)
        self._publishing.sweep_soon()

    def search(self, request: SearchRequest) -> Search[Hit]:
        """Look up the rarest words of a query; one of prefixes and filters only finds nothing."""
        return self._finding.search(request)

    def locate(self, request: LocateRequest) -> Search[Holder]:
        """Look up the providers of a content."""
        return self._finding.locate(request)

    # --- values -----------------------------------------------------------------------------------------------------

    async def put_value(
        self, value: bytes, *, seq: int | None = None, salt: bytes = b"", cas: int | None = None
    ) -> dict[Verdict, int]:
        """Store this node's value of at most 1000 bytes under `salt`; return how many peers said what.

        `seq` must rise with each change; None takes the time of day in milliseconds. With `cas`, only where the value
        kept has that number. It is renewed until the next one is put. Raises LocalError when it is too large.
        """
        number = int(1000 * self.peer.clock.time()) if seq is None else seq
        made = Value.sign(self.peer.key, value, number, salt)
        listing = self._book.take(ListingId(Kind.VALUE, made.key), Put(made, cas), self._node.now())
        [(_, outcomes)] = await self._publishing.store([listing])
        self._book.replace(listing, Put(made))
        said: dict[Verdict, int] = {}
        for each in outcomes:
            said[each.verdict] = said.get(each.verdict, 0) + 1
        return said

    async def get_value(self, public_key: bytes, salt: bytes = b"") -> Value | None:
        """Return the newest value that the owner of a key has stored under `salt`; None when there is none."""
        return await self._finding.value(public_key, salt)

    # --- joining ----------------------------------------------------------------------------------------------------

    async def bootstrap(self, addresses: Sequence[Address] = ()) -> int:
        """Connect to these addresses, and join by whom is known; returns how many contacts there are.

        Neighbours and the peers in the peer table are asked anyway. An address that does not answer does not matter.
        """
        for address in addresses:
            try:
                await self.peer.connect(address)
            except PeerageError:
                self.peer.metrics.count("dht_bootstrap_failed")
        return await self._upkeep.join()

    async def settle(self) -> None:
        """Wait until this node has joined, and has stored what it can store now."""
        await self._upkeep.settle()
        await self._publishing.settle()

    @property
    def contacts(self) -> int:
        """How many peers are in the routing table."""
        return len(self._node.table)

    def knows(self, peer_id: PeerId) -> bool:
        """Whether a peer is in the routing table."""
        return peer_id in self._node.table

    @property
    def network_size(self) -> int:
        """About how many peers take part; 1 when nothing is known."""
        return self._node.size.peers

    @property
    def stored(self) -> int:
        """How many entries this node keeps for others."""
        return len(self._node.keeper.shelves)

    @property
    def listed(self) -> int:
        """How many entries this node has others keep."""
        return len(self._book)

    # --- the service ------------------------------------------------------------------------------------------------

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Answer questions, and keep things; both at once."""
        return ((Look, self._on_look), (Store, self._on_store))

    def stabilizers(self) -> Iterable[Stabilizer]:
        """One for everything."""
        return (Stabilizer(self._round, self.rules.upkeep, jitter=0.5),)

    async def start(self) -> None:
        """Begin with nobody known; join when a link comes up, or at once if one is."""
        self._node = DhtNode(self.peer, self.rules, self._reachable)
        self._upkeep = Upkeep(self._node)
        self._publishing = Publishing(self._node, self._book)
        self._finding = Finding(self._node, self._rarity)
        self._rates = ExpiringTable(_RATED_LINKS, _RATED_SECONDS)
        self._node.on_contact = self._contact_came
        if self.peer.neighbours():
            self._upkeep.join_soon()

    async def stop(self) -> None:
        """Hold no links, reach for nobody."""
        self._upkeep.close()
        self._publishing.close()
        await self._node.close()

    def peer_connected(self, connection: PeerConnection) -> None:
        """A link came up."""
        self._upkeep.linked(connection)

    async def _round(self) -> None:
        await self._upkeep.round()
        self._book.grown(self._node.size.radius, self._node.now())
        await self._list_fetching()
        self._publishing.sweep_soon()

    def _contact_came(self) -> None:
        """Store what waits for somebody to store it with, but not while this node is only just finding its place."""
        if self._upkeep.joined:
            self._publishing.sweep_soon()

    # --- what is published ------------------------------------------------------------------------------------------

    def _list(self, record: Record) -> None:
        if record.visibility is Visibility.FRIENDS:
            return
        known = _provider_id(record.content) in self._book
        self._list_one(_provider_id(record.content), record.content)
        if record.visibility is not Visibility.PUBLIC:
            return
        if not known:  # each start publishes everything again
            self._counted.learn(_words_of(record))
        for word in words_to_post(record, self._rarity, self.rules.words):
            self._list_one(_posting_id(record, word), record)

    def _list_one(self, listing_id: ListingId, item: Record | bytes) -> None:
        if not self._book.enter(listing_id, item, self._node.now()):
            self.peer.metrics.count("dht_listings_refused")

    async def _list_fetching(self) -> None:
        """List this node as a provider of what it has in part, and no more of what it gave up."""
        fetching = set(self._shelf.fetching())
        for content in fetching - self._fetching:
            self._list_one(_provider_id(content), content)
        for content in self._fetching - fetching:
            if await self._shelf.visibility(content) is None:
                self._book.unlist(_provider_id(content), self._node.now())
        self._fetching = fetching

    # --- questions of others ----------------------------------------------------------------------------------------

    def _on_look(self, connection: PeerConnection, message: Look) -> Seen:
        self._charge(connection, 1, storing=False)
        node = self._node
        if message.serving:
            node.met(connection)
        near = connection.remote.is_loopback
        contacts = node.table.closest(number_of(message.target), self.rules.bucket, connection.peer_id)
        if node.table.here and not near:
            contacts = [each for each in contacts if not place_of(each.addresses[0].host).loopback]
        found = self._find(message.fetch, near=near) if message.fetch is not None else None
        return Seen(node.serving, tuple(contacts), found)

    def _find(self, fetch: Fetch, *, near: bool) -> Found | None:
        query: Query | None = None
        if fetch.kind is Kind.POSTINGS:
            try:
                query = parse(fetch.text)
            except QueryError as error:
                raise RefusedError(ErrorCode.BAD_REQUEST, "that query cannot be parsed") from error
        return self._node.keeper.find(fetch, query, self.peer.clock.time(), near=near)

    def _on_store(self, connection: PeerConnection, message: Store) -> Kept:
        node = self._node
        if not node.serving:
            raise RefusedError(ErrorCode.FORBIDDEN, "this node keeps nothing")
        items = len(message.providers) + len(message.postings) + len(message.values) + len(message.drops)
        self._charge(connection, items, storing=True)
        host = connection.remote.host
        sender = Publisher(connection.peer_id, place_of(host).subnet, host)
        outcomes = node.keeper.take(message, sender, connection.public_key, self.peer.clock.time())
        unstamped = sum(each.verdict is Verdict.UNSTAMPED for each in outcomes)
        if unstamped:
            self.peer.metrics.count("dht_unstamped", amount=unstamped)
        return Kept(tuple(outcomes))

    def _charge(self, connection: PeerConnection, amount: int, *, storing: bool) -> None:
        """Take it off what a peer may ask; raises LimitError when that is used up."""
        now = self._node.now()
        link = (connection.peer_id, storing)
        bucket = self._rates.get(link, now)
        if bucket is None:
            rules = self.rules
            rate = rules.store_rate if storing else rules.look_rate
            burst = rules.store_burst if storing else rules.look_burst
            bucket = TokenBucket(rate, burst, now)
            self._rates.put(link, bucket, now)
        if not bucket.take(amount, now):
            self.peer.metrics.count("dht_limited", "store" if storing else "look")
            raise LimitError("DHT_STORE_RATE" if storing else "DHT_LOOK_RATE", "ours", "too many questions; wait")


def _words_of(record: Record) -> list[str]:
    return [word for word in record.words() if word != FIELD_GAP]


def _provider_id(content: bytes) -> ListingId:
    return ListingId(Kind.PROVIDERS, locator_of(content))


def _posting_id(record: Record, word: str) -> ListingId:
    return ListingId(Kind.POSTINGS, key_of_word(word), record.content, record.slot())
