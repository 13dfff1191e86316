"""First generation, Napster: some peers keep an index of what others share, and everybody asks there.

What was wrong with it in 1999 is put right here: any node can serve an index, several are used at once, none of them is
believed, and none of them is missed. Every node registers with several; a search asks several together, goes on to
others when one fails or has not enough, checks each answer (answers.py), and notices who leaves things out
(comparison.py). `IndexRules.classic_1999()` is the network as it was.

    IndexOverlay(shelf, serve=await RecordIndex.open(path), indexes=[IndexAt(peer_id, (address,))])

`serve` is opened and closed by whoever passes it; without it this node only uses the indexes of others. `indexes` are
those that the user named; others announce themselves to their neighbours.
Invariant: only public records are registered, and signed claims to locators of what is shared by link or being fetched;
what only friends may see never leaves this node.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Final

from peerage.catalogue.locator import locator_of
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Record
from peerage.catalogue.record_index import RecordIndex
from peerage.errors import DialError, LimitError, LinkError, StoreError
from peerage.identity.keys import PeerId
from peerage.limits import INDEXES_TOLD, MAX_OWN_SEARCHES
from peerage.overlay.base import FoundT, Hit, Holder, LocateRequest, Overlay, Request, Search, SearchRequest
from peerage.overlay.index.answers import HitReader, HolderReader, Reader, View
from peerage.overlay.index.asking import Inquiry, Question, Surroundings
from peerage.overlay.index.known import IndexView, KnownIndexes
from peerage.overlay.index.ledger import Ledger
from peerage.overlay.index.local import LocalRegistration
from peerage.overlay.index.messages import AskIndex, HolderAnswer, IndexAt, IndexesKnown, SeekInIndex
from peerage.overlay.index.registrar import Registrar
from peerage.overlay.index.rules import IndexRules
from peerage.overlay.index.server import IndexServer
from peerage.overlay.index.signed import make_claim
from peerage.overlay.paces import Paces
from peerage.overlay.reach import reachable, told_addresses
from peerage.overlay.shelf import Shelf
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.peer.stabilizers import Stabilizer
from peerage.wire.message import Message

_NEWS_RATE: Final = 0.1  # announcements a second that one neighbour may bring, and how many at once
_NEWS_BURST: Final = 20.0
_NEWS_REMEMBERED: Final = 1024  # neighbours whose announcements are counted


class IndexOverlay(Overlay):
    """Uses indexes, and serves one if `serve` is given."""

    name = "index"

    def __init__(
        self,
        shelf: Shelf,
        *,
        serve: RecordIndex | None = None,
        indexes: Sequence[IndexAt] = (),
        rules: IndexRules | None = None,
    ) -> None:
        self._shelf = shelf
        self._serve = serve
        self._configured = tuple(indexes)
        self._rules = rules or IndexRules()
        self._inquiries: dict[int, Inquiry[Any]] = {}  # bounded by MAX_OWN_SEARCHES
        self._news = Paces(_NEWS_RATE, _NEWS_BURST, _NEWS_REMEMBERED)
        self._server: IndexServer | None = None
        self._local: LocalRegistration | None = None
        self._known: KnownIndexes
        self._ledger: Ledger
        self._registrar: Registrar

    # --- the overlay ------------------------------------------------------------------------------------------------

    async def publish(self, records: Sequence[Record]) -> None:
        """Have these registered wherever this node is, in the background."""
        self._ledger.publish(records)
        self._changed()

    async def withdraw(self, records: Sequence[Record]) -> None:
        """Have these taken back."""
        self._ledger.withdraw(records)
        self._changed()

    def search(self, request: SearchRequest) -> Search[Hit]:
        """Ask indexes for records."""
        reader = HitReader(parse(request.text), self._view(), checks=self._rules.checks)
        return self._begin(request, AskIndex(request.text, request.wanted), reader)

    def locate(self, request: LocateRequest) -> Search[Holder]:
        """Ask indexes who has the content of a locator."""
        locator = locator_of(request.content_id)
        reader = HolderReader(locator, self._view(), checks=self._rules.checks)
        return self._begin(request, SeekInIndex(locator, request.wanted), reader)

    # --- for people ---------------------------------------------------------------------------------------------------

    @property
    def serves(self) -> bool:
        """Whether this node serves an index."""
        return self._serve is not None

    @property
    def settled(self) -> bool:
        """Whether every index that is used knows all that this node shares."""
        return self._registrar.idle and (self._local is None or self._local.idle)

    def indexes(self) -> tuple[IndexView, ...]:
        """Return what is known of each index, the preferred ones first."""
        return self._known.views()

    def name_indexes(self, named: Sequence[IndexAt]) -> None:
        """Prefer these indexes from now on, instead of those that were named before."""
        self._configured = tuple(named)
        self._known.name(named)
        self._registrar.wake()

    def knows(self, peer_id: PeerId) -> bool:
        """Whether a peer is an index that has shown itself to be one."""
        known = self._known.get(peer_id)
        return known is not None and known.proved

    # --- the service --------------------------------------------------------------------------------------------------

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Return what this node answers: announcements and, if it serves an index, all the rest."""
        yield IndexesKnown, self._on_news
        if self._serve is not None:
            self._server = IndexServer(self._serve, self._rules, self.peer)
            yield from self._server.handlers()

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Return the upkeep."""
        return (Stabilizer(self._upkeep, self._rules.upkeep),)

    async def start(self) -> None:
        """Begin with the indexes that the user named."""
        self._known = KnownIndexes(self.peer.peer_id, self._rules.known, self._configured)
        self._ledger = Ledger(self.peer.peer_id, self._claim)
        self._registrar = Registrar(self.peer, self._known, self._ledger, self._rules)
        self._registrar.connect = self._connect
        self._registrar.on_proved = self._announce
        if self._server is not None:
            self._local = LocalRegistration(self.peer, self._server, self._ledger, self._rules)
        self._registrar.wake()

    async def stop(self) -> None:
        """End the searches and registrations under way, and log out."""
        for inquiry in tuple(self._inquiries.values()):
            inquiry.stop()
        await self._registrar.stop()
        if self._local is not None:
            await self._local.stop()

    def peer_connected(self, connection: PeerConnection) -> None:
        """Tell a new neighbour which indexes there are."""
        self._tell(connection)

    # --- asking -------------------------------------------------------------------------------------------------------

    def _view(self) -> View:
        table = self.peer.table
        return View(self.peer.peer_id, lambda peer_id: (known := table.get(peer_id)) is not None and known.banned)

    def _begin(self, request: Request, question: Question, reader: Reader) -> Search[Any]:
        surroundings = Surroundings(self.peer, self._known, self._rules, self._connect)
        inquiry: Inquiry[Any] = Inquiry(request, question, reader, surroundings)
        return Search(self._ask(inquiry, question), inquiry.cost)

    async def _ask(self, inquiry: Inquiry[FoundT], question: Question) -> AsyncGenerator[FoundT, None]:
        if len(self._inquiries) >= MAX_OWN_SEARCHES:
            raise LimitError("MAX_OWN_SEARCHES", "ours", f"more than {MAX_OWN_SEARCHES} searches at once")
        self._inquiries[id(inquiry)] = inquiry
        try:
            async with aclosing(inquiry.results(await self._ask_own(question))) as results:
                async for found in results:
                    yield found
        finally:
            del self._inquiries[id(inquiry)]

    async def _ask_own(self, question: Question) -> Sequence[HolderAnswer]:
        """Ask the index of this node itself."""
        if self._server is None:
            return ()
        try:
            return await self._server.find(self.peer.peer_id, question)
        except StoreError:
            self.peer.metrics.count("index_questions_failed")
            return ()

    async def _connect(self, peer_id: PeerId) -> PeerConnection:
        """Return a link to an index: the one there is, or a new one to where it is said to be."""
        connection = self.peer.connection_to(peer_id)
        known = self._known.get(peer_id)
        if connection is not None:
            return connection
        error: LinkError = DialError("it is not known where that index is")
        for address in known.addresses if known else ():
            try:
                return await self.peer.connect(address, peer_id)
            except LinkError as failure:
                error = failure
        raise error

    # --- registering --------------------------------------------------------------------------------------------------

    def _claim(self, locator: bytes) -> tuple[bytes, int]:
        issued = int(self.peer.clock.time())
        return make_claim(self.peer.key, locator, issued), issued

    def _changed(self) -> None:
        self._registrar.wake()
        if self._local is not None:
            self._local.wake()

    async def _upkeep(self) -> None:
        self._ledger.set_fetching(self._shelf.fetching())
        self._changed()
        if self._server is not None:
            await self._server.tidy()

    # --- which indexes there are --------------------------------------------------------------------------------------

    def _on_news(self, connection: PeerConnection, message: IndexesKnown) -> None:
        """A neighbour serves an index, or knows of some."""
        now = asyncio.get_running_loop().time()
        if not self._news.take(connection.peer_id, 1, now):
            self.peer.metrics.count("index_news_dropped")
            return
        news = [self._hear(connection, each) for each in message.indexes]
        if any(news):
            self._announce()
        if news:
            self._registrar.wake()

    def _hear(self, connection: PeerConnection, told: IndexAt) -> bool:
        """Take note of one index; True when it is proved, and that is news."""
        itself = told.peer_id == connection.peer_id
        addresses = reachable(told.addresses, connection.remote, first_hop=itself)
        return self._known.hear(IndexAt(told.peer_id, addresses), proved=itself) and itself

    def _announce(self) -> None:
        """There is something new to tell."""
        for connection in self.peer.neighbours():
            self._tell(connection)

    def _tell(self, connection: PeerConnection) -> None:
        own = (IndexAt(self.peer.peer_id, told_addresses(self.peer.addresses)),) if self.serves else ()
        others = tuple(each for each in self._known.to_tell() if each.peer_id != connection.peer_id)
        told = (own + others)[:INDEXES_TOLD]
        if told:
            try:
                connection.send(IndexesKnown(told))
            except (LinkError, LimitError):
                self.peer.metrics.count("index_news_lost")
