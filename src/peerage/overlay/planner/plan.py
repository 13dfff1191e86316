"""Which overlay a search asks, when, and what each may spend: the policy of the planner, without a network.

Cheap ones come first, and a dearer one starts when those before it have ended or become quiet, so that stages overlap
and nobody waits for a deadline. Words known to be rare go to the hash table at once (Loo et al. 2004: flooding finds
what is common, a hash table what is rare). What the stages may spend is set aside before they start, so that all of
them together keep within the budget of the search, and what one leaves over goes to those after it. Pure: time is an
argument, in seconds.
Invariant: no stage starts twice, after the end, or on means that another one has; each has a reason why it was asked
or why not. Nothing here knows messages or peers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from peerage.catalogue.query import Query, Words
from peerage.limits import (
    PLAN_FEW,
    PLAN_IDLE_SECONDS,
    PLAN_IDLE_SHARE,
    PLAN_LEAST_SECONDS,
    PLAN_NEIGHBOUR_TTL,
    PLAN_SATISFIED_SHARE,
)
from peerage.overlay.base import Budget, Cost


class Rarity(StrEnum):
    """How common what is looked for is, as far as this node can tell before it asks anybody."""

    UNKNOWN = "unknown"
    COMMON = "common"
    RARE = "rare"


class Over(StrEnum):
    """Why a search ended."""

    FOUND = "found"  # as much as was wanted
    BUDGET = "budget"
    TIME = "time"
    COMPLETE = "complete"  # everybody who was to be asked has answered, or nothing comes any more
    STOPPED = "stopped"  # by the one who searched


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How one overlay takes part in a search."""

    name: str
    weight: int = 2  # its share of the budget, in proportion to the other ones'
    least: int = 1  # messages below which it is not worth beginning
    patience: float = 1.0  # seconds without a new result after which the next stage starts
    ttl: int | None = None  # how far it may go, where that is less than what the search allows
    dear: bool = False  # asked only when little was found by the others
    by_word: bool = False  # looks whole words up: no use without one, best for rare ones
    complete: bool = False  # speaks for the whole network: what it does not find, a flood does not, either
    fallback: bool = False  # asked only when no complete one could answer


_NEIGHBOURS: Final = Route(name="neighbours", weight=2, least=2, patience=0.6, ttl=PLAN_NEIGHBOUR_TTL)
_KNOWN: Final = {
    "local": Route(name="local", weight=0, least=0, patience=0.3),
    "index": Route(name="index", weight=2, patience=0.6),
    "supernode": Route(name="supernode", weight=3, patience=1.2, complete=True),
    "dht": Route(name="dht", weight=6, least=4, patience=2.0, dear=True, by_word=True, complete=True),
    "flood": Route(name="flood", weight=6, least=2, patience=2.0),
}


def routes_for(names: Sequence[str]) -> tuple[tuple[int, Route], ...]:
    """Return the stages over overlays of these names, each with the place of its overlay in `names`.

    A flood beside others is asked twice: near by at first, and far and wide when the others fail.
    """
    others = any(name not in {"flood", "local"} for name in names)
    stages: list[tuple[int, Route]] = []
    last: list[tuple[int, Route]] = []
    for place, name in enumerate(names):
        known = _KNOWN.get(name) or Route(name=name)
        if name == "flood" and others:
            stages.append((place, _NEIGHBOURS))
            last.append((place, msgspec.structs.replace(known, dear=True, fallback=True)))
        else:
            stages.append((place, known))
    return (*stages, *last)


