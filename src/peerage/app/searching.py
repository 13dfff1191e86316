"""Searching: the own catalogue at once, then every overlay, with equal content put together to one hit.

Invariant: a hit is shown only when its record answers the query and its signature was checked; the same content under
different names is one hit with several holders. A search ends by its limit, by its deadline, or when nothing new has
come for a quarter of that time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple

import msgspec

from peerage.app import views
from peerage.app.api import models
from peerage.app.arrivals import Arrivals
from peerage.app.recent import RecentHits
from peerage.catalogue.database import Database
from peerage.catalogue.query import Query
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Record
from peerage.errors import LocalError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, format_id
from peerage.identity.link import ContentLink
from peerage.limits import MAX_ADDRESSES, MAX_SEARCH_HITS, MAX_SEARCH_SECONDS
from peerage.overlay.base import Hit as Found
from peerage.overlay.base import Overlay, Search, SearchRequest
from peerage.peer.peer import Peer

DEFAULT_LIMIT: Final = 100
_ENOUGH_HOLDERS: Final = 4  # records asked for per hit wanted, so that a popular content does not use up the answer
_QUIET_SHARE: Final = 4  # answers come within two seconds or so; who waits for more says so with a longer deadline
_LEAST_QUIET: Final = 2.0
_WAIT_FOR_NEIGHBOURS: Final = 3.0  # seconds: a node that has just started has nobody to ask yet


class SearchParts(NamedTuple):
    """What a search needs."""

    peer: Peer
    database: Database
    overlays: Sequence[Overlay]
    arrivals: Arrivals
    recent: RecentHits


class SearchRun:
    """A search under way; iterate over it to have each hit as it comes.

    `updates` gives each hit again, with the same number, when more holders are known.
    """

    def __init__(self, parts: SearchParts, text: str, limit: int, seconds: float) -> None:
        if not 1 <= limit <= MAX_SEARCH_HITS:
            raise LocalError(f"a search gives 1 to {MAX_SEARCH_HITS} hits, not {limit}")
        if not 0 < seconds <= MAX_SEARCH_SECONDS:
            raise LocalError(f"a search lasts at most {MAX_SEARCH_SECONDS:.0f} seconds, and more than none")
        self._parts = parts
        self._query: Query = parse(text)
        self._text = text
        self._limit = limit
        self._seconds = seconds
        self._reason = "complete"
        self._began = asyncio.get_running_loop().time()
        self._ended = self._began
        self._searches: list[Search[Found]] = []
        self._numbers: dict[str, int] = {}  # by content id
        self._hits = parts.recent.begin()

    @property
    def summary(self) -> models.SearchEnded:
        """What came of it and what it cost, so far or in the end."""
        costs = [search.cost for search in self._searches]
        return models.SearchEnded(
            hits=len(self._hits),
            messages=sum(cost.messages_sent + cost.messages_received for cost in costs),
            bytes=sum(cost.bytes_sent + cost.bytes_received for cost in costs),
            seconds=self._ended - self._began,
            reason=self._reason,
        )

    def hits(self) -> list[models.Hit]:
        """Return what was found so far, each content once with all its holders."""
        return list(self._hits.values())

    async def __aiter__(self) -> AsyncIterator[models.Hit]:
        async with aclosing(self.updates()) as updates:
            last = 0
            async for hit in updates:
                if hit.number > last:
                    last = hit.number
                    yield hit

    async def updates(self) -> AsyncGenerator[models.Hit, None]:
        """Give each hit as it comes, and again when it has more holders; can be used once."""
        try:
            for record in await self._parts.database.search(self._query, self._limit):
                if (hit := self._take(record, self._places(record.peer_id))) is not None:
                    yield hit
            await self._parts.arrivals.wait(min(_WAIT_FOR_NEIGHBOURS, self._seconds / 2))
            for overlay in self._parts.overlays:
                if len(self._hits) >= self._limit:
                    break
                async with aclosing(self._ask(overlay)) as found:
                    async for hit in found:
                        yield hit
        finally:
            self._finish()
            await self._parts.peer.in_thread(self._parts.recent.save)

    def _finish(self) -> None:
        self._ended = asyncio.get_running_loop().time()
        if len(self._hits) >= self._limit:
            self._reason = "limit"
        elif self._ended - self._began >= self._seconds:
            self._reason = "timeout"

    async def _ask(self, overlay: Overlay) -> AsyncGenerator[models.Hit, None]:
        left = self._seconds - (asyncio.get_running_loop().time() - self._began)
        if left <= 0:
            return
        wanted = min(MAX_SEARCH_HITS, _ENOUGH_HOLDERS * self._limit)
        search = overlay.search(SearchRequest(text=self._text, wanted=wanted, deadline=left))
        self._searches.append(search)
        async with search:
            while (found := await self._next(search)) is not None:
                places = (*found.holder.addresses, *self._places(found.record.peer_id))
                hit = self._take(found.record, tuple(dict.fromkeys(places))[:MAX_ADDRESSES])
                if hit is not None:
                    self._parts.peer.table.credit(found.record.peer_id, hits_from=1)
                    yield hit
                if len(self._hits) >= self._limit:
                    return

    async def _next(self, search: Search[Found]) -> Found | None:
        """Return what comes next, None at the end or when it has become quiet."""
        try:
            async with asyncio.timeout(max(_LEAST_QUIET, self._seconds / _QUIET_SHARE)):
                return await anext(search)
        except (StopAsyncIteration, TimeoutError):
            return None

    def _places(self, peer_id: PeerId) -> tuple[Address, ...]:
        known = self._parts.peer.table.get(peer_id)
        return known.addresses if known is not None else ()

    def _take(self, record: Record, places: tuple[Address, ...]) -> models.Hit | None:
        """Put a record to the hit of its content; None when that says nothing new, or its holder is banned."""
        known = self._parts.peer.table.get(record.peer_id)
        if known is not None and known.banned:
            return None
        content_id = format_id(record.content)
        number = self._numbers.setdefault(content_id, len(self._numbers) + 1)
        hit = self._hits.get(number) or _new_hit(record, number)
        if record.peer_id == self._parts.peer.peer_id:
            fresh = msgspec.structs.replace(hit, mine=True)
        else:
            fresh = _with_holder(hit, views.holder_view(record, places))
        if fresh == self._hits.get(number):
            return None
        self._hits[number] = fresh
        return fresh


def _new_hit(record: Record, number: int) -> models.Hit:
    return models.Hit(
        number=number,
        link=str(ContentLink(content=record.content, name=record.name, size=record.size)),
        content_id=format_id(record.content),
        name=record.name,
        size=record.size,
        sources=0,
        type=record.media_type.value,
        meta=views.media_view(record.meta),
        mime=record.mime,
        path="/".join(record.path),
        holders=[],
    )


def _with_holder(hit: models.Hit, holder: models.Holder) -> models.Hit:
    """Return the hit with one more holder, or with more known about one."""
    holders = {each.peer_id: each for each in hit.holders}
    known = holders.setdefault(holder.peer_id, holder)
    places = list(dict.fromkeys((*known.addresses, *holder.addresses)))[:MAX_ADDRESSES]
    holders[holder.peer_id] = msgspec.structs.replace(known, addresses=places)
    listed = list(holders.values())
    link = views.link_of(hit.content_id, hit.name, hit.size, listed)
    return msgspec.structs.replace(hit, holders=listed, sources=len(listed), link=str(link))
