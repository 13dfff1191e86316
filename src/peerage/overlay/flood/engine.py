"""Flooding as an engine: questions with ids go out over some links, each node answers, answers come back the same way.

An overlay gives it its links, what answers (answering.py) and the family of its messages, and passes on what the peer
tells a service. Which question goes on, and which answer may pass, is decided by state.py; whom to ask next by
overlay/dynamic_query.py; where there is nothing to be had by tables.py; whether a hit is true by overlay/checks.py.
Invariant: a question is sent on before it is answered, answering is bounded (overlay/work_queue.py), and every message
that goes no further is counted. No peer is judged for what it may only have relayed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from functools import lru_cache, partial
from typing import Any

import msgspec

from peerage.catalogue.query import Query
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import encode as encode_record
from peerage.errors import QueryError, StoreError
from peerage.identity.keys import PeerId
from peerage.limits import ANSWERS_AT_ONCE, MAX_ASKED_TEXTS, WAITING_ANSWERS
from peerage.overlay.base import FoundT, Hit, Holder, LocateRequest, Request, Search, SearchRequest
from peerage.overlay.flood.answering import Answerer
from peerage.overlay.flood.asking import Asking, HitReader, HolderReader, Reader
from peerage.overlay.flood.audit import Audit
from peerage.overlay.flood.exchange import TableExchange
from peerage.overlay.flood.messages import (
    FLOOD,
    QUESTION_ID_BYTES,
    Family,
    FindHolders,
    FindRecords,
    HolderFound,
    Question,
    RecordsFound,
    TableUpdate,
    cut_into_messages,
)
from peerage.overlay.flood.returning import ReturnPath
from peerage.overlay.flood.sending import Links, Sender
from peerage.overlay.flood.state import Dropped, FloodRules, FloodState, Onward
from peerage.overlay.flood.tables import TableBook
from peerage.overlay.flood.widening import Asked, Widening
from peerage.overlay.keywords import Need, need_of, need_of_locator
from peerage.overlay.locators import locator_of
from peerage.overlay.work_queue import Work, WorkQueue
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.peer.peer import Peer
from peerage.wire.message import Message, encode


class _Understood(msgspec.Struct, frozen=True):
    """A query, and what keyword tables can be asked of it."""

    query: Query
    need: Need


@lru_cache(maxsize=MAX_ASKED_TEXTS)
def _understand(text: str) -> _Understood:
    """Parse a query that somebody asks; raises QueryError."""
    query = parse(text)
    return _Understood(query, need_of(query))


class Flooding:
    """The engine of one overlay, which passes on `start`, `stop`, `link_up` and `link_down` and mounts `handlers`.

    It also calls `look` once a minute, and whenever what can be answered has changed. `links` says to whom questions go
    and from whom they are taken; None: every talk link.
    """

    def __init__(
        self, answerer: Answerer, rules: FloodRules, links: Links | None = None, family: Family = FLOOD
    ) -> None:
        self._answerer = answerer
        self._rules = rules
        self._family = family
        self._links_given = links
        self.horizon: Callable[[], int] | None = None  # about how many hosts there are, where that is known
        self.apart: Links = tuple  # whom only this node's own questions go to
        self._asking: dict[bytes, Asking[Any]] = {}  # bounded by FloodRules.own_searches
        self._peer: Peer
        self._links: Links
        self._sender: Sender
        self._state: FloodState
        self._work: WorkQueue
        self._tables: TableExchange | None = None
        self._book: TableBook
        self._answers: ReturnPath
        self._audit: Audit

    # --- asking -------------------------------------------------------------------------------------------------------

    def search(self, request: SearchRequest) -> Search[Hit]:
        """Search by flooding; raises QueryError."""
        return self.ask(request, HitReader(_understand(request.text).query, self._peer))

    def ask(self, request: SearchRequest, read: Reader[FoundT]) -> Search[FoundT]:
        """Search by flooding, and have the answers read otherwise, on behalf of others say; raises QueryError."""
        understood = _understand(request.text)
        self._audit.note_query(understood.query)
        question = self._family.find_records(self._new_id(), request.ttl, request.wanted, request.text)
        return self._begin(Asked(question, understood.need, request), read)

    def locate(self, request: LocateRequest) -> Search[Holder]:
        """Flood the locator of a content id."""
        return self.seek(locator_of(request.content_id), request, HolderReader(self._peer))

    def seek(self, locator: bytes, request: Request, read: Reader[FoundT]) -> Search[FoundT]:
        """Flood a locator, and have the answers read otherwise."""
        question = self._family.find_holders(self._new_id(), request.ttl, request.wanted, locator)
        return self._begin(Asked(question, need_of_locator(locator), request), read)

    # --- the service --------------------------------------------------------------------------------------------------

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Return what flooding answers; all of it at once, what needs the database goes to a queue."""
        family = self._family
        return (
            (family.find_records, self._on_find_records),
            (family.find_holders, self._on_find_holders),
            (family.records_found, self._on_records),
            (family.holder_found, self._on_holder),
            (family.table_update, self._on_table),
        )

    async def start(self, peer: Peer) -> None:
        """Begin with nothing seen."""
        self._peer = peer
        self._links = self._links_given or peer.neighbours
        self._sender = Sender(peer, self._family)
        self._state = FloodState(self._rules, self._now())
        self._work = WorkQueue(peer.spawn, workers=ANSWERS_AT_ONCE, maximum=WAITING_ANSWERS)
        self._tables = TableExchange(peer, self._sender, self._links, self._answerer, self._rules)
        self._book = self._tables.book
        self._audit = Audit(peer.rng)
        self._answers = ReturnPath(self._state, self._sender, self._audit, self._asking)
        self.look()

    async def stop(self) -> None:
        """End the answers and searches under way."""
        for asking in self._asking.values():
            asking.stop()
        if self._tables is not None:
            self._tables.stop()
        await self._work.close()

    def look(self) -> None:
        """What can be answered, or who is linked, may have changed: neighbours are told soon."""
        if self._tables is not None:
            self._tables.look()
            self._send_decoys()

    def link_up(self, _connection: PeerConnection) -> None:
        """A link came up."""
        self.look()

    def link_down(self, connection: PeerConnection) -> None:
        """Forget the link's share."""
        self._state.forget_link(connection.peer_id)
        self._audit.forget_link(connection.peer_id)
        if self._tables is not None:
            self._tables.link_down(connection)

    # --- questions of this node ---------------------------------------------------------------------------------------

    def _begin(self, asked: Asked, read: Reader[FoundT]) -> Search[FoundT]:
        widening = Widening(asked, self._rules, self._book, self._links, self._peer.rng)
        widening.hosts, widening.apart = self.horizon, self.apart
        asking = Asking(asked.request, read, widening, self._sender)
        return Search(self._ask(asked.question, asked.request, asking), asking.cost)

    async def _ask(self, question: Question, request: Request, asking: Asking[FoundT]) -> AsyncGenerator[FoundT, None]:
        wait = self._state.begin(question.question_id, request.seconds, self._now())
        self._asking[question.question_id] = asking
        asking.begin(self._now())
        try:
            await asyncio.sleep(wait)
            async with aclosing(asking.results()) as results:
                async for found in results:
                    yield found
        finally:
            for peer_id in asking.asked:
                self._audit.note_asked(peer_id)
            self._state.end(question.question_id)
            del self._asking[question.question_id]
            asking.end(self._now())

    # --- questions of others ------------------------------------------------------------------------------------------

    def _on_find_records(self, connection: PeerConnection, message: FindRecords) -> None:
        onward = self._admit(connection, message)
        if onward is None:
            return
        try:
            understood = _understand(message.text)
        except QueryError:
            self._sender.drop("query")
            return
        self._spread(connection, message, onward, understood.need)
        if onward.first:
            self._audit.note_query(understood.query)
        if onward.first and self._answerer.may_find(understood.need, connection.peer_id):
            self._queue(partial(self._tell_records, connection.peer_id, message, understood.query))

    def _on_find_holders(self, connection: PeerConnection, message: FindHolders) -> None:
        onward = self._admit(connection, message)
        if onward is None:
            return
        self._spread(connection, message, onward, need_of_locator(message.locator))
        if onward.first and self._answerer.may_hold(message.locator):
            self._queue(partial(self._tell_holders, connection.peer_id, message))

    def _admit(self, connection: PeerConnection, message: Question) -> Onward | None:
        """Return how a question may go on; None when it does not."""
        self._sender.count("questions")
        if self._peer.table.is_apart(connection.peer_id) or (
            self._links_given is not None and connection not in self._links()
        ):
            self._sender.drop("no-link")
            return None
        verdict = self._state.take_question(message.question_id, message.ttl, connection.peer_id, self._now())
        if isinstance(verdict, Dropped):
            self._sender.drop(verdict)
            return None
        return verdict

    def _spread(self, source: PeerConnection, message: Question, onward: Onward, need: Need) -> None:
        """Send a question of somebody else to all other links where it may be answered."""
        ttl = onward.ttl
        if not ttl:
            return
        filtering = ttl <= self._rules.table_depth
        now, sent, filtered, frame = self._now(), 0, 0, b""
        for connection in self._links():
            peer_id = connection.peer_id
            if peer_id == source.peer_id:
                continue
            if filtering and self._is_vain(peer_id, need, ttl):
                filtered += 1
            elif not self._state.may_relay(peer_id, now, fair=onward.fair):
                self._sender.drop("relay-rate" if onward.fair else "unfair")
            else:
                frame = frame or encode(msgspec.structs.replace(message, ttl=ttl))
                sent += self._sender.send(connection, frame)
                self._audit.note_asked(peer_id)
        if sent:
            self._sender.count("relayed", sent)
        if filtered:
            self._sender.count("filtered", filtered)

    def _is_vain(self, peer_id: PeerId, need: Need, ttl: int) -> bool:
        """Whether a question that may travel so far finds nothing at a link, as far as is known."""
        return self._book.near(peer_id, need) > ttl or (ttl == 1 and self._audit.is_liar(peer_id, self._now()))

    def _send_decoys(self) -> None:
        """Ask those who answer suspiciously much what nobody can answer."""
        now = self._now()
        suspects = self._audit.suspects(now)  # nobody, as nearly always
        links = {connection.peer_id: connection for connection in self._links()} if suspects else {}
        for peer_id in suspects:
            if peer_id not in links:
                continue
            question_id = self._new_id()
            text = self._audit.decoy(peer_id, question_id, now)
            if text is not None:
                self._sender.count("decoys")
                self._sender.send(links[peer_id], encode(self._family.find_records(question_id, 1, 10, text)))

    def _queue(self, work: Work) -> None:
        if not self._work.put(work):
            self._sender.drop("busy")

    async def _tell_records(self, back: PeerId, message: FindRecords, query: Query) -> None:
        """Answer a query."""
        limit = self._state.hits_to_give(message.question_id, message.wanted, self._now())
        if not limit:
            self._sender.drop(Dropped.UNKNOWN)
            return
        try:
            offers = await self._answerer.find(query, limit, back)
        except StoreError:
            self._sender.drop("store")
            return
        for offer in offers:
            for group in cut_into_messages(map(encode_record, offer.records)):
                answer = self._family.records_found(message.question_id, 0, offer.addresses, group)
                if self._sender.give(back, encode(answer)):
                    self._sender.count("hits_given", len(group))

    async def _tell_holders(self, back: PeerId, message: FindHolders) -> None:
        """Say who has a content."""
        try:
            holdings = await self._answerer.holders(message.locator, back)
        except StoreError:
            self._sender.drop("store")
            return
        for each in holdings:
            answer = self._family.holder_found(message.question_id, 0, each.addresses, each.peer_id, each.private)
            if self._sender.give(back, encode(answer)):
                self._sender.count("holdings_given")

    # --- what else comes ----------------------------------------------------------------------------------------------

    def _on_records(self, connection: PeerConnection, message: RecordsFound) -> None:
        self._answers.on_records(connection, message)

    def _on_holder(self, connection: PeerConnection, message: HolderFound) -> None:
        self._answers.on_holder(connection, message)

    def _on_table(self, connection: PeerConnection, message: TableUpdate) -> None:
        if self._tables is not None and not self._peer.table.is_apart(connection.peer_id):
            self._tables.on_update(connection, message)

    def _new_id(self) -> bytes:
        return self._peer.rng.getrandbits(8 * QUESTION_ID_BYTES).to_bytes(QUESTION_ID_BYTES, "big")

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
