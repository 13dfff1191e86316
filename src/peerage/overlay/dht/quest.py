"""A search of this node in the table: pays for the walks, and reads what comes back into results, one by one.

Invariant: every result was checked in full before it is given out (signatures, the query, expiry), each is given out
once, and the search never costs more than its budget; what waits to be checked is bounded. Whom to ask is not decided
here. A forged or stale entry costs its sender nothing but a counter: who keeps records cannot check all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Final, Generic, NamedTuple

from peerage.catalogue.query import Query
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.base import Cost, FoundT, Hit, Holder, Request
from peerage.overlay.checks import Refused, check_hit
from peerage.overlay.dht.messages import Found, FoundProvider, FoundRecords, Look, Seen
from peerage.overlay.dht.node import DhtNode
from peerage.overlay.dht.records import Whereabouts, is_signed
from peerage.overlay.reach import reachable
from peerage.peer.connection import PeerConnection
from peerage.wire.message import encode

_WAITING: Final = 256  # answers with something in them that wait to be checked
_HEADER: Final = 12  # bytes of a frame beside its payload


class Told(NamedTuple):
    """Something found, who told it (None: this node itself), and how far away that was."""

    found: Found
    teller: PeerId | None
    remote: Address
    hops: int


class More(NamedTuple):
    """A peer that has more entries than it could tell at once, and how many it told."""

    connection: PeerConnection
    told: int


Reader = Callable[[Told], Iterator[FoundT | Refused]]


class Quest(Generic[FoundT]):
    """One search; a Watcher of its walks."""

    def __init__(self, node: DhtNode, request: Request, read: Reader[FoundT]) -> None:
        self.cost = Cost()
        self.more: list[More] = []  # bounded by the questions of one search
        self._node = node
        self._request = request
        self._read = read
        self._inbox: asyncio.Queue[Told | None] = asyncio.Queue(_WAITING + 1)
        self._unanswered = 0
        self._started = 0.0
        self._question = 0  # bytes of the last question, and which it was
        self._message: Look | None = None

    # --- paying -----------------------------------------------------------------------------------------------------

    def may_ask(self, message: Look) -> bool:
        """Pay for a question and its answer."""
        cost, budget = self.cost, self._request.budget
        messages = cost.messages_sent + cost.messages_received + self._unanswered
        if messages + 2 > budget.messages or cost.bytes_sent + cost.bytes_received >= budget.bytes:
            return False
        if message is not self._message:
            self._message, self._question = message, len(encode(message))
        cost.peers_asked += 1
        cost.messages_sent += 1
        cost.bytes_sent += self._question
        self._unanswered += 1
        return True

    def answered(self, connection: PeerConnection, seen: Seen, hops: int) -> bool:
        """Take an answer."""
        self._unanswered -= 1
        self.cost.messages_received += 1
        self.cost.bytes_received += len(encode(seen))
        if seen.found is not None:
            self.offer(Told(seen.found, connection.peer_id, connection.remote, max(1, hops)))
            if seen.found.more:
                told = len(seen.found.providers) + sum(len(each.records) for each in seen.found.records)
                self.more.append(More(connection, told))
        return True

    def unanswered(self) -> None:
        """The place of an answer that did not come is free again."""
        self._unanswered -= 1

    def offer(self, told: Told) -> None:
        """Take something found, to be read when its turn comes."""
        if self._inbox.qsize() < _WAITING:
            self._inbox.put_nowait(told)
        else:
            self._node.peer.metrics.count("dht_refused", "crowded-out")

    def end(self) -> None:
        """Nothing more will come."""
        self._inbox.put_nowait(None)  # one place more than `offer` takes

    # --- reading ----------------------------------------------------------------------------------------------------

    async def results(self) -> AsyncGenerator[FoundT, None]:
        """Yield results as they come, until there are enough, the time is over or nothing more can come."""
        while (told := await self._next()) is not None:
            for found in self._read(told):
                if isinstance(found, Refused):
                    self.cost.refused += 1
                    self._node.peer.metrics.count("dht_refused", found)
                    continue
                self.cost.note_found(told.hops, self._node.now() - self._started)
                yield found
                if self.cost.found >= self._request.wanted:
                    return

    def begin(self) -> float:
        """The search begins; return when it must end (loop time)."""
        self._started = self._node.now()
        return self._started + self._request.seconds

    def close(self) -> None:
        """The search is over."""
        self.cost.seconds = self._node.now() - self._started

    async def _next(self) -> Told | None:
        try:
            async with asyncio.timeout_at(self._started + self._request.seconds):
                await asyncio.sleep(0)  # checking an answer takes milliseconds: others get their turn in between
                return await self._inbox.get()
        except TimeoutError:
            return None


class HitReader:
    """Reads records that answer a query, each once."""

    def __init__(self, node: DhtNode, query: Query) -> None:
        self._node = node
        self._query = query
        self._known: set[bytes] = set()  # of records given out; bounded by what one search wants
        self._signed: set[Whereabouts] = set()  # claims that were checked: one goes with many records

    def __call__(self, told: Told) -> Iterator[Hit | Refused]:
        """Yield what was told, and why some of it is no hit."""
        for group in told.found.records:
            wrong = self._wrong(group.whereabouts)
            for raw in group.records:
                yield wrong or self._read(raw, group, told)

    def _wrong(self, where: Whereabouts) -> Refused | None:
        if where in self._signed:
            return None
        if not where.is_current(self._node.peer.clock.time()):
            return Refused.STALE
        if _is_unwanted(self._node, where.peer_id):
            return Refused.UNWANTED
        if not is_signed(where):
            return Refused.FORGED
        self._signed.add(where)
        return None

    def _read(self, raw: bytes, group: FoundRecords, told: Told) -> Hit | Refused:
        if raw in self._known:
            return Refused.REPEATED
        record = check_hit(raw, None, self._query)
        if isinstance(record, Refused):
            return record
        if record.holder != group.whereabouts.holder:
            return Refused.FOREIGN
        self._known.add(raw)
        where = group.whereabouts
        return Hit(
            record, Holder(where.peer_id, _dialable(where.addresses, group.seen, told, where.peer_id)), told.hops
        )


class HolderReader:
    """Reads the providers of one locator, each once."""

    def __init__(self, node: DhtNode, locator: bytes) -> None:
        self._node = node
        self._locator = locator
        self._known: set[PeerId] = set()

    def __call__(self, told: Told) -> Iterator[Holder | Refused]:
        """Yield what was told, and why some of it is no holder."""
        for each in told.found.providers:
            yield self._read(each, told)

    def _read(self, found: FoundProvider, told: Told) -> Holder | Refused:
        provider = found.provider
        peer_id = provider.peer_id
        if peer_id in self._known:
            return Refused.REPEATED
        if provider.locator != self._locator:
            return Refused.OFF_TOPIC
        if not provider.is_current(self._node.peer.clock.time()):
            return Refused.STALE
        if _is_unwanted(self._node, peer_id):
            return Refused.UNWANTED
        if not is_signed(provider):
            return Refused.FORGED
        self._known.add(peer_id)
        return Holder(peer_id, _dialable(provider.addresses, found.seen, told, peer_id))


def _is_unwanted(node: DhtNode, peer_id: PeerId) -> bool:
    return peer_id == node.peer.peer_id or node.is_banned(peer_id)


def _dialable(told: tuple[Address, ...], seen: str, source: Told, holder: PeerId) -> tuple[Address, ...]:
    """Return where a holder can be dialled; who answers for itself is where it was just seen."""
    host = source.remote.host if source.teller == holder else seen
    filled = tuple(Address(each.host or host, each.port) for each in told if each.host or host)
    return reachable(filled, source.remote, first_hop=False)
