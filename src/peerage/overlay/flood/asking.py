"""A question of this node under way: what has arrived, read into results one by one.

Invariant: results are checked before they are given out, in the asker's own time: what arrives waits unread, bounded by
the room that state.py gives to one question. Who is asked, and when, is not decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Generic, NamedTuple

from peerage.catalogue.query import Query
from peerage.identity.keys import PeerId
from peerage.limits import QUESTION_HITS
from peerage.overlay.base import Cost, FoundT, Hit, Holder, Request
from peerage.overlay.checks import Refused, check_hit
from peerage.overlay.flood.messages import HolderFound, RecordsFound
from peerage.overlay.flood.sending import Sender
from peerage.overlay.flood.widening import Widening
from peerage.peer.peer import Peer

Answer = RecordsFound | HolderFound


class Arrived(NamedTuple):
    """An answer with one link more on its count and only addresses that may be dialled."""

    answer: Answer
    link: PeerId  # of the neighbour that it came from
    sender: bytes | None  # the public key of the answering peer, when it sent this itself
    size: int  # bytes of the message as it came


Reader = Callable[[Answer, bytes | None], Iterator[FoundT | Refused]]


class HitReader:
    """Reads hits out of the answers to one query, each once, and none of those `known`, to which it adds."""

    def __init__(self, query: Query, asker: Peer, known: set[bytes] | None = None) -> None:
        self._query = query
        self._asker = asker
        self._known = set() if known is None else known  # encoded; bounded by the hits of one question

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
        if holder == self._asker.peer_id or _is_banned(self._asker, holder):
            return Refused.UNWANTED
        self._known.add(raw)
        return Hit(record, Holder(holder, answer.addresses), answer.hops)


class HolderReader:
    """Reads holders out of the answers to one question, each once, and none of those `known`, to which it adds."""

    def __init__(self, asker: Peer, known: set[PeerId] | None = None) -> None:
        self._asker = asker
        self._known = set() if known is None else known

    def __call__(self, answer: Answer, sender: bytes | None) -> Iterator[Holder | Refused]:  # noqa: ARG002 -- a Reader
        """Yield the holder that the answer names."""
        if isinstance(answer, HolderFound):
            yield self._read(answer)

    def _read(self, answer: HolderFound) -> Holder | Refused:
        holder = answer.peer_id
        if holder in self._known:
            return Refused.REPEATED
        if holder == self._asker.peer_id or _is_banned(self._asker, holder):
            return Refused.UNWANTED
        self._known.add(holder)
        return Holder(holder, answer.addresses)


def _is_banned(asker: Peer, peer_id: PeerId) -> bool:
    known = asker.table.get(peer_id)
    return known is not None and known.banned


class Asking(Generic[FoundT]):
    """One question under way, from `begin` until there is enough, nothing more can come, or the time is over."""

    def __init__(self, request: Request, read: Reader[FoundT], widening: Widening, sender: Sender) -> None:
        self.cost = Cost()
        self._request = request
        self._read = read
        self._widening = widening
        self._sender = sender
        self._inbox: asyncio.Queue[Arrived | None] = asyncio.Queue(QUESTION_HITS + 1)  # None: it is over
        self._started = 0.0
        self._next_step = 0.0  # loop time

    @property
    def asked(self) -> Iterable[PeerId]:
        """Whom this node asked itself."""
        return self._widening.asked

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

    def offer(self, arrived: Arrived) -> bool:
        """Take an answer; False when the search has had enough."""
        if self.cost.exceeds(self._request.budget) or self._inbox.qsize() >= QUESTION_HITS:
            return False
        self.cost.messages_received += 1
        self.cost.bytes_received += arrived.size
        self._widening.note_answer(arrived.link, arrived.answer.hops, self._now())
        self._inbox.put_nowait(arrived)
        return True

    async def results(self) -> AsyncGenerator[FoundT, None]:
        """Ask, and yield results as they come, until there are enough or no more can be had."""
        while (arrived := await self._next()) is not None:
            for found in self._read(arrived.answer, arrived.sender):
                if isinstance(found, Refused):
                    self.cost.refused += 1
                    self._sender.refuse(found)
                    continue
                self.cost.note_found(arrived.answer.hops, self._now() - self._started)
                yield found
                if self.cost.found >= self._request.wanted:
                    return

    async def _next(self) -> Arrived | None:
        """Return what arrives next, and ask further whenever it is time; None when the search is over."""
        deadline = self._started + self._request.seconds
        await asyncio.sleep(0)  # a full answer takes milliseconds to check: others get their turn in between
        while self._inbox.empty():
            now = self._now()
            if now >= deadline or self.cost.exceeds(self._request.budget):
                return None
            if now >= self._next_step and not self._widen():
                return None
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(self._next_step, deadline)):
                    return await self._inbox.get()
        return self._inbox.get_nowait() if self._now() < deadline else None

    def _widen(self) -> bool:
        """Ask whom it is time to ask; False when there is nobody left, and no answer to wait for."""
        wait = self._widening.step(self.cost, self._sender, self._now())
        if wait is None:
            return False
        self._next_step = self._now() + wait
        return True

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
