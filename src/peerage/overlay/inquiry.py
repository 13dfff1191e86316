"""One question of this node to several peers that answer in parts: who is asked when, and how it ends.

Invariant: no peer is asked twice by one question, and all ends with the question; what comes is bounded by
`parts_waiting`, and whoever has told MOST_FAULTS untrue things is heard no more. Whom to ask, what counts as too little
and whether a result is true is said by those that derive from it: an index's question and a supernode's.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import Any, ClassVar, Final, Generic, NamedTuple, cast

from peerage.errors import LimitError, LinkError, RemoteError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.base import Cost, FoundT, Request
from peerage.overlay.checks import Refused
from peerage.peer.connection import PeerConnection
from peerage.peer.peer import Peer
from peerage.wire.message import Request as Question
from peerage.wire.message import encode

MOST_FAULTS: Final = 64  # untrue things from one peer in one question: checking each costs a signature
_HERE: Final = Address("127.0.0.1", 0)  # where this node's own answers come from


class Part(NamedTuple):
    """Something has come from a peer; `size` is the bytes of the message, 0 for this node's own answers."""

    peer_id: PeerId
    holders: Sequence[Any]
    remote: Address
    size: int


class Ended(NamedTuple):
    """A peer has said all it has, or has failed."""

    peer_id: PeerId
    worked: bool


class Checked(NamedTuple, Generic[FoundT]):
    """A result that was checked, None when it was given out before; `hops` is how far away it came from."""

    found: FoundT | None
    hops: int = 1


