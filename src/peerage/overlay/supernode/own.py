"""A supernode's own searches: first among its leaves, then among the other supernodes, as one search with one cost.

Invariant: what a leaf brought is checked as anything else before it is given out, and nothing is given out twice.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from typing import Final

from peerage.catalogue.query import Query
from peerage.errors import StoreError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.base import FoundT, Hit, Holder, LocateRequest, Request, Search, SearchRequest
from peerage.overlay.checks import Refused
from peerage.overlay.flood.asking import HitReader as RemoteHits
from peerage.overlay.flood.asking import HolderReader as RemoteHolders
from peerage.overlay.flood.engine import Flooding
from peerage.overlay.supernode.answering import SupernodeAnswerer
from peerage.overlay.supernode.reading import HitReader, HolderReader, Read, View
from peerage.overlay.supernode.surroundings import Surroundings

_HERE: Final = Address("127.0.0.1", 0)  # leaves' addresses have no gaps any more
_HOPS: Final = 1

_Local = Callable[[], Awaitable[Iterable[Read[FoundT] | Refused]]]


class OwnSearch:
    """Begins such searches."""

    def __init__(self, around: Surroundings, engine: Flooding, answerer: SupernodeAnswerer) -> None:
        self._around = around
        self._engine = engine
        self._answerer = answerer
        self._view = View(around.peer.peer_id, around.is_banned)

    def search(self, request: SearchRequest, query: Query) -> Search[Hit]:
        """Search for records."""
        given: set[bytes] = set()

        async def local() -> Iterator[Read[Hit] | Refused]:
            here = await self._answerer.find_of_leaves(query, request.wanted)
            given.update(raw for each in here for raw in each.records)
            read = HitReader(query, self._view)
            return (each for holder in here for each in read(holder, _HERE))

        return self._whole(request, local, self._engine.ask(request, RemoteHits(query, self._around.peer, given)))

    def locate(self, request: LocateRequest, locator: bytes) -> Search[Holder]:
        """Search for holders."""
        given: set[PeerId] = set()

        async def local() -> Iterator[Read[Holder] | Refused]:
            here = await self._answerer.holders_of_leaves(locator)
            given.update(each.peer_id for each in here)
            read = HolderReader(self._view)
            return (each for holder in here for each in read(holder, _HERE))

        remote = self._engine.seek(locator, request, RemoteHolders(self._around.peer, given))
        return self._whole(request, local, remote)

    def _whole(self, request: Request, local: _Local[FoundT], remote: Search[FoundT]) -> Search[FoundT]:
        """Put both parts together; what was found here counts as found in the cost of the other part."""

        async def results() -> AsyncGenerator[FoundT, None]:
            cost, begun = remote.cost, self._around.now()
            async with remote:
                try:
                    found_here = await local()
                except StoreError:
                    self._around.peer.metrics.count("supernode_dropped", "store")
                    found_here = ()
                for each in found_here:
                    if isinstance(each, Refused) or each.found is None or cost.found >= request.wanted:
                        continue
                    cost.note_found(_HOPS, self._around.now() - begun)
                    yield each.found
                if cost.found >= request.wanted:
                    cost.seconds = self._around.now() - begun
                    return
                async for found in remote:
                    yield found

        return Search(results(), remote.cost)
