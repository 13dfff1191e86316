"""The planner: one search over all overlays of a node, cheap ones first, within one budget.

Invariant: it can stand wherever an overlay can, and knows none of its overlays but by name and interface. When and why
each is asked is decided by plan.py. The overlays are mounted by whoever made them, not by the planner.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from peerage.catalogue.query import Query
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Record
from peerage.errors import PeerageError
from peerage.identity.keys import PeerId
from peerage.overlay.base import Cost, FoundT, Hit, Holder, LocateRequest, Overlay, Request, Search, SearchRequest
from peerage.overlay.planner.experience import Experience
from peerage.overlay.planner.plan import Needs, Over, Rarity, Route, Start, has_whole_word, routes_for
from peerage.overlay.planner.run import Question, SearchRun
from peerage.overlay.planner.stage import Stage

log = logging.getLogger("peerage.overlay")

RequestT = TypeVar("RequestT", bound=Request)
RarityOf = Callable[[Query], Rarity]


class PlannedSearch(Search[FoundT]):
    """A search over several overlays: results as they come, what all together cost, and what each stage did."""

    def __init__(self, run: SearchRun[FoundT]) -> None:
        super().__init__(run.results(), Cost())
        self._run = run

    @property
    def cost(self) -> Cost:
        """What it has cost so far, all stages together."""
        return self._run.cost()

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What became of each stage so far."""
        return self._run.stages()

    @property
    def over(self) -> Over | None:
        """Why it has ended; None while it goes on."""
        return self._run.over


class Planner(Overlay):
    """Searches and locates over `overlays`, which stand in order of price, the cheapest first.

    `rarity` says what can be told of a query before anybody is asked; None: what earlier searches have shown.
    """

    name = "planner"

    def __init__(self, overlays: Sequence[Overlay], rarity: RarityOf | None = None) -> None:
        self.overlays = tuple(overlays)
        self._experience = Experience()
        self._rarity = rarity or (lambda query: self._experience.rarity(query, _now()))
        routes = routes_for([overlay.name for overlay in self.overlays])
        self._stages = [(self.overlays[place], route) for place, route in routes]

    async def publish(self, records: Sequence[Record]) -> None:
        """Publish in every overlay; raises the last failure after all were tried."""
        await self._tell_all(lambda overlay: overlay.publish(records))

    async def withdraw(self, records: Sequence[Record]) -> None:
        """Withdraw from every overlay; raises the last failure after all were tried."""
        await self._tell_all(lambda overlay: overlay.withdraw(records))

    def search(self, request: SearchRequest) -> PlannedSearch[Hit]:
        """Search by need; the iteration raises nothing that one overlay alone is troubled by."""
        query = parse(request.text)
        needs = Needs(
            wanted=request.wanted,
            seconds=request.seconds,
            budget=request.budget,
            rarity=self._rarity(query),
            whole_word=has_whole_word(query),
        )

        def ask(overlay: Overlay, route: Route, start: Start) -> Search[Hit]:
            return overlay.search(_within(request, route, start))

        def note(over: Over, cost: Cost) -> None:
            self._experience.note(query, cost, over, _now())

        return PlannedSearch(SearchRun(self._stages, needs, Question(ask, _record_of, _hops_of), note))

    def locate(self, request: LocateRequest) -> PlannedSearch[Holder]:
        """Locate by need."""
        needs = Needs(wanted=request.wanted, seconds=request.seconds, budget=request.budget)

        def ask(overlay: Overlay, route: Route, start: Start) -> Search[Holder]:
            return overlay.locate(_within(request, route, start))

        return PlannedSearch(SearchRun(self._stages, needs, Question(ask, _peer_of, lambda _holder: 1)))

    async def _tell_all(self, tell: Callable[[Overlay], Awaitable[None]]) -> None:
        failure: PeerageError | None = None
        for overlay in self.overlays:
            try:
                await tell(overlay)
            except PeerageError as error:
                log.warning("%s: %s", overlay.name, error)
                failure = error
        if failure is not None:
            raise failure


def _within(request: RequestT, route: Route, start: Start) -> RequestT:
    """Return the request as one stage gets it."""
    ttl = request.ttl if route.ttl is None else min(route.ttl, request.ttl)
    return msgspec.structs.replace(request, ttl=ttl, deadline=start.seconds, budget=start.budget)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _record_of(hit: Hit) -> bytes:
    return hit.record.signature


def _hops_of(hit: Hit) -> int:
    return hit.hops


def _peer_of(holder: Holder) -> PeerId:
    return holder.peer_id