def has_whole_word(query: Query) -> bool:
    """Whether the query asks for at least one whole word, by which something can be looked up."""
    return any(isinstance(term, Words) and (not term.prefix or len(term.words) > 1) for term in query.terms())


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What bounds a search, and what is known of its words."""

    wanted: int
    seconds: float
    budget: Budget
    rarity: Rarity = Rarity.UNKNOWN
    whole_word: bool = True


class Start(msgspec.Struct, frozen=True):
    """Begin this stage, within these bounds."""

    stage: int
    budget: Budget
    seconds: float


class Decision(msgspec.Struct, frozen=True):
    """What to do now, and when to ask again if nothing happens before; `over` ends the search."""

    starts: tuple[Start, ...]
    wake: float
    over: Over | None = None


class _Stage:
    """One stage as it goes on."""

    __slots__ = ("active", "asked", "began", "bytes", "ended", "fresh", "granted", "messages", "route", "why")

    def __init__(self, route: Route) -> None:
        self.route = route
        self.why = ""  # why it was asked, or why not
        self.began: float | None = None
        self.ended = False
        self.granted = Budget()
        self.messages = 0
        self.bytes = 0
        self.asked = False  # whether it had anybody to ask
        self.fresh = 0.0  # when it last brought something new
        self.active = 0.0  # when it last did anything

    @property
    def pending(self) -> bool:
        return self.began is None and not self.ended

    @property
    def running(self) -> bool:
        return self.began is not None and not self.ended

    def quiet_at(self, found: int) -> float:
        """Return when it counts as quiet; sooner while nothing at all was found."""
        return self.fresh + (self.route.patience if found else self.route.patience / 2)


class SearchPlan:
    """The decisions of one search over `routes`, from `now` on."""

    def __init__(self, routes: Iterable[Route], needs: Needs, now: float) -> None:
        self._stages = [_Stage(route) for route in routes]
        self._needs = needs
        self._began = now
        self._deadline = now + needs.seconds
        self._idle = max(PLAN_IDLE_SECONDS, needs.seconds * PLAN_IDLE_SHARE)
        self._short = False  # a stage was left out for want of budget
        self.found = 0
        self.over: Over | None = None

    # --- what happened ----------------------------------------------------------------------------------------------

    def note_found(self, stage: int, now: float) -> None:
        """The stage brought a result that is new."""
        self.found += 1
        self._stages[stage].fresh = self._stages[stage].active = now

    def note_cost(self, stage: int, cost: Cost, now: float) -> None:
        """The stage has cost so much until now."""
        each = self._stages[stage]
        messages = cost.messages_sent + cost.messages_received
        if messages != each.messages:
            each.active = now
        each.messages = messages
        each.bytes = cost.bytes_sent + cost.bytes_received
        each.asked = cost.peers_asked > 0

    def note_ended(self, stage: int, reason: str = "") -> None:
        """The stage is over; `reason` says what went wrong, if anything did."""
        each = self._stages[stage]
        each.ended = True
        if reason:
            each.why = f"{each.why}; {reason}"

    def stop(self) -> None:
        """Whoever searched has had enough."""
        self._end(self.over or Over.STOPPED)

    def why(self, stage: int) -> str:
        """Return why a stage was asked, or why it was not."""
        return self._stages[stage].why

    # --- what to do -------------------------------------------------------------------------------------------------

    def decide(self, now: float) -> Decision:
        """Return which stages begin now, and whether the search is over."""
        starts: list[Start] = []
        while self._reason_to_end(now) is None and (start := self._next(now)) is not None:
            starts.append(start)
        over = self._reason_to_end(now)
        if over is not None:
            self._end(over)
        return Decision(tuple(starts), self._wake(now), over)

    def _reason_to_end(self, now: float) -> Over | None:
        if self.found >= self._needs.wanted:
            return Over.FOUND
        if now >= self._deadline:
            return Over.TIME
        if any(stage.pending for stage in self._stages):
            return None
        if not all(self._is_done(stage, now) for stage in self._stages):
            return None
        return Over.BUDGET if self._is_spent() else Over.COMPLETE

    def _is_done(self, stage: _Stage, now: float) -> bool:
        """Whether nothing comes of a stage any more: it has ended, or has long done nothing."""
        return stage.ended or (stage.began is not None and now >= stage.active + self._idle)

    def _complete(self) -> list[_Stage]:
        return [stage for stage in self._stages if stage.route.complete]

    def _end(self, over: Over) -> None:
        self.over = over
        for stage in self._stages:
            if stage.pending:
                self._skip(stage, _NOT_ASKED[over])

    def _next(self, now: float) -> Start | None:
        """Return the stage whose turn it is, if it is anybody's; those that will never have one are struck off."""
        for stage in self._in_order():
            if (why := self._useless(stage, now)) is not None:
                self._skip(stage, why)
                continue
            why = self._turn(stage, now)
            if why is None:
                return None
            if (granted := self._grant(stage)) is None:
                self._short = True
                self._skip(stage, "what is left of the budget does not suffice")
            elif self._deadline - now < PLAN_LEAST_SECONDS and any(each.began is not None for each in self._stages):
                self._skip(stage, "no time was left")
            else:
                return self._start(stage, granted, why, now)
        return None

    def _in_order(self) -> list[_Stage]:
        """Return the stages still to come: by price, but what looks words up first when the words are rare."""
        pending = [stage for stage in self._stages if stage.pending]
        if self._needs.rarity is Rarity.RARE:
            pending.sort(key=lambda stage: (stage.route.weight > 0) - stage.route.by_word)
        return pending

    def _useless(self, stage: _Stage, now: float) -> str | None:
        """Return why a stage need not be asked at all."""
        route = stage.route
        if route.by_word and not self._needs.whole_word:
            return "the query has no whole word to look up"
        if route.dear and self.found >= max(PLAN_FEW, self._needs.wanted * PLAN_SATISFIED_SHARE):
            return f"{self.found} were found without it"
        if route.by_word and self._needs.rarity is Rarity.COMMON and self.found:
            return "the words are common, and others found some"
        if route.fallback:
            able = [each.route.name for each in self._complete() if each.asked and self._is_done(each, now)]
            return f"{' and '.join(able)} spoke for the whole network" if able else None
        return None

    def _turn(self, stage: _Stage, now: float) -> str | None:
        """Return why it is this stage's turn now; None when it has to wait for the ones before."""
        if stage.route.by_word and self._needs.rarity is Rarity.RARE:
            return "the words are rare"
        running = [each for each in self._stages if each.running]
        if any(now < each.quiet_at(self.found) for each in running):
            return None
        if stage.route.fallback and not all(self._is_done(each, now) for each in self._complete()):
            return None
        before = [each.route.name for each in running] or [
            each.route.name for each in self._stages if each.began is not None
        ]
        if not before:
            return "the cheapest first"
        quiet = "nothing new from" if running else f"{self.found} after"
        return f"{quiet} {', '.join(before)}"

    def _start(self, stage: _Stage, granted: Budget, why: str, now: float) -> Start:
        stage.why, stage.granted = why, granted
        stage.began = stage.fresh = stage.active = now
        return Start(self._stages.index(stage), granted, self._deadline - now)

    def _skip(self, stage: _Stage, why: str) -> None:
        stage.why, stage.ended = why, True

    # --- means ------------------------------------------------------------------------------------------------------

    def _grant(self, stage: _Stage) -> Budget | None:
        """Set aside what a stage may spend: its share of what nobody else has; None when that is too little."""
        weights = sum(each.route.weight for each in self._stages if each.pending)
        messages = self._needs.budget.messages - sum(_held(each).messages for each in self._stages)
        size = self._needs.budget.bytes - sum(_held(each).bytes for each in self._stages)
        if not stage.route.weight:
            return Budget(1, 1)  # asks nobody
        granted = messages * stage.route.weight // weights
        if messages < stage.route.least or size < 1:
            return None
        return Budget(max(granted, stage.route.least), max(size * stage.route.weight // weights, 1))

    def _is_spent(self) -> bool:
        """Whether the budget kept the search from going on."""
        messages = sum(stage.messages for stage in self._stages)
        size = sum(stage.bytes for stage in self._stages)
        budget = self._needs.budget
        return self._short or messages >= budget.messages or size >= budget.bytes

    def _wake(self, now: float) -> float:
        """Return when time alone could change the decision."""
        running = [stage for stage in self._stages if stage.running]
        times = [self._deadline, *(stage.active + self._idle for stage in running)]
        if any(stage.pending for stage in self._stages):
            times += [stage.quiet_at(self.found) for stage in running]
        return min((time for time in times if time > now), default=now)


_NOT_ASKED: Final = {
    Over.FOUND: "enough was found before",
    Over.BUDGET: "the budget was used up",
    Over.TIME: "the time was over",
    Over.COMPLETE: "not needed",
    Over.STOPPED: "the search was stopped before",
}


def _held(stage: _Stage) -> Budget:
    """Return what a stage has used or may still use."""
    if stage.running and stage.route.weight:
        return stage.granted
    return Budget(stage.messages, stage.bytes)
