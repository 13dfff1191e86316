"""Searching, as a person sees it: one list of contents that grows, whichever overlay brings the hits.

Invariant: a hit is shown only when its record answers the query and its signature was checked; the same content under
different names is one hit with several holders, and keeps the number that it was first shown with. Whom to ask, when,
and how equal contents are put together is decided in overlay/.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final, NamedTuple

import msgspec

from peerage.app import views
from peerage.app.api import models
from peerage.app.arrivals import Arrivals
from peerage.app.classic_port import ClassicPort
from peerage.app.old_hits import answers, hit_view
from peerage.app.opinions import Opinions
from peerage.app.recent import RecentHits
from peerage.catalogue.query_parser import parse
from peerage.classic.questions import OldHit
from peerage.classic.searching import OldSearch
from peerage.errors import LocalError
from peerage.identity.keys import PeerId, parse_id
from peerage.limits import MAX_ADDRESSES, MAX_SEARCH_HITS, MAX_SEARCH_SECONDS, SEARCH_SECONDS
from peerage.overlay.base import Budget, Cost, Hit, Holder, SearchRequest
from peerage.overlay.hits import HitMerger, Judge, MergedHit
from peerage.overlay.planner import LocalCatalogue, Over, PlannedSearch, Planner
from peerage.peer.peer import Peer

DEFAULT_LIMIT: Final = 100
_ENOUGH_HOLDERS: Final = 4  # records asked for per hit wanted, so that a popular content does not use up the answer
_WAIT_FOR_NEIGHBOURS: Final = 3.0  # seconds: a node that has just started has nobody to ask yet
_FADE: Final = 3600.0  # seconds after which having met somebody counts half
_REASONS: Final[dict[Over | None, models.SearchReason]] = {
    Over.FOUND: "limit",
    Over.TIME: "timeout",
    Over.BUDGET: "budget",
}


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched for: at most `limit` contents, `seconds` and what the budget allows; raises LocalError."""

    text: str
    limit: int = DEFAULT_LIMIT
    seconds: float = SEARCH_SECONDS
    budget: Budget = Budget()

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if not 1 <= self.limit <= MAX_SEARCH_HITS:
            raise LocalError(f"a search gives 1 to {MAX_SEARCH_HITS} hits, not {self.limit}")
        if not 0 < self.seconds <= MAX_SEARCH_SECONDS:
            raise LocalError(f"a search lasts at most {MAX_SEARCH_SECONDS:.0f} seconds, and more than none")

    def request(self) -> SearchRequest:
        """Return it as the overlays take it: several records of one content are one hit."""
        wanted = min(MAX_SEARCH_HITS, _ENOUGH_HOLDERS * self.limit)
        return SearchRequest(text=self.text, wanted=wanted, deadline=self.seconds, budget=self.budget)


class SearchParts(NamedTuple):
    """What a search needs; `local` is one of the planner's overlays."""

    peer: Peer
    planner: Planner
    local: LocalCatalogue
    arrivals: Arrivals
    opinions: Opinions
    classic: ClassicPort


