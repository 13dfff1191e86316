"""One planned search under way: the shell that does what `plan.py` decides.

Invariant: here is no rule. A result is given out once, whichever stages bring it; a stage that fails ends by itself and
never ends the search; when the search ends, however it does, every stage of it has ended. Results wait in a bounded
queue: nobody reads answers faster than they are taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from contextlib import aclosing
from typing import Generic, NamedTuple

from peerage.errors import PeerageError
from peerage.limits import PLAN_WAITING
from peerage.overlay.base import Cost, FoundT, Overlay, Search
from peerage.overlay.planner.plan import Needs, Over, Route, SearchPlan, Start
from peerage.overlay.planner.stage import Stage, StageRun


class Question(NamedTuple, Generic[FoundT]):
    """What is asked of each stage: `ask` begins it there, `key` tells results apart, `hops` says how far one came."""

    ask: Callable[[Overlay, Route, Start], Search[FoundT]]
    key: Callable[[FoundT], Hashable]
    hops: Callable[[FoundT], int]


class _Arrived(NamedTuple, Generic[FoundT]):
    """What a stage brought; None is its end, with what went wrong, if anything did."""

    stage: int
    found: FoundT | None
    trouble: str = ""


class SearchRun(Generic[FoundT]):
    """The stages of one search and what they bring."""

    def __init__(
        self,
        stages: Sequence[tuple[Overlay, Route]],
        needs: Needs,
        question: Question[FoundT],
        on_end: Callable[[Over, Cost], None] = lambda _over, _cost: None,
    ) -> None:
        self._stages = [StageRun(overlay, route) for overlay, route in stages]
        self._question = question
        self._on_end = on_end  # told why it ended, and what it cost
        self._start = self._now()
        self._plan = SearchPlan([route for _, route in stages], needs, self._start)
        self._needs = needs
        self._arrived: asyncio.Queue[_Arrived[FoundT]] = asyncio.Queue(PLAN_WAITING)
        self._known: set[Hashable] = set()  # bounded by what was wanted
        self._own = Cost()  # what only the whole search knows: results, hops, times

    @property
    def over(self) -> Over | None:
        """Why it has ended; None while it goes on."""
        return self._plan.over

    def cost(self) -> Cost:
        """Return what all stages together have cost so far."""
        own, costs = self._own, [stage.cost for stage in self._stages]
        return Cost(
            messages_sent=sum(cost.messages_sent for cost in costs),
            messages_received=sum(cost.messages_received for cost in costs),
            bytes_sent=sum(cost.bytes_sent for cost in costs),
            bytes_received=sum(cost.bytes_received for cost in costs),
            peers_asked=sum(cost.peers_asked for cost in costs),
            refused=sum(cost.refused for cost in costs),
            hops=own.hops,
            found=own.found,
            first_found=own.first_found,
            seconds=own.seconds,
        )

    def stages(self) -> tuple[Stage, ...]:
        """Return what became of each stage so far."""
        return tuple(stage.picture(self._plan.why(at), self._start) for at, stage in enumerate(self._stages))

    async def results(self) -> AsyncGenerator[FoundT, None]:
        """Yield each result once, as it comes, until the plan ends the search."""
        self._start = self._now()
        self._plan = SearchPlan([stage.route for stage in self._stages], self._needs, self._start)
        try:
            while (wake := self._go_on()) is not None:
                arrived = await self._next(wake)
                if arrived is not None and (found := self._take(arrived)) is not None:
                    yield found
            while not self._arrived.empty() and self._own.found < self._needs.wanted:
                if (found := self._take(self._arrived.get_nowait())) is not None:
                    yield found
        finally:
            self._plan.stop()
            await self._close()
            self._own.seconds = self._now() - self._start
            self._on_end(self._plan.over or Over.STOPPED, self.cost())

    # --- inside -----------------------------------------------------------------------------------------------------

    def _go_on(self) -> float | None:
        """Begin the stages whose turn it is; return until when to wait, None when the search is over."""
        now = self._now()
        for number, stage in enumerate(self._stages):
            if stage.search is not None:
                self._plan.note_cost(number, stage.search.cost, now)
        decision = self._plan.decide(now)
        for start in decision.starts:
            self._begin(start)
        return decision.wake if decision.over is None else None

    def _begin(self, start: Start) -> None:
        stage = self._stages[start.stage]
        stage.began = self._now()
        try:
            stage.search = self._question.ask(stage.overlay, stage.route, start)
            stage.task = stage.overlay.peer.spawn(self._read(start.stage, stage.search), "search")
        except PeerageError as error:
            self._note_end(start.stage, str(error))

    async def _read(self, number: int, search: Search[FoundT]) -> None:
        """Carry what one stage finds to the queue; its failure is its own."""
        trouble = ""
        try:
            async with aclosing(search):
                async for found in search:
                    await self._arrived.put(_Arrived(number, found))
        except PeerageError as error:
            trouble = str(error)
        await self._arrived.put(_Arrived(number, None, trouble))

    async def _next(self, wake: float) -> _Arrived[FoundT] | None:
        try:
            async with asyncio.timeout_at(wake):
                return await self._arrived.get()
        except TimeoutError:
            return None

    def _take(self, arrived: _Arrived[FoundT]) -> FoundT | None:
        """Return what is new of what has arrived."""
        if arrived.found is None:
            self._note_end(arrived.stage, arrived.trouble)
            return None
        key = self._question.key(arrived.found)
        if key in self._known:
            return None
        self._known.add(key)
        now = self._now()
        self._plan.note_found(arrived.stage, now)
        self._stages[arrived.stage].note_found(now)
        self._own.note_found(self._question.hops(arrived.found), now - self._start)
        return arrived.found

    def _note_end(self, number: int, trouble: str) -> None:
        stage = self._stages[number]
        stage.ended = self._now()
        self._plan.note_cost(number, stage.cost, stage.ended)
        self._plan.note_ended(number, trouble)

    async def _close(self) -> None:
        tasks = [stage.task for stage in self._stages if stage.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stage in self._stages:
            if stage.began is not None and stage.ended is None:
                stage.ended = self._now()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
