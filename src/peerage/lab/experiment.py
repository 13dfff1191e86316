"""One experiment: a world of real nodes of one generation, a workload of searches, and what both cost.

The steps are the same for every generation: everybody comes, joins and settles; for a while nobody searches, which
shows what upkeep costs; then come the queries for popular, rare and single items, one class after the other with a
pause in between, so that whatever the network sends can be put down to a class.
Invariant: the specification decides the run, byte by byte: same specification, same digest. What is asked for and by
whom comes from a random source of its own, so that it is the same for every generation.
"""

from __future__ import annotations

import asyncio
import gc
import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final

import msgspec

from peerage.errors import LimitError, LocalError
from peerage.lab.census import Census, Count, Traffic
from peerage.lab.churning import Churning
from peerage.lab.clock import START, run_virtual
from peerage.lab.generations import GENERATIONS, Generation
from peerage.lab.geography import FARTHEST, NEAREST
from peerage.lab.holdings import Held, Item, Stock
from peerage.lab.measure import KINDS, KindResult, Load, Outcome, Result, load_of, mean_of, sum_up
from peerage.lab.member import Member
from peerage.lab.population import Population
from peerage.lab.sizing import state_of
from peerage.lab.topology import components
from peerage.overlay.base import Hit, SearchRequest

_SHOWN_STEPS: Final = 20  # how often a long wait tells how far it is
_PAUSE: Final = 5.0  # seconds after the deadline of the last query of a class
_SAMPLED: Final = 24  # nodes whose state is measured, beside the busiest
_BUSIEST: Final = 5
_COLLECTING: Final = (2_000_000, 50, 1000)  # ten million living objects must not be walked through all the time
_TRIES: Final = 10_000  # draws after which what is sought is taken not to exist