class SearchRun:
    """A search under way; iterate over it to have each hit as it comes; `recent` is where its hits are remembered.

    `updates` gives each hit again, with the same number, when more holders are known.
    """

    def __init__(self, parts: SearchParts, wish: Wish, recent: RecentHits | None = None) -> None:
        query = parse(wish.text)
        self._query = query
        self._parts = parts
        self._wish = wish
        self._merger = HitMerger(query, parts.peer.peer_id, judge_of(parts.peer, parts.opinions))
        self._search: PlannedSearch[Hit] = parts.planner.search(wish.request())
        self._reason: models.SearchReason = "complete"
        self._began = asyncio.get_running_loop().time()
        self._ended = self._began
        self._recent = recent
        self._hits: dict[int, models.Hit] = recent.begin() if recent is not None else {}
        self._numbers: dict[bytes, int] = {}  # by content id
        self._unverified: list[int] = []

    @property
    def summary(self) -> models.SearchEnded:
        """What came of it, what it cost and whom it asked, so far or in the end."""
        cost: Cost = self._search.cost
        return models.SearchEnded(
            hits=len(self._hits),
            messages=cost.messages_sent + cost.messages_received,
            bytes=cost.bytes_sent + cost.bytes_received,
            seconds=self._ended - self._began,
            reason=self._reason,
            ranking=[*(self._numbers[merged.content] for merged in self._merger.ranked()), *self._unverified],
            stages=[views.stage_view(stage) for stage in self._search.stages],
        )

    def hits(self) -> list[models.Hit]:
        """Return what was found so far, each content once with all its holders, in the order in which it came."""
        return list(self._hits.values())

    def ranked(self) -> list[models.Hit]:
        """Return what was found so far, the best first."""
        return [self._hits[number] for number in self.summary.ranking]

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
            async with aclosing(self._arriving()) as arriving:
                async for hit in arriving:
                    yield hit
            await self._parts.opinions.vet(self._merger.ranked(), self._wish.seconds / 2)
            for merged in self._merger.ranked():
                if (fresh := self._view(merged)) is not None:
                    yield fresh
        finally:
            self._finish()
            if self._recent is not None:
                await self._parts.peer.in_thread(self._recent.save)

    async def _arriving(self) -> AsyncGenerator[models.Hit, None]:
        """Yield hits as they come, until there are enough."""
        async with self._among_old_peers() as old:
            async with aclosing(self._found()) as found:
                async for each in found:
                    if (hit := self._take(each)) is not None:
                        yield hit
                    if len(self._hits) >= self._wish.limit:
                        return
            async with aclosing(old.hits()) as told:
                async for answer in told:
                    if (unverified := self._take_old(answer)) is not None:
                        yield unverified
                    if len(self._hits) >= self._wish.limit:
                        return

    async def _found(self) -> AsyncGenerator[Hit, None]:
        """Yield what is found; while nobody is there yet to be asked, what this node has itself."""
        if self._parts.arrivals.may_come:
            async with self._parts.local.search(self._wish.request()) as own:
                async for hit in own:
                    yield hit
            await self._parts.arrivals.wait(min(_WAIT_FOR_NEIGHBOURS, self._wish.seconds / 2))
        async with self._search as search:
            async for hit in search:
                yield hit

    def _among_old_peers(self) -> OldSearch:
        """Return a search among peers of 2007, whose answers come while the others are asked."""
        return self._parts.classic.search(self._query, self._wish.seconds)

    def _take_old(self, answer: OldHit) -> models.Hit | None:
        """Put what an old peer says at the end of the list; None when it is no answer to the query."""
        if not answers(self._query, answer):
            return None
        number = len(self._numbers) + 1
        hit = hit_view(answer, number)
        self._numbers[parse_id(hit.content_id)] = number
        self._unverified.append(number)
        self._hits[number] = hit
        return hit

    def _finish(self) -> None:
        self._ended = asyncio.get_running_loop().time()
        if len(self._hits) >= self._wish.limit:
            self._reason = "limit"
        else:
            self._reason = _REASONS.get(self._search.over, "complete")

    def _take(self, hit: Hit) -> models.Hit | None:
        """Put a hit to those of its content; None when it says nothing new, or its holder is banned."""
        known = self._parts.peer.table.get(hit.holder.peer_id)
        if known is not None and known.banned:
            return None
        places = (*hit.holder.addresses, *(known.addresses if known is not None else ()))
        holder = Holder(hit.holder.peer_id, tuple(dict.fromkeys(places))[:MAX_ADDRESSES])
        merged = self._merger.add(msgspec.structs.replace(hit, holder=holder))
        if merged is None:
            return None
        if hit.hops:
            self._parts.peer.table.credit(hit.holder.peer_id, hits_from=1)
        return self._view(merged)

    def _view(self, merged: MergedHit) -> models.Hit | None:
        """Return a content as it is now, under its number; None when nothing of it has changed."""
        number = self._numbers.setdefault(merged.content, len(self._numbers) + 1)
        known, trust = self._parts.opinions.trusted(merged)
        fresh = views.hit_view(known, number, trust)
        if fresh == self._hits.get(number):
            return None
        self._hits[number] = fresh
        return fresh


def judge_of(peer: Peer, opinions: Opinions) -> Judge:
    """Return a judge that knows what votes say, and who is there: neighbours, and who was met within the last hours."""

    def answered(peer_id: PeerId) -> float:
        if peer.connection_to(peer_id) is not None:
            return 1.0
        known = peer.table.get(peer_id)
        if known is None or not known.last_seen or known.failures:
            return 0.0
        return _FADE / (_FADE + max(peer.clock.time() - known.last_seen, 0.0))

    return Judge(score=opinions.score, answered=answered)
