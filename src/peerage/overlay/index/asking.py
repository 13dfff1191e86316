"""One question of this node to several indexes: asked together, merged, and compared.

Invariant: at most `used` indexes work on a question by themselves; another one is asked when one fails, is silent for
too long, or has said all it has and there is not enough yet. So nothing is lost with an index that dies meanwhile.
Results are checked before they are given out (answers.py), and all ends with the question.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import Final, Generic, NamedTuple, cast

from peerage.errors import LimitError, LinkError, RemoteError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.base import Cost, FoundT, Request
from peerage.overlay.checks import Refused
from peerage.overlay.index.answers import Reader
from peerage.overlay.index.comparison import Comparison
from peerage.overlay.index.known import KnownIndexes
from peerage.overlay.index.messages import AskIndex, HolderAnswer, SeekInIndex
from peerage.overlay.index.registrar import Connect
from peerage.overlay.index.rules import IndexRules
from peerage.peer.peer import Peer
from peerage.wire.message import encode

_HERE: Final = Address("127.0.0.1", 0)  # where this node's own index is
_PARTS_WAITING: Final = 16  # parts that wait to be read; more are not taken from the links
_MOST_FAULTS: Final = 64  # refused answers of one index to one question: checking each costs a signature

Question = AskIndex | SeekInIndex


class _Part(NamedTuple):
    """Something has come from an index; no holders at its end."""

    peer_id: PeerId
    holders: Sequence[HolderAnswer]
    remote: Address
    size: int  # bytes of the message; 0 when this node's own index has answered


class _Ended(NamedTuple):
    """An index has said all it has, or has failed."""

    peer_id: PeerId
    worked: bool


class Surroundings(NamedTuple):
    """What a question needs of its node."""

    peer: Peer
    known: KnownIndexes
    rules: IndexRules
    connect: Connect


class Inquiry(Generic[FoundT]):
    """One question under way; `cost` can be read at any time."""

    def __init__(self, request: Request, question: Question, reader: Reader, surroundings: Surroundings) -> None:
        self.cost = Cost()
        self._request = request
        self._question = question
        self._reader = reader
        self._peer, self._known, self._rules, self._connect = surroundings
        self._inbox: asyncio.Queue[_Part | _Ended | None] = asyncio.Queue(_PARTS_WAITING)
        self._comparison = Comparison(question.wanted)
        self._tasks: dict[PeerId, asyncio.Task[None]] = {}
        self._left: deque[PeerId] = deque()
        self._faults: Counter[PeerId] = Counter()
        self._started = 0.0

    async def results(self, own: Sequence[HolderAnswer]) -> AsyncGenerator[FoundT, None]:
        """Yield what is found as it comes, first in the answers of this node's `own` index."""
        self._started = self._now()
        self._left.extend(each.peer_id for each in self._known.usable(self._started))
        if not self._rules.widens:
            self._left = deque(list(self._left)[: self._rules.used])
        try:
            for found in self._read(_Part(self._peer.peer_id, own, _HERE, 0)):
                yield found
            for _ in range(self._rules.used):
                self._ask_next()
            while self._tasks and not self._is_enough() and (event := await self._next()) is not None:
                if isinstance(event, _Ended):
                    self._ended(event)
                    continue
                for found in self._read(event):
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

    # --- who is asked ---------------------------------------------------------------------------------------------

    def _ask_next(self) -> None:
        """Ask one index more, if there is one and the budget allows it."""
        if not self._left or self.cost.exceeds(self._request.budget):
            return
        peer_id = self._left.popleft()
        try:
            self._tasks[peer_id] = self._peer.spawn(self._ask(peer_id), "index question")
        except LimitError:
            self._left.clear()

    async def _ask(self, peer_id: PeerId) -> None:
        known = self._known.get(peer_id)
        if known is not None:
            known.asked += 1
        worked = False
        try:
            connection = await self._connect(peer_id)
            if self._is_enough():
                return
            self.cost.peers_asked += 1
            self.cost.messages_sent += 1
            self.cost.bytes_sent += len(encode(self._question))
            parts = cast(AsyncGenerator, connection.request_parts(self._question, self._request.seconds))  # type: ignore[type-arg]
            async with aclosing(parts):
                async for part in parts:
                    await self._inbox.put(_Part(peer_id, part.holders, connection.remote, len(encode(part))))
            worked = True
        except (LinkError, RemoteError, LimitError):
            self._peer.metrics.count("index_questions_failed")
        await self._inbox.put(_Ended(peer_id, worked))

    def _ended(self, event: _Ended) -> None:
        self._tasks.pop(event.peer_id, None)
        if event.worked:
            self._known.worked(event.peer_id)
            self._comparison.ended(event.peer_id)
        else:
            self._known.did_not_work(event.peer_id, self._now())
        if self._rules.widens:
            self._ask_next()

    # --- what comes -----------------------------------------------------------------------------------------------

    async def _next(self) -> _Part | _Ended | None:
        """Wait for the next event; ask one index more each time that nothing comes for a while."""
        end = self._started + self._request.seconds
        while True:
            pause = self._now() + self._rules.patience if self._rules.widens and self._left else end
            try:
                async with asyncio.timeout_at(min(pause, end)):
                    await asyncio.sleep(
                        0
                    )  # checking a full answer takes milliseconds: others get their turn in between
                    return await self._inbox.get()
            except TimeoutError:
                if self._now() >= end:
                    self._note_silent()
                    return None
                self._ask_next()

    def _note_silent(self) -> None:
        for peer_id in self._tasks:
            self._known.did_not_work(peer_id, self._now())

    def _read(self, part: _Part) -> Iterator[FoundT]:
        """Check what has come; yield what is to be given out."""
        if part.size:
            self.cost.messages_received += 1
            self.cost.bytes_received += part.size
        time = self._peer.clock.time()
        if self._faults[part.peer_id] >= _MOST_FAULTS:
            return
        for each in (each for holder in part.holders for each in self._reader.read(holder, part.remote, time)):
            if isinstance(each, Refused):
                self._refuse(part.peer_id, each)
                if self._faults[part.peer_id] >= _MOST_FAULTS:
                    self._cut_off(part.peer_id)
                    return
                continue
            self._comparison.note(part.peer_id, each.told, time)
            if each.found is not None and self.cost.found < self._request.wanted:
                self.cost.note_found(1, self._now() - self._started)
                yield cast(FoundT, each.found)

    def _refuse(self, index: PeerId, reason: Refused) -> None:
        self._peer.metrics.count("index_refused", reason)
        if reason is Refused.UNWANTED:
            return  # no fault of the index
        self.cost.refused += 1
        self._faults[index] += 1
        known = self._known.get(index)
        if known is not None:
            known.refused += 1

    def _cut_off(self, index: PeerId) -> None:
        """Listen no more to an index that tells rubbish."""
        task = self._tasks.get(index)
        if task is not None:
            task.cancel()
        self._ended(_Ended(index, worked=False))

    def _is_enough(self) -> bool:
        return self.cost.found >= self._request.wanted or self.cost.exceeds(self._request.budget)

    async def _finish(self) -> None:
        tasks = tuple(self._tasks.values())
        self.stop()
        await asyncio.gather(*tasks, return_exceptions=True)
        for verdict in self._comparison.verdicts() if self._rules.checks else ():
            self._known.compared(verdict.peer_id, verdict.compared, verdict.omitted)
            if verdict.omitted:
                self._peer.metrics.count("index_omissions", amount=verdict.omitted)
        self.cost.seconds = self._now() - self._started

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
