"""One question of a leaf to its supernodes: one is asked, the others when that fails, is silent, or brings little.

Invariant: no supernode is asked twice, and all ends with the question; so the loss of one meanwhile costs a moment, not
a result. Results are checked before they are given out (reading.py), answers are compared at the end (comparison.py).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import Any, Final, Generic, NamedTuple, cast

from peerage.errors import LimitError, LinkError, RemoteError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.base import Cost, FoundT, Request
from peerage.overlay.checks import Refused
from peerage.overlay.supernode.comparison import Comparison, Verdict
from peerage.overlay.supernode.messages import AskSupernode, SeekAtSupernode
from peerage.overlay.supernode.reading import Read
from peerage.overlay.supernode.surroundings import Surroundings
from peerage.wire.message import encode

_PARTS_WAITING: Final = 32  # parts that wait to be read; more are not taken from the links
_MOST_FAULTS: Final = 64  # untrue results of one supernode to one question: checking each costs a signature

Question = AskSupernode | SeekAtSupernode
Reader = Callable[[Any, Address], Iterator[Read[FoundT] | Refused]]


class _Part(NamedTuple):
    """Something has come from a supernode."""

    peer_id: PeerId
    holders: Sequence[Any]
    remote: Address
    size: int  # bytes of the message


class _Ended(NamedTuple):
    """A supernode has said all it has, or has failed."""

    peer_id: PeerId
    worked: bool


class Inquiry(Generic[FoundT]):
    """One question under way; `cost` can be read at any time, `on_verdict` is told at the end."""

    def __init__(self, request: Request, question: Question, read: Reader[FoundT], around: Surroundings) -> None:
        self.cost = Cost()
        self.on_verdict: Callable[[Verdict], None] = lambda _verdict: None
        self._request = request
        self._question = question
        self._read = read
        self._around = around
        self._peer = around.peer
        self._inbox: asyncio.Queue[_Part | _Ended | None] = asyncio.Queue(_PARTS_WAITING)
        self._comparison = Comparison(request.wanted)
        self._tasks: dict[PeerId, asyncio.Task[None]] = {}
        self._left: deque[PeerId] = deque()
        self._started = 0.0
        self._ask_more_at = 0.0

    async def results(self, supernodes: Iterable[PeerId]) -> AsyncGenerator[FoundT, None]:
        """Ask these in turn, and yield what is found as it comes."""
        self._started = self._now()
        self._left.extend(supernodes)
        try:
            self._ask_next()
            while self._tasks and not self._is_enough() and (event := await self._next()) is not None:
                if isinstance(event, _Ended):
                    self._ended(event)
                    continue
                for found in self._take(event):
                    yield found
        finally:
            await self._finish()

    def stop(self) -> None:
        """End the question: nothing more is waited for."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()
        if not self._inbox.full():
            self._inbox.put_nowait(None)

    # --- who is asked -------------------------------------------------------------------------------------------------

    def _ask_next(self) -> None:
        """Ask one supernode more, if there is one and the budget allows it."""
        self._ask_more_at = self._now() + self._around.rules.patience
        if not self._left or self.cost.exceeds(self._request.budget):
            return
        peer_id = self._left.popleft()
        try:
            self._tasks[peer_id] = self._peer.spawn(self._ask(peer_id), "supernode question")
        except LimitError:
            self._left.clear()

    async def _ask(self, peer_id: PeerId) -> None:
        worked = False
        try:
            connection = await self._around.reach(peer_id)
            self._comparison.begin(peer_id)
            self.cost.peers_asked += 1
            self.cost.messages_sent += 1
            self.cost.bytes_sent += len(encode(self._question))
            parts = cast(AsyncGenerator[Any, None], connection.request_parts(self._question, self._request.seconds))
            async with aclosing(parts):
                async for part in parts:
                    await self._inbox.put(_Part(peer_id, part.holders, connection.remote, len(encode(part))))
            worked = True
        except (LinkError, RemoteError, LimitError):
            self._peer.metrics.count("supernode_questions_failed")
        await self._inbox.put(_Ended(peer_id, worked))

    def _ended(self, event: _Ended) -> None:
        self._tasks.pop(event.peer_id, None)
        if event.worked:
            self._comparison.ended(event.peer_id)
        if not event.worked or self._is_little():
            self._ask_next()

    # --- what comes ---------------------------------------------------------------------------------------------------

    async def _next(self) -> _Part | _Ended | None:
        """Wait for the next event; ask one supernode more each time that little comes for a while."""
        end = self._started + self._request.seconds
        while True:
            waits = bool(self._left) and self._is_little()
            try:
                async with asyncio.timeout_at(min(self._ask_more_at, end) if waits else end):
                    return await self._inbox.get()
            except TimeoutError:
                if self._now() >= end:
                    return None
                self._ask_next()

    def _take(self, part: _Part) -> Iterator[FoundT]:
        """Check what has come; yield what is to be given out."""
        self.cost.messages_received += 1
        self.cost.bytes_received += part.size
        for each in (each for holder in part.holders for each in self._read(holder, part.remote)):
            if isinstance(each, Refused):
                if self._refuse(part.peer_id, each):
                    return
                continue
            self._comparison.note(part.peer_id, each.key)
            if each.found is not None and self.cost.found < self._request.wanted:
                self.cost.note_found(each.hops + 1, self._now() - self._started)
                yield each.found

    def _refuse(self, supernode: PeerId, reason: Refused) -> bool:
        """Count what is untrue; returns whether this supernode is listened to no more."""
        self._peer.metrics.count("supernode_refused", reason)
        if reason is Refused.UNWANTED:
            return False  # no fault of the supernode
        self.cost.refused += 1
        if self._comparison.refused(supernode) < _MOST_FAULTS:
            return False
        task = self._tasks.get(supernode)
        if task is not None:
            task.cancel()
        self._ended(_Ended(supernode, worked=False))
        return True

    def _is_enough(self) -> bool:
        return self.cost.found >= self._request.wanted or self.cost.exceeds(self._request.budget)

    def _is_little(self) -> bool:
        return self.cost.found < min(self._request.wanted, self._around.rules.few)

    async def _finish(self) -> None:
        tasks = tuple(self._tasks.values())
        self.stop()
        await asyncio.gather(*tasks, return_exceptions=True)
        for verdict in self._comparison.verdicts():
            self.on_verdict(verdict)
        self.cost.seconds = self._now() - self._started

    def _now(self) -> float:
        return self._around.now()
