"""A search of this node among old peers.

Invariant: every answer is unverified: only the name, the place and who said so are known. The question is open exactly
while the search is entered; answers come to the classic port, are bounded in number, and end with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Self

from peerage.classic.file_names import is_sendable
from peerage.classic.questions import OldHit, Question
from peerage.errors import DialError
from peerage.identity.address import Address
from peerage.limits import CLASSIC_TTL
from peerage.wire.classic import Frame, QueryRequest

if TYPE_CHECKING:
    from peerage.classic.old_peers import OldPeers


class OldSearch:
    """Asks as soon as it is entered; iterate over it for the hits. `asked` counts the peers that heard it."""

    def __init__(self, old_peers: OldPeers, keys: tuple[str, ...], seconds: float) -> None:
        self._old_peers = old_peers
        self._keys = tuple(key for key in keys if is_sendable(key))
        self._hits: asyncio.Queue[OldHit] = asyncio.Queue()  # bounded by the question
        self._number: int | None = None
        self._seconds = seconds
        self._until = 0.0
        self.asked = 0

    async def __aenter__(self) -> Self:
        peers = self._old_peers
        self._until = _now() + self._seconds
        if self._keys and len(peers.table) and peers.whereabouts.listening is not None and not peers.questions.full:
            self._number = peers.questions.begin(Question(self._keys, self._hits.put_nowait))
            for known in peers.table.all():
                peers.spawn(self._ask(known.address))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._number is not None:
            self._old_peers.questions.end(self._number)
            self._number = None

    def __aiter__(self) -> AsyncIterator[OldHit]:
        return self.hits()

    async def hits(self) -> AsyncGenerator[OldHit, None]:
        """Yield hits as they come, until its seconds are over; they began when it was entered."""
        while self._number is not None:
            left = self._until - _now()
            try:
                async with asyncio.timeout(max(left, 0.0)):
                    hit = await self._hits.get()
            except TimeoutError:
                return
            yield hit

    async def _ask(self, address: Address) -> None:
        for key in self._keys:
            if self._number is None:
                return
            try:
                await self._old_peers.asking.ask_as(address, lambda local, key=key: self._query(local, key), bool)  # type: ignore[misc]
            except DialError:
                self._old_peers.table.missed(address)
                return
            self.asked += 1

    def _query(self, local: Address, key: str) -> Frame:
        return QueryRequest(self._old_peers.whereabouts.id_at(local), key, CLASSIC_TTL).frame()


def _now() -> float:
    return asyncio.get_running_loop().time()
