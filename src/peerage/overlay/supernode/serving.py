"""A supernode's side towards leaves: takes them and their records, and searches on their behalf.

Invariant: a leaf's records are its own (their holder is the peer at the other end of the link), public, within its
bounds, and gone when it leaves; questions are answered to leaves and guests at a bounded rate each. Who refuses for
want of room names others. Whether this node is a supernode is not decided here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import aclosing
from typing import Any, Final, NoReturn

from peerage.catalogue.index_table import Claim, Held, IndexBounds, Key, Tenant
from peerage.catalogue.query import Query
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Record, Visibility, decode
from peerage.catalogue.record_index import RecordIndex
from peerage.errors import LimitError, ProtocolError, QueryError, RefusedError
from peerage.identity.keys import PeerId
from peerage.overlay.base import Request, SearchRequest
from peerage.overlay.flood.engine import Flooding
from peerage.overlay.keywords import number_of_locator, numbers_of
from peerage.overlay.locators import locator_of
from peerage.overlay.reach import reachable
from peerage.overlay.supernode.answering import SupernodeAnswerer
from peerage.overlay.supernode.leaves import Denied, Leaf, LeafBook
from peerage.overlay.supernode.messages import (
    AskSupernode,
    Attach,
    Attached,
    Detach,
    HandOver,
    HoldersTold,
    Kept,
    RecordsTold,
    SeekAtSupernode,
    StepUp,
    cut_holders,
    cut_records,
)
from peerage.overlay.supernode.passing import PassedHolders, PassedRecords
from peerage.overlay.supernode.surroundings import Surroundings
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.wire.message import ErrorCode, Message

_HOLD: Final = "leaf"
_FOREVER: Final = 2.0**40  # seconds since 1970: a leaf's records last as long as its link


class Serving:
    """The leaves of one node; there are none until `begin`."""

    def __init__(self, around: Surroundings, answerer: SupernodeAnswerer, engine: Flooding) -> None:
        self._around = around
        self._peer = around.peer
        self._rules = around.rules
        self._answerer = answerer
        self._engine = engine
        self._index: RecordIndex | None = None
        self.book: LeafBook | None = None
        self.on_change: Callable[[], None] = lambda: None  # leaves or records have come or gone
        self.has_room_elsewhere: Callable[[], bool] = lambda: False
        answerer.on_forged = self._expel

    @property
    def leaves(self) -> int:
        """How many leaves there are."""
        return 0 if self.book is None else len(self.book)

    @property
    def room(self) -> int:
        """How many more there is room for."""
        return 0 if self.book is None else self.book.room

    # --- life ---------------------------------------------------------------------------------------------------------

    async def begin(self, places: int, executor: Executor | None) -> None:
        """Serve from now on."""
        bounds = IndexBounds(per_holder=self._rules.records_per_leaf, total=self._rules.records)
        self._index = await RecordIndex.open(None, executor, bounds)
        self.book = LeafBook(self._rules, places)
        self._answerer.serve(self.book, self._index)

    async def end(self) -> None:
        """Send the leaves away, and forget all."""
        book, index = self.book, self._index
        self.book = self._index = None
        self._answerer.serve(None, None)
        for leaf in book or ():
            self._let_go(leaf.peer_id)
        if index is not None:
            await index.close()

    async def tidy(self) -> None:
        """Forget leaves that did not come back."""
        for peer_id in self.book.overdue(self._around.now()) if self.book is not None else ():
            await self._forget(peer_id)

    def link_down(self, peer_id: PeerId) -> None:
        """The link to a peer has ended; if it is a leaf, nobody is told of it until it is back."""
        if self.book is not None and self.book.get(peer_id) is not None:
            self.book.lost(peer_id, self._around.now())
            self.on_change()

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Return what leaves and guests ask."""
        return (
            (Attach, self._on_attach),
            (HandOver, self._on_hand_over),
            (AskSupernode, self._on_ask),
            (SeekAtSupernode, self._on_seek),
        )

    # --- leaves -------------------------------------------------------------------------------------------------------

    async def _on_attach(self, connection: PeerConnection, message: Attach) -> Attached:
        others = self._around.to_tell(connection)
        book, index = self.book, self._index
        if book is None or index is None:
            return Attached(accepted=False, count=0, digest=0, others=others)
        if not book.may_ask(connection.peer_id, self._around.now()):
            self._deny(Denied.QUERIES)
        leaf = book.admit(connection.peer_id, connection.remote)
        if isinstance(leaf, Denied):
            self._peer.metrics.count("supernode_denied", leaf)
            self._call_another()
            return Attached(accepted=False, count=0, digest=0, others=others)
        leaf.addresses = reachable(message.addresses, connection.remote, first_hop=True)
        leaf.capable = message.capable
        self._peer.hold(leaf.peer_id, _HOLD)
        if message.fresh:
            book.forget_numbers(leaf)
            await index.drop_holder(leaf.peer_id)
        held = await self._held(index, leaf)
        self.on_change()
        return Attached(accepted=True, count=held.count, digest=held.digest, others=others)

    async def _on_hand_over(self, connection: PeerConnection, message: HandOver) -> Kept:
        leaf, index = self._leaf(connection)
        amount = len(message.records) + len(message.locators)
        assert self.book is not None
        if not self.book.may_bring(leaf.peer_id, amount, self._around.now()):
            self._deny(Denied.RECORDS)
        records = self._checked(connection, message)
        if message.removed:
            await index.remove(leaf.peer_id, [Key(each.locator, each.slot) for each in message.removed])
        claims = [Claim(locator, 0, locator) for locator in message.locators]
        await index.put(Tenant(leaf.peer_id, leaf.addresses, _FOREVER, b"leaf"), records, claims)
        if self.book is not None:
            self.book.add_numbers(leaf, _numbers(records, message.locators))
        held = await self._held(index, leaf)
        self.on_change()
        return Kept(held.count, held.digest)

    def _leaf(self, connection: PeerConnection) -> tuple[Leaf, RecordIndex]:
        leaf = self.book.get(connection.peer_id) if self.book is not None else None
        if leaf is None or self._index is None:
            self._deny(Denied.STRANGER)
        return leaf, self._index

    def _checked(self, connection: PeerConnection, message: HandOver) -> list[Record]:
        """Check all but the signatures: those when a record is first given out (answering.py)."""
        try:
            records = [decode(raw) for raw in message.records]
        except ProtocolError:
            self._deny(Denied.FOREIGN)
        if any(each.holder != connection.public_key or each.visibility is not Visibility.PUBLIC for each in records):
            self._deny(Denied.FOREIGN)
        return records

    async def _held(self, index: RecordIndex, leaf: Leaf) -> Held:
        held = await index.held(leaf.peer_id)
        leaf.count = held.count
        return held

    def _call_another(self) -> None:
        """There is no room here: if there is none elsewhere, ask a leaf that could be one to be a supernode."""
        if self.book is None or self.has_room_elsewhere():
            return
        capable = self.book.callable_up()
        if capable:
            self._around.send(self._peer.rng.choice(capable), StepUp())

    def drop(self, peer_id: PeerId) -> None:
        """A leaf says that it is none any more."""
        if self.book is not None and self.book.get(peer_id) is not None:
            self._peer.spawn(self._forget(peer_id), "leaf leaves")

    def _expel(self, peer_id: PeerId) -> None:
        """A leaf has handed over what its holder did not sign: it is its own, so it forged."""
        self._peer.metrics.count("supernode_denied", Denied.FORGED)
        self._let_go(peer_id)
        self.drop(peer_id)

    def _let_go(self, peer_id: PeerId) -> None:
        connection = self._peer.connection_to(peer_id)
        if connection is not None:
            self._around.tell(connection, Detach(self._around.to_tell(connection)))
        self._peer.release(peer_id, _HOLD)

    async def _forget(self, peer_id: PeerId) -> None:
        self._peer.release(peer_id, _HOLD)
        if self.book is not None and self._index is not None and self.book.remove(peer_id):
            await self._index.drop_holder(peer_id)
            self.on_change()

    # --- questions ----------------------------------------------------------------------------------------------------

    async def _on_ask(self, connection: PeerConnection, message: AskSupernode) -> AsyncIterator[RecordsTold]:
        self._admit(connection)
        try:
            query = parse(message.text)
        except QueryError as error:
            raise RefusedError(ErrorCode.BAD_REQUEST, "that is no query") from error
        async with aclosing(self._answers(connection.peer_id, message, query)) as parts:
            async for part in parts:
                yield part

    async def _answers(self, asker: PeerId, message: AskSupernode, query: Query) -> AsyncGenerator[RecordsTold, None]:
        here = await self._answerer.find_here(query, message.wanted, asker)
        for part in cut_records(here):
            yield part
        bodies = [raw for each in here for raw in each.records]
        if len(bodies) >= message.wanted:
            return
        request = SearchRequest(text=message.text, wanted=message.wanted, deadline=message.seconds)
        search = self._engine.ask(request, PassedRecords(bodies))
        search.cost.found = len(bodies)
        async with search:
            async for found in search:
                yield RecordsTold((found,))

    async def _on_seek(self, connection: PeerConnection, message: SeekAtSupernode) -> AsyncIterator[HoldersTold]:
        self._admit(connection)
        here = await self._answerer.holders_here(message.locator, connection.peer_id)
        for part in cut_holders(here[: message.wanted]):
            yield part
        if len(here) >= message.wanted:
            return
        request = Request(wanted=message.wanted, deadline=message.seconds)
        search = self._engine.seek(message.locator, request, PassedHolders(each.peer_id for each in here))
        search.cost.found = len(here)
        async with search:
            async for found in search:
                yield HoldersTold((found,))

    def _admit(self, connection: PeerConnection) -> None:
        self._peer.metrics.count("supernode_asked")
        if self.book is None:
            raise RefusedError(ErrorCode.NOT_FOUND, "this node is no supernode")
        if not self.book.may_ask(connection.peer_id, self._around.now()):
            self._deny(Denied.QUERIES)

    def _deny(self, reason: Denied) -> NoReturn:
        self._peer.metrics.count("supernode_denied", reason)
        if reason in (Denied.STRANGER, Denied.FOREIGN):
            raise RefusedError(ErrorCode.FORBIDDEN, f"this supernode takes only what its leaves hold: {reason}")
        raise LimitError(reason, "ours", f"a bound of this supernode: {reason}")


def _numbers(records: Iterable[Record], locators: Iterable[bytes]) -> Iterator[int]:
    """Yield what a keyword table has to say yes to."""
    for record in records:
        yield from numbers_of(record)
        yield number_of_locator(locator_of(record.content))
    for locator in locators:
        yield number_of_locator(locator)
