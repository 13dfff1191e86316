"""Second generation, Gnutella: a question goes from neighbour to neighbour, and answers come back the same way.

This is the shell: it moves messages and asks the shelf. Which question goes on, and which answer may pass, is decided
by state.py; whether a hit is true by checks.py, in full at the asker and as far as it is cheap at each relay.
Invariant: a question is sent on before it is answered, answering is bounded (work_queue.py), and every message that
goes no further is counted. Link-only records are never told, friends' records only to a neighbour that is a friend, who
shows but does not relay them. Forgery and spam are dropped; no peer is judged for what it may only have relayed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, TypeVar

import msgspec

from peerage.catalogue.query import Query
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Record, Visibility
from peerage.catalogue.record import encode as encode_record
from peerage.catalogue.record_finder import Audience
from peerage.errors import LimitError, LinkError, QueryError, StoreError
from peerage.identity.keys import PeerId
from peerage.limits import ANSWERS_AT_ONCE, SLOW_LINK, WAITING_ANSWERS
from peerage.overlay.base import FoundT, Hit, Holder, LocateRequest, Overlay, Request, Search, SearchRequest
from peerage.overlay.checks import Refused, check_record
from peerage.overlay.flood.asking import Answer, Arrived, AskerView, Asking, HitReader, HolderReader, Reader
from peerage.overlay.flood.messages import (
    QUESTION_ID_BYTES,
    FindHolders,
    FindRecords,
    HolderFound,
    Question,
    RecordsFound,
    cut_into_messages,
)
from peerage.overlay.flood.state import AnswerSize, Dropped, FloodRules, FloodState, Passage
from peerage.overlay.locators import LocatorTable, locator_of
from peerage.overlay.reach import reachable, told_addresses
from peerage.overlay.shelf import Shelf
from peerage.overlay.work_queue import Work, WorkQueue
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.wire.message import Message, encode

QuestionT = TypeVar("QuestionT", bound=Question)
AnswerT = TypeVar("AnswerT", RecordsFound, HolderFound)


class FloodOverlay(Overlay):
    """Flooding with 128-bit ids, a ttl, and bounds on everything; answers from `shelf`.

    Nothing is told ahead of a question: what is found follows the shelf at once.
    """

    name = "flood"

    def __init__(self, shelf: Shelf, rules: FloodRules | None = None) -> None:
        self._shelf = shelf
        self._rules = rules or FloodRules()
        self._locators = LocatorTable()
        self._asking: dict[bytes, Asking[Any]] = {}  # bounded by FloodRules.own_searches
        self._state: FloodState
        self._work: WorkQueue

    # --- the overlay ------------------------------------------------------------------------------------------------

    async def publish(self, records: Sequence[Record]) -> None:
        """Note which contents `locate` may ask for."""
        self._locators.add(record.content for record in records)

    async def withdraw(self, records: Sequence[Record]) -> None:
        """Nothing to do: the shelf is asked before each answer."""

    def search(self, request: SearchRequest) -> Search[Hit]:
        """Flood a query."""
        reader = HitReader(parse(request.text), self._view())
        question = FindRecords(self._new_id(), request.ttl, request.wanted, request.text)
        return self._begin(question, request, reader)

    def locate(self, request: LocateRequest) -> Search[Holder]:
        """Flood the locator of a content id."""
        question = FindHolders(self._new_id(), request.ttl, request.wanted, locator_of(request.content_id))
        return self._begin(question, request, HolderReader(self._view()))

    # --- the service ------------------------------------------------------------------------------------------------

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Return what flooding answers; all of it at once, what needs the database goes to a queue."""
        return (
            (FindRecords, self._on_find_records),
            (FindHolders, self._on_find_holders),
            (RecordsFound, self._on_records),
            (HolderFound, self._on_holder),
        )

    async def start(self) -> None:
        """Begin with nothing seen."""
        self._state = FloodState(self._rules, self._now())
        self._work = WorkQueue(self.peer.spawn, workers=ANSWERS_AT_ONCE, maximum=WAITING_ANSWERS)

    async def stop(self) -> None:
        """End the answers and searches under way."""
        for asking in self._asking.values():
            asking.stop()
        await self._work.close()

    def peer_disconnected(self, connection: PeerConnection) -> None:
        """Forget the link's share."""
        self._state.forget_link(connection.peer_id)

    # --- asking -------------------------------------------------------------------------------------------------------

    def _begin(self, question: Question, request: Request, read: Reader[FoundT]) -> Search[FoundT]:
        asking = Asking(request, read, self.peer.metrics)
        return Search(self._ask(question, request, asking), asking.cost)

    async def _ask(self, question: Question, request: Request, asking: Asking[FoundT]) -> AsyncGenerator[FoundT, None]:
        wait = self._state.begin(question.question_id, request.seconds, self._now())
        self._asking[question.question_id] = asking
        asking.begin(self._now())
        try:
            await asyncio.sleep(wait)
            if not self._send_out(question, request, asking):
                return
            async with aclosing(asking.results()) as results:
                async for found in results:
                    yield found
        finally:
            self._state.end(question.question_id)
            del self._asking[question.question_id]
            asking.end(self._now())

    def _send_out(self, question: Question, request: Request, asking: Asking[Any]) -> bool:
        """Send to as many neighbours as the budget allows; False when there is none."""
        size = len(encode(question))
        for connection in self.peer.neighbours():
            if asking.cost.exceeds(request.budget):
                break
            if self._send(connection, question):
                asking.note_sent(size)
        return asking.cost.peers_asked > 0

    def _view(self) -> AskerView:
        table = self.peer.table
        return AskerView(self.peer.peer_id, lambda peer_id: (known := table.get(peer_id)) is not None and known.banned)

    # --- questions of others ----------------------------------------------------------------------------------------

    def _on_find_records(self, connection: PeerConnection, message: FindRecords) -> None:
        ttl = self._admit(connection, message)
        if ttl is None:
            return
        try:
            query = parse(message.text)
        except QueryError:
            self._drop("query")
            return
        self._spread(connection, message, ttl)
        self._queue(partial(self._tell_records, connection.peer_id, message, query))

    def _on_find_holders(self, connection: PeerConnection, message: FindHolders) -> None:
        ttl = self._admit(connection, message)
        if ttl is None:
            return
        self._spread(connection, message, ttl)
        content_id = self._locators.find(message.locator, self._shelf.fetching())
        if content_id is not None:
            self._queue(partial(self._tell_holder, connection.peer_id, message, content_id))

    def _admit(self, connection: PeerConnection, message: Question) -> int | None:
        """Return the ttl to send a question on with; None when it goes no further."""
        self.peer.metrics.count("flood_questions")
        verdict = self._state.take_question(message.question_id, message.ttl, connection.peer_id, self._now())
        if isinstance(verdict, Dropped):
            self._drop(verdict)
            return None
        return verdict

    def _spread(self, source: PeerConnection, message: QuestionT, ttl: int) -> None:
        """Send a question of somebody else to all other neighbours."""
        if not ttl:
            return
        onward = msgspec.structs.replace(message, ttl=ttl)
        now = self._now()
        for connection in self.peer.neighbours():
            if connection.peer_id == source.peer_id:
                continue
            if not self._state.may_relay(connection.peer_id, now):
                self._drop("relay-rate")
            elif self._send(connection, onward):
                self.peer.metrics.count("flood_relayed")

    def _queue(self, work: Work) -> None:
        if not self._work.put(work):
            self._drop("busy")

    async def _tell_records(self, back: PeerId, message: FindRecords, query: Query) -> None:
        """Answer a query from the shelf."""
        limit = self._state.hits_to_give(message.question_id, message.wanted, self._now())
        if not limit:
            self._drop(Dropped.UNKNOWN)
            return
        audience = Audience.FRIEND if self._is_friend(back) else Audience.ANYONE
        try:
            records = await self._shelf.find(query, limit, audience)
        except StoreError:
            self._drop("store")
            return
        addresses = told_addresses(self.peer.addresses)
        for group in cut_into_messages(map(encode_record, records)):
            if self._give(back, RecordsFound(message.question_id, 0, addresses, group)):
                self.peer.metrics.count("flood_hits_given", amount=len(group))

    async def _tell_holder(self, back: PeerId, message: FindHolders, content_id: bytes) -> None:
        """Say that this node has a content, if the asker may know."""
        try:
            visibility = await self._shelf.visibility(content_id)
        except StoreError:
            self._drop("store")
            return
        if visibility is None:
            self._locators.remove(content_id)
            return
        private = visibility is Visibility.FRIENDS
        if private and not self._is_friend(back):
            return
        addresses = told_addresses(self.peer.addresses)
        if self._give(back, HolderFound(message.question_id, 0, addresses, self.peer.peer_id, private)):
            self.peer.metrics.count("flood_holdings_given")

    def _is_friend(self, peer_id: PeerId) -> bool:
        known = self.peer.table.get(peer_id)
        return known is not None and known.friend

    # --- answers of others --------------------------------------------------------------------------------------------

    def _on_records(self, connection: PeerConnection, message: RecordsFound) -> None:
        size = len(encode(message))
        passage = self._pass(connection, message, AnswerSize(message.hops, len(message.records), size))
        if passage is None:
            return
        sender = None if message.hops else connection.public_key
        records = message.records[: passage.hits]
        if passage.back is not None:
            records = tuple(raw for raw in records if self._is_relayable(raw, sender))
        if not records:
            return
        onward = msgspec.structs.replace(self._one_hop_on(connection, message), records=records)
        self._pass_on(passage.back, Arrived(onward, sender, size))

    def _on_holder(self, connection: PeerConnection, message: HolderFound) -> None:
        size = len(encode(message))
        passage = self._pass(connection, message, AnswerSize(message.hops, 1, size))
        if passage is None:
            return
        if message.hops == 0 and message.peer_id != connection.peer_id:
            self._refuse(Refused.FOREIGN)
        elif message.private and (message.hops or passage.back is not None):
            self._refuse(Refused.PRIVATE)
        else:
            sender = None if message.hops else connection.public_key
            self._pass_on(passage.back, Arrived(self._one_hop_on(connection, message), sender, size))

    def _pass(self, connection: PeerConnection, message: Answer, size: AnswerSize) -> Passage | None:
        verdict = self._state.take_answer(message.question_id, connection.peer_id, size, self._now())
        if isinstance(verdict, Dropped):
            self._drop(f"answer-{verdict}")
            return None
        return verdict

    def _one_hop_on(self, connection: PeerConnection, message: AnswerT) -> AnswerT:
        """Count the link, and keep of the addresses what may be dialled."""
        addresses = reachable(message.addresses, connection.remote, first_hop=not message.hops)
        return msgspec.structs.replace(message, hops=message.hops + 1, addresses=addresses)

    def _is_relayable(self, raw: bytes, sender: bytes | None) -> bool:
        record = check_record(raw, sender)
        if not isinstance(record, Refused) and record.visibility is not Visibility.PUBLIC:
            record = Refused.PRIVATE
        if isinstance(record, Refused):
            self._refuse(record)
            return False
        return True

    def _pass_on(self, back: PeerId | None, arrived: Arrived) -> None:
        """Hand an answer to the search that asked, or to the link that the question came from."""
        if back is not None:
            if self._give(back, arrived.answer):
                self.peer.metrics.count("flood_answers_relayed")
            return
        asking = self._asking.get(arrived.answer.question_id)
        if asking is None or not asking.offer(arrived):
            self._drop(f"answer-{Dropped.ENOUGH}")

    # --- sending ------------------------------------------------------------------------------------------------------

    def _give(self, back: PeerId, message: Answer) -> bool:
        connection = self.peer.connection_to(back)
        if connection is None:
            self._drop("lost")
            return False
        return self._send(connection, message)

    def _send(self, connection: PeerConnection, message: Message) -> bool:
        if connection.unsent > SLOW_LINK:
            self._drop("slow-link")
            return False
        try:
            connection.send(message)
        except (LinkError, LimitError):
            self._drop("lost")
            return False
        return True

    def _drop(self, reason: str) -> None:
        self.peer.metrics.count("flood_dropped", reason)

    def _refuse(self, reason: Refused) -> None:
        self.peer.metrics.count("flood_refused", reason)

    def _new_id(self) -> bytes:
        return self.peer.rng.getrandbits(8 * QUESTION_ID_BYTES).to_bytes(QUESTION_ID_BYTES, "big")

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