Report = Callable[[str, float], None]
"""Told how far an experiment is: the step's name, and the share of it that is done."""


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides an experiment; times in seconds, shares from 0 to 1."""

    generation: str = "flood"
    seed: int = 1
    peers: int = 200
    queries: int = 60
    nearest: float = NEAREST
    farthest: float = FARTHEST
    lines: str = "none"  # the mix of bandwidths: lines.LINES
    nat: float = 0.0  # share of the peers that nobody can dial
    churn: float = 0.0  # share of the peers that leave in an hour, each followed by another
    sessions: str = "weibull"  # how long they stay: lifetimes.SHAPES
    stock: Stock = Stock()
    rate: float = 10.0  # queries a second in the whole world
    wanted: int = 20
    deadline: float = 10.0
    joining: float = 60.0  # seconds over which the peers come
    settle: float = 0.0  # after the last has come; 0: what the generation needs
    quiet: float = 30.0  # in which nobody searches

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.generation not in GENERATIONS:
            raise LocalError(f"no overlay called {self.generation!r}; choose from: {', '.join(GENERATIONS)}")
        if not 2 <= self.peers <= 100_000:
            raise LocalError(f"a world of real nodes has 2 to 100,000 peers, not {self.peers}; the model takes more")
        if self.queries < len(KINDS):
            raise LocalError(f"one query for each class of items is the least: --queries {len(KINDS)} or more")
        if not 0 <= self.nat < 1 or self.churn < 0 or min(self.rate, self.deadline, self.joining, self.quiet) <= 0:
            raise LocalError("nat lies between 0 and 1, churn is not negative, rate and times are above 0")


class Experiment:
    """Runs one specification; a subclass may equip some members otherwise, and strike in between (attacks/)."""

    def __init__(self, rng: random.Random, spec: Spec, report: Report) -> None:
        self.spec = spec
        self.report = report
        self.generation = self.make_generation()
        self.population = Population(rng, spec, self.generation, self.arm)
        self.census = Census(self.population.world.trace.note_delivery)
        self.population.world.net.tap = self.census.note_delivery
        self._asking = random.Random(f"queries {spec.seed}")  # noqa: S311 -- a simulation, not a secret
        self._loop = asyncio.get_running_loop()

    async def run(self) -> Result:
        """Do it all."""
        started = time.process_time()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.population.world)
            await self._build()
            begun = self.census.take().total()
            await self._join()
            joined = begun + self.census.take().total()
            gc.freeze()
            if self.spec.churn:
                churning = Churning(self.population, self.spec)
                stack.callback(asyncio.get_running_loop().create_task(churning.run()).cancel)
            self.census.take()
            await self.wait(self.spec.quiet, "quiet")
            quiet = self.census.take()
            await self.strike()
            self.census.take()
            counts, kinds = [], []
            for number, kind in enumerate(KINDS):
                outcomes = await self.ask(kind, self._share_of(number))
                counts.append(self.census.take())
                kinds.append(sum_up(kind, outcomes, self._spent(counts[-1], quiet)))
            result = self._result(kinds, counts, quiet, joined)
            self.report("ending", 0.0)
        return msgspec.structs.replace(result, cpu_seconds=time.process_time() - started)

    # --- what a subclass may change -----------------------------------------------------------------------------------

    def make_generation(self) -> Generation:
        """Return what the nodes are equipped with."""
        return GENERATIONS[self.spec.generation]()

    def arm(self, member: Member) -> None:
        """Change a member before it is equipped."""

    async def strike(self) -> None:
        """Called when the network has settled and what it costs by itself is known, before the searches."""

    def note_hit(self, member: Member, item: Item, hit: Hit) -> None:
        """Look at a hit that a search gave out."""

    # --- the steps ----------------------------------------------------------------------------------------------------

    async def _build(self) -> None:
        for seat in range(self.spec.peers):
            await self.population.add(seat)
            if seat % 100 == 0:
                self.report("building", seat / self.spec.peers)
        gc.freeze()

    async def _join(self) -> None:
        step = self.spec.joining / self.spec.peers
        async with asyncio.TaskGroup() as group:
            for seat in range(self.spec.peers):
                group.create_task(self.population.join(seat))
                await asyncio.sleep(step)
                if seat % 100 == 0:
                    self.report("joining", seat / self.spec.peers)
        await self.wait(self.spec.settle or self.generation.settle, "settling")

    async def wait(self, seconds: float, name: str) -> None:
        """Let time pass, and tell so."""
        for step in range(_SHOWN_STEPS):
            self.report(name, step / _SHOWN_STEPS)
            await asyncio.sleep(seconds / _SHOWN_STEPS)

    async def ask(self, kind: Held, number: int) -> list[Outcome]:
        """Run the queries for one class of items, and wait until the last answers have come."""
        outcomes: list[Outcome] = []
        async with asyncio.TaskGroup() as group:
            for done in range(number):
                await asyncio.sleep(self._asking.expovariate(self.spec.rate))
                item = self._item(kind)
                member = self._asker(item)
                group.create_task(self._search(member, item, outcomes))
                self.report(f"{kind} items", done / number)
        await asyncio.sleep(_PAUSE)
        return outcomes

    def _item(self, kind: Held) -> Item:
        """Choose what is asked for: something that somebody still has."""
        for _ in range(_TRIES):
            item = self.population.holdings.ask_for(kind, self._asking)
            if any(map(self.population.is_honest, self.population.holders(item))):
                return item
        raise LocalError(f"nobody is left who holds one of the {kind} items")

    def _asker(self, item: Item) -> Member:
        """Choose who asks: an honest node that does not hold the item itself."""
        for _ in range(_TRIES):
            seat = self._asking.randrange(self.spec.peers)
            if self.population.is_honest(seat) and seat not in self.population.holders(item):
                return self.population.members[seat]
        raise LocalError("nobody is left who could ask")

    def _text(self, item: Item) -> str:
        """Return two words of the name, one of them a rare one: what people remember."""
        common, *rare = item.words
        return f"{rare[0]} {self._asking.choice((common, rare[1]))}"

    async def _search(self, member: Member, item: Item, outcomes: list[Outcome]) -> None:
        request = SearchRequest(
            text=self._text(item), wanted=self.spec.wanted, deadline=self.spec.deadline, ttl=self.generation.ttl
        )
        begun, first, last, hits = self._loop.time(), None, None, 0
        hops: int | None = None
        try:
            async with member.overlay.search(request) as search:
                async for hit in search:
                    last = self._loop.time() - begun
                    first = last if first is None else first
                    hits += 1
                    self.note_hit(member, item, hit)
                    if hops is None and hit.record.content == item.content:
                        hops = hit.hops
        except LimitError:
            pass  # this node asks too much at once: that is an answer, too
        if self.population.is_there(member):
            outcomes.append(Outcome(found=hops is not None, hits=hits, hops=hops, first=first, last=last))

    # --- the sums -----------------------------------------------------------------------------------------------------

    def _share_of(self, number: int) -> int:
        """How many of all queries the class of this number gets."""
        return self.spec.queries * (number + 1) // len(KINDS) - self.spec.queries * number // len(KINDS)

    def _spent(self, count: Count, quiet: Count) -> Traffic:
        """Return the query traffic of a time: messages of its kinds, less what of them is upkeep."""
        codes = self.generation.codes
        spent = count.of(codes) - quiet.of(codes).times(count.seconds / quiet.seconds)
        return Traffic(max(spent.messages, 0.0), max(spent.bytes, 0.0))

    def _result(self, kinds: Sequence[KindResult], counts: Sequence[Count], quiet: Count, joined: Traffic) -> Result:
        spec, trace = self.spec, self.population.world.trace
        members = self.population.living()
        loads = self._loads(counts, quiet)
        sampled = self._sampled(members, loads)
        states = [state_of(member.overlay) for member in sampled]
        every = sum((count.total() for count in counts), Traffic())
        spent = sum((self._spent(count, quiet) for count in counts), Traffic())
        return Result(
            generation=spec.generation,
            seed=spec.seed,
            peers=spec.peers,
            kinds=list(kinds),
            join=joined.times(1 / spec.peers),
            upkeep=quiet.total().times(1 / spec.peers / quiet.seconds),
            query_share=spent.bytes / every.bytes if every.bytes else 0.0,
            load=load_of(list(loads.values())),
            state_entries=_sizes([state.entries for state in states]),
            state_bytes=_sizes([state.bytes for state in states]),
            links=load_of([len(member.node.peer.neighbours()) for member in members]),
            components=components(members) if self.generation.mesh else None,
            virtual_seconds=self._loop.time() - START,
            cpu_seconds=0.0,
            peak_bytes=peak_bytes(),
            deliveries=trace.deliveries,
            digest=trace.digest(),
        )

    def _loads(self, counts: Sequence[Count], quiet: Count) -> dict[str, float]:
        """Return the messages that each living node received for one query, upkeep left out."""
        seconds = sum(count.seconds for count in counts)
        loads: dict[str, float] = {}
        for member in self.population.living():
            name = member.node.host.name
            received = sum(count.by_host.get(name, 0) for count in counts)
            idle = quiet.by_host.get(name, 0) * seconds / quiet.seconds
            loads[name] = max(received - idle, 0.0) / self.spec.queries
        return loads

    def _sampled(self, members: Sequence[Member], loads: dict[str, float]) -> list[Member]:
        """Choose whose state is measured: a fixed sample for the mean, and the busiest after it."""
        rng = random.Random(self.spec.seed)  # noqa: S311 -- a simulation, not a secret
        sample = rng.sample(list(members), min(_SAMPLED, len(members)))
        busiest = sorted(members, key=lambda member: -loads[member.node.host.name])[:_BUSIEST]
        return sample + busiest


def _sizes(values: Sequence[int]) -> Load:
    """Return the mean of the sample, and the largest of it and the busiest."""
    return Load(mean=mean_of(values[:_SAMPLED]) or 0.0, busiest=max(values, default=0))


Maker = Callable[[random.Random, Spec, Report], Experiment]


def run_experiment(spec: Spec, report: Report, make: Maker = Experiment) -> Result:
    """Run an experiment in virtual time, in this process; `report` is called now and then."""

    async def main(rng: random.Random) -> Result:
        return await make(rng, spec, report).run()

    gc.collect()
    before = gc.get_threshold()
    gc.set_threshold(*_COLLECTING)
    try:
        return run_virtual(main, spec.seed)
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def peak_bytes() -> int:
    """Return the most memory that this process has had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