class Inquiry(ABC, Generic[FoundT]):
    """One question under way; `cost` can be read at any time. `name` begins the names of its tasks and counters."""

    name: ClassVar[str]
    parts_waiting: ClassVar[int]  # parts that wait to be read; more are not taken from the links

    def __init__(self, request: Request, question: Question[Any], peer: Peer) -> None:
        self.cost = Cost()
        self._request = request
        self._question = question
        self._peer = peer
        self._inbox: asyncio.Queue[Part | Ended | None] = asyncio.Queue(self.parts_waiting)
        self._tasks: dict[PeerId, asyncio.Task[None]] = {}
        self._left: deque[PeerId] = deque()
        self._faults: Counter[PeerId] = Counter()
        self._started = 0.0

    def stop(self) -> None:
        """End the question: nothing more is waited for."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()
        if not self._inbox.full():
            self._inbox.put_nowait(None)

    # --- what a kind of question says -----------------------------------------------------------------------------

    @abstractmethod
    async def _reach(self, peer_id: PeerId) -> PeerConnection:
        """Return a link to one that is to be asked; raises LinkError, RemoteError or LimitError."""

    @abstractmethod
    def _check(self, peer_id: PeerId, holder: Any, remote: Address) -> Iterator[Checked[FoundT] | Refused]:
        """Check what one peer tells of one holder."""

    @abstractmethod
    def _blame(self, peer_id: PeerId) -> None:
        """Note that a peer told something untrue."""

    @abstractmethod
    def _note_end(self, peer_id: PeerId, *, worked: bool) -> bool:
        """Note how it went with one; returns whether another one is to be asked in its place."""

    @abstractmethod
    def _more_at(self) -> float | None:
        """Return when one more is to be asked if nothing happens until then; None for never."""

    @abstractmethod
    def _compare(self) -> None:
        """Judge, at the end, those who answered."""

    def _note_silent(self) -> None:
        """Note, when the time is up, who still has not said all; overridden where that matters."""

    # --- who is asked ---------------------------------------------------------------------------------------------

    async def _ask(self, whom: Iterable[PeerId], at_once: int, own: Sequence[Any]) -> AsyncGenerator[FoundT, None]:
        """Yield what this node's `own` answers bring, then ask so many of `whom` at once, others when needed."""
        self._started = self._now()
        self._left.extend(whom)
        try:
            for found in self._read(Part(self._peer.peer_id, own, _HERE, 0)):
                yield found
            for _ in range(at_once):
                self._ask_next()
            while self._tasks and not self._is_enough() and (event := await self._next()) is not None:
                if isinstance(event, Ended):
                    self._ended(event)
                    continue
                for found in self._read(event):
                    yield found
        finally:
            await self._finish()

    def _ask_next(self) -> None:
        """Ask one more, if there is one and the budget allows it."""
        if not self._left or self.cost.exceeds(self._request.budget):
            return
        peer_id = self._left.popleft()
        try:
            self._tasks[peer_id] = self._peer.spawn(self._ask_one(peer_id), f"{self.name} question")
        except LimitError:
            self._left.clear()

    async def _ask_one(self, peer_id: PeerId) -> None:
        worked = False
        try:
            connection = await self._reach(peer_id)
            if self._is_enough():
                return
            self.cost.peers_asked += 1
            self.cost.messages_sent += 1
            self.cost.bytes_sent += len(encode(self._question))
            parts = cast(AsyncGenerator[Any, None], connection.request_parts(self._question, self._request.seconds))
            async with aclosing(parts):
                async for part in parts:
                    await self._inbox.put(Part(peer_id, part.holders, connection.remote, len(encode(part))))
            worked = True
        except (LinkError, RemoteError, LimitError):
            self._peer.metrics.count(f"{self.name}_questions_failed")
        await self._inbox.put(Ended(peer_id, worked))

    def _ended(self, event: Ended) -> None:
        self._tasks.pop(event.peer_id, None)
        if self._note_end(event.peer_id, worked=event.worked):
            self._ask_next()

    # --- what comes -----------------------------------------------------------------------------------------------

    async def _next(self) -> Part | Ended | None:
        """Wait for the next event; ask one more each time that too little comes for a while."""
        end = self._started + self._request.seconds
        while True:
            more_at = self._more_at() if self._left else None
            try:
                async with asyncio.timeout_at(end if more_at is None else min(more_at, end)):
                    await asyncio.sleep(0)  # checking a full answer takes milliseconds: others get their turn
                    return await self._inbox.get()
            except TimeoutError:
                if self._now() >= end:
                    self._note_silent()
                    return None
                self._ask_next()

    def _read(self, part: Part) -> Iterator[FoundT]:
        """Check what has come; yield what is to be given out."""
        if part.size:
            self.cost.messages_received += 1
            self.cost.bytes_received += part.size
        if self._faults[part.peer_id] >= MOST_FAULTS:
            return  # it came before the link to its peer was cut
        for each in (each for holder in part.holders for each in self._check(part.peer_id, holder, part.remote)):
            if isinstance(each, Refused):
                self._refuse(part.peer_id, each)
                if self._faults[part.peer_id] >= MOST_FAULTS:
                    self._cut_off(part.peer_id)
                    return
            elif each.found is not None and self.cost.found < self._request.wanted:
                self.cost.note_found(each.hops, self._now() - self._started)
                yield each.found

    def _refuse(self, peer_id: PeerId, reason: Refused) -> None:
        self._peer.metrics.count(f"{self.name}_refused", reason)
        if reason is not Refused.UNWANTED:  # which is no fault of whoever told it
            self.cost.refused += 1
            self._faults[peer_id] += 1
            self._blame(peer_id)

    def _cut_off(self, peer_id: PeerId) -> None:
        """Listen no more to one that tells rubbish."""
        task = self._tasks.get(peer_id)
        if task is not None:
            task.cancel()
        self._ended(Ended(peer_id, worked=False))

    # --- the end ----------------------------------------------------------------------------------------------------

    def _is_enough(self) -> bool:
        return self.cost.found >= self._request.wanted or self.cost.exceeds(self._request.budget)

    async def _finish(self) -> None:
        tasks = tuple(self._tasks.values())
        self.stop()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._compare()
        self.cost.seconds = self._now() - self._started

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
