"""A question of this node under way: what has arrived, read into results one by one.

Invariant: results are checked before they are given out, in the asker's own time: what arrives waits unread, bounded by
the room that state.py gives to one question. Who is asked, and when, is not decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Generic, NamedTuple

import msgspec

from peerage.catalogue.query import Query
from peerage.identity.keys import PeerId
from peerage.limits import QUESTION_HITS
from peerage.overlay.base import Cost, FoundT, Hit, Holder, Request
from peerage.overlay.checks import Refused, check_hit
from peerage.overlay.flood.messages import HolderFound, RecordsFound
from peerage.peer.metrics import Metrics

Answer = RecordsFound | HolderFound


class Arrived(NamedTuple):
    """An answer with one link more on its count and only addresses that may be dialled."""

    answer: Answer
    sender: bytes | None  # the public key of the answering peer, when it sent this itself
    size: int  # bytes of the message as it came


class AskerView(msgspec.Struct, frozen=True):
    """What readers need of the node that asks."""

    peer_id: PeerId
    is_banned: Callable[[PeerId], bool]


Reader = Callable[[Answer, bytes | None], Iterator[FoundT | Refused]]


class HitReader:
    """Reads hits out of the answers to one query, each once."""

    def __init__(self, query: Query, asker: AskerView) -> None:
        self._query = query
        self._asker = asker
        self._known: set[bytes] = set()  # of records given out; bounded by the hits of one question

    def __call__(self, answer: Answer, sender: bytes | None) -> Iterator[Hit | Refused]:
        """Yield what the answer brings: hits, and why others are none."""
        if isinstance(answer, RecordsFound):
            for raw in answer.records:
                yield self._read(raw, answer, sender)

    def _read(self, raw: bytes, answer: RecordsFound, sender: bytes | None) -> Hit | Refused:
        if raw in self._known:
            return Refused.REPEATED
        record = check_hit(raw, sender, self._query)
        if isinstance(record, Refused):
            return record
        holder = record.peer_id
        if holder == self._asker.peer_id or self._asker.is_banned(holder):
            return Refused.UNWANTED
        self._known.add(raw)
        return Hit(record, Holder(holder, answer.addresses), answer.hops)


class HolderReader:
    """Reads holders out of the answers to one question, each once."""

    def __init__(self, asker: AskerView) -> None:
        self._asker = asker
        self._known: set[PeerId] = set()

    def __call__(self, answer: Answer, sender: bytes | None) -> Iterator[Holder | Refused]:  # noqa: ARG002 -- a Reader
        """Yield the holder that the answer names."""
        if isinstance(answer, HolderFound):
            yield self._read(answer)

    def _read(self, answer: HolderFound) -> Holder | Refused:
        holder = answer.peer_id
        if holder in self._known:
            return Refused.REPEATED
        if holder == self._asker.peer_id or self._asker.is_banned(holder):
            return Refused.UNWANTED
        self._known.add(holder)
        return Holder(holder, answer.addresses)


class Asking(Generic[FoundT]):
    """One question under way, from `begin` until its request's deadline."""

    def __init__(self, request: Request, read: Reader[FoundT], metrics: Metrics) -> None:
        self.cost = Cost()
        self._request = request
        self._read = read
        self._metrics = metrics
        self._inbox: asyncio.Queue[Arrived | None] = asyncio.Queue(QUESTION_HITS + 1)  # None: it is over
        self._started = 0.0

    def begin(self, now: float) -> None:
        """The search begins; `now` is loop time in seconds."""
        self._started = now

    def end(self, now: float) -> None:
        """The search is over."""
        self.cost.seconds = now - self._started

    def stop(self) -> None:
        """End the search as soon as what has arrived is read."""
        if not self._inbox.full():
            self._inbox.put_nowait(None)

    def note_sent(self, size: int) -> None:
        """The question went to one more peer, in `size` bytes."""
        self.cost.peers_asked += 1
        self.cost.messages_sent += 1
        self.cost.bytes_sent += size

    def offer(self, arrived: Arrived) -> bool:
        """Take an answer; False when the search has had enough."""
        if self.cost.exceeds(self._request.budget) or self._inbox.qsize() >= QUESTION_HITS:
            return False
        self.cost.messages_received += 1
        self.cost.bytes_received += arrived.size
        self._inbox.put_nowait(arrived)
        return True

    async def results(self) -> AsyncGenerator[FoundT, None]:
        """Yield results as they come, until there are enough, the budget is used up or the time is over."""
        while (arrived := await self._next()) is not None:
            for found in self._read(arrived.answer, arrived.sender):
                if isinstance(found, Refused):
                    self._refuse(found)
                    continue
                self.cost.note_found(arrived.answer.hops, self._now() - self._started)
                yield found
                if self.cost.found >= self._request.wanted:
                    return

    async def _next(self) -> Arrived | None:
        if self._inbox.empty() and self.cost.exceeds(self._request.budget):
            return None
        try:
            async with asyncio.timeout_at(self._started + self._request.seconds):
                await asyncio.sleep(0)  # checking a full answer takes milliseconds: others get their turn in between
                return await self._inbox.get()
        except TimeoutError:
            return None

    def _refuse(self, reason: Refused) -> None:
        self.cost.refused += 1
        self._metrics.count("flood_refused", reason)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
