"""What every overlay offers, whatever its generation: publish, withdraw, search, locate, and what a search cost.

Invariant: a `Hit` carries a record that answers the query and whose signature was checked; a `Holder` is a hint, proved
only when the peer at one of its addresses proves its id. The interface knows no messages and no topology, and nothing
here decides which overlay is asked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

import msgspec

from peerage.catalogue.record import Record
from peerage.errors import LocalError
from peerage.identity.address import Address
from peerage.identity.keys import ID_BYTES, PeerId
from peerage.limits import (
    MAX_SEARCH_HITS,
    MAX_SEARCH_SECONDS,
    MAX_SEARCH_TTL,
    SEARCH_BYTES,
    SEARCH_MESSAGES,
    SEARCH_SECONDS,
    SEARCH_TTL,
)
from peerage.peer.service import Service

FoundT = TypeVar("FoundT")


class Holder(msgspec.Struct, frozen=True):
    """A peer that says it has a content, and where it says it can be dialled; perhaps nowhere."""

    peer_id: PeerId
    addresses: tuple[Address, ...]


class Hit(msgspec.Struct, frozen=True):
    """An answer to a search, checked; `hops` is how many links away the answer came from."""

    record: Record
    holder: Holder
    hops: int = 1


class Budget(msgspec.Struct, frozen=True):
    """What a search may cost this node at the most, sent and received together; it ends when that is reached."""

    messages: int = SEARCH_MESSAGES
    bytes: int = SEARCH_BYTES


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What bounds a search: `wanted` results, `deadline` seconds from its start, `ttl` links from here.

    Raises LocalError when a bound makes no sense. A deadline above 30 seconds counts as 30.
    """

    wanted: int = 100
    deadline: float = SEARCH_SECONDS
    ttl: int = SEARCH_TTL
    budget: Budget = Budget()

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if not 1 <= self.wanted <= MAX_SEARCH_HITS:
            raise LocalError(f"a search wants 1 to {MAX_SEARCH_HITS} results, not {self.wanted}")
        if not 1 <= self.ttl <= MAX_SEARCH_TTL:
            raise LocalError(f"a search goes 1 to {MAX_SEARCH_TTL} links far, not {self.ttl}")
        if not self.deadline > 0:
            raise LocalError(f"a search needs more than {self.deadline} seconds")
        if self.budget.messages < 1 or self.budget.bytes < 1:
            raise LocalError("a search needs a budget of at least one message and one byte")

    @property
    def seconds(self) -> float:
        """How long the search lasts at the most."""
        return min(self.deadline, MAX_SEARCH_SECONDS)


class SearchRequest(Request, frozen=True):
    """Find records by a query text, as catalogue/query_parser.py reads it."""

    text: str


class LocateRequest(Request, frozen=True):
    """Find peers that have one content, whole or in part."""

    content_id: bytes

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        super().__post_init__()
        if len(self.content_id) != ID_BYTES:
            raise LocalError(f"a content id has {ID_BYTES} bytes, not {len(self.content_id)}")


class Cost(msgspec.Struct, kw_only=True):
    """What a search cost this node so far; seconds are counted from its start."""

    messages_sent: int = 0
    messages_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    peers_asked: int = 0  # whom this node sent the question to itself
    hops: int = 0  # how far away the farthest result came from
    found: int = 0  # results that were given out
    refused: int = 0  # results that were forged, off the question, repeated or not for us
    first_found: float | None = None  # seconds to the first result
    seconds: float = 0.0  # how long it took, once it has ended

    def exceeds(self, budget: Budget) -> bool:
        """Whether the budget is used up."""
        return (
            self.messages_sent + self.messages_received >= budget.messages
            or self.bytes_sent + self.bytes_received >= budget.bytes
        )

    def note_found(self, hops: int, seconds: float) -> None:
        """Count one result, `seconds` after the start."""
        self.found += 1
        self.hops = max(self.hops, hops)
        if self.first_found is None:
            self.first_found = seconds


class Search(Generic[FoundT]):
    """A search under way: iterate over it to have each result as it comes; `cost` can be read at any time.

    It begins with the first step and ends by itself; `async with` ends it earlier. The iteration raises LimitError when
    this node asks too much at once.
    """

    def __init__(self, results: AsyncGenerator[FoundT, None], cost: Cost) -> None:
        self._results = results
        self._cost = cost

    @property
    def cost(self) -> Cost:
        """What it has cost so far."""
        return self._cost

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> FoundT:
        return await anext(self._results)

    async def aclose(self) -> None:
        """End the search; a second call does nothing."""
        await self._results.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class Overlay(Service, ABC):
    """One way to find things; a Service that is mounted on a Peer."""

    @abstractmethod
    async def publish(self, records: Sequence[Record]) -> None:
        """Let others find these records of this node, as far as their visibility allows it.

        Called for everything that is shared at each start, and for what comes later. A record replaces the one with the
        same content and slot.
        """

    @abstractmethod
    async def withdraw(self, records: Sequence[Record]) -> None:
        """Let these records of this node be found no more; unknown ones do not matter."""

    @abstractmethod
    def search(self, request: SearchRequest) -> Search[Hit]:
        """Search other peers' shares; this node's own and repeated records are left out.

        Raises QueryError when the text cannot be parsed.
        """

    @abstractmethod
    def locate(self, request: LocateRequest) -> Search[Holder]:
        """Search for other peers that have a content, each of them once."""
