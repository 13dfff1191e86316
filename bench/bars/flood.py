"""Flooding: what keyword tables on the last hops, and asking step by step, save of the query traffic of 2001.

What is compared: three overlays on the *same* peers, so over the same links (six a node, a random regular graph), asked
the same queries by the same peers at the same time, each with message codes of its own so that the traffic of each is
counted apart, all over the network, relays and answers included:

- `plain`: Gnutella 0.4 (`FloodRules.classic_2001`, no rates): every question goes to everybody within seven links;
- `tables`: the same, but on the last hops a question goes only where keyword tables say that there may be an answer;
- `flood`: what a node does: tables, and questions that widen only as far as needed (the dynamic querying that last-hop
  filtering makes possible, as in Gnutella 0.6).

Not in it: the tables themselves, which are told whether anybody searches or not. Each query wants 20 results, and for
`flood` again one; by the others it costs the same whatever it wants, as they cannot stop, and nearly the same for every
query, so `plain` is asked only the first of each class. "Saved" compares means of a class, and of all classes together.
`tables` takes part with `tables=1` only: its messages are many, and its tables are those of `flood` once more.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
from bars.meshes import link_up

from peerage.errors import LimitError
from peerage.lab.census import Count
from peerage.lab.experiment import Experiment, Report, Spec, run_experiment
from peerage.lab.generations import Flood, Generation
from peerage.lab.holdings import Item
from peerage.lab.measure import KINDS, Result
from peerage.lab.member import Member
from peerage.overlay.base import Overlay, SearchRequest
from peerage.overlay.flood import FloodOverlay
from peerage.overlay.flood.engine import Flooding
from peerage.overlay.flood.messages import (
    FLOOD,
    Family,
    FindHolders,
    FindRecords,
    HolderFound,
    RecordsFound,
    TableUpdate,
)
from peerage.overlay.flood.state import FloodRules
from peerage.overlay.shelf import Shelf

WANTED = (20, 1)
TTL = 7
SETTLE = 75.0  # seconds in which tables are told, and those of the neighbours' neighbours
TAIL = 12.0  # seconds after the last question, for what is still on its way
UNBOUNDED = dict.fromkeys(
    ("incoming_rate", "incoming_burst", "relayed_rate", "relayed_burst", "own_rate", "own_burst"), 1000000000.0
)
PLAIN_RULES = msgspec.structs.replace(FloodRules.classic_2001(), **UNBOUNDED)
TABLES_RULES = msgspec.structs.replace(PLAIN_RULES, table_depth=FloodRules().table_depth)


class PlainQuestion(FindRecords, frozen=True):
    """A query of 2001."""

    code: ClassVar[bytes] = b"1QUE"


class PlainSeek(FindHolders, frozen=True):
    """Not used here."""

    code: ClassVar[bytes] = b"1SEE"


class PlainHits(RecordsFound, frozen=True):
    """Its answer."""

    code: ClassVar[bytes] = b"1HIT"


class PlainHeld(HolderFound, frozen=True):
    """Not used here."""

    code: ClassVar[bytes] = b"1HEL"


class PlainTable(TableUpdate, frozen=True):
    """Not sent: there are no tables."""

    code: ClassVar[bytes] = b"1TAB"


class TablesQuestion(FindRecords, frozen=True):
    """A query of 2001 that tables hold back on the last hops."""

    code: ClassVar[bytes] = b"2QUE"


class TablesSeek(FindHolders, frozen=True):
    """Not used here."""

    code: ClassVar[bytes] = b"2SEE"


class TablesHits(RecordsFound, frozen=True):
    """Its answer."""

    code: ClassVar[bytes] = b"2HIT"


class TablesHeld(HolderFound, frozen=True):
    """Not used here."""

    code: ClassVar[bytes] = b"2HEL"


class TablesTable(TableUpdate, frozen=True):
    """The tables of those."""

    code: ClassVar[bytes] = b"2TAB"


ONCE = ("plain", "tables")  # asked the first query of each class only
FAMILIES = {
    "plain": Family("plain", PlainQuestion, PlainSeek, PlainHits, PlainHeld, PlainTable),
    "tables": Family("tables", TablesQuestion, TablesSeek, TablesHits, TablesHeld, TablesTable),
    "flood": FLOOD,
}
RULES = {"plain": PLAIN_RULES, "tables": TABLES_RULES, "flood": FloodRules()}


class Variant(FloodOverlay):
    """Flooding by some rules, in messages of its own."""

    def __init__(self, name: str, shelf: Shelf) -> None:
        super().__init__(shelf, RULES[name])
        self.name = name
        self._engine = Flooding(self._answerer, RULES[name], None, FAMILIES[name])


class Beside(Flood):
    """All of them on each node."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.variants: dict[int, dict[str, Overlay]] = {}

    async def equip(self, member: Member) -> None:
        """Mount them; links are made once, for all."""
        mounted = self.variants[member.seat] = {name: Variant(name, member.shelf) for name in self.names}
        for overlay in mounted.values():
            await member.node.peer.mount(overlay)
            await overlay.publish(member.held.records())
        member.overlay = mounted["flood"]


class FloodBar(Experiment):
    """Builds the world as every experiment does, then asks each query three times over."""

    def __init__(self, rng: random.Random, spec: Spec, report: Report, names: Sequence[str]) -> None:
        self.names = names
        super().__init__(rng, spec, report)
        self.figures: dict[str, Any] = {}

    def make_generation(self) -> Generation:
        """Return the nodes that have all three."""
        self.beside = Beside(self.names)
        return self.beside

    async def _join(self) -> None:
        """Link all at once, and wait until tables have gone round."""
        await link_up(self.population.living(), random.Random(f"links {self.spec.seed}"))
        await self.wait(self.spec.settle, "settling")

    async def strike(self) -> None:
        """Ask, instead of the usual searches, which are few."""
        links = [len(member.node.peer.neighbours()) for member in self.population.living()]
        self.figures["degree"] = sum(links) / len(links)
        for wanted in WANTED:
            for number, kind in enumerate(KINDS):
                queries = self.spec.queries * (number + 1) // len(KINDS) - self.spec.queries * number // len(KINDS)
                found = dict.fromkeys(self.names, 0)
                asked = dict.fromkeys(self.names, 0)
                self.census.take()
                async with asyncio.TaskGroup() as group:
                    for _ in range(queries):
                        await asyncio.sleep(self._asking.expovariate(self.spec.rate))
                        item = self._item(kind)
                        member, text = self._asker(item), self._text(item)
                        for name, overlay in self.beside.variants[member.seat].items():
                            if name not in ONCE or (wanted == WANTED[0] and not asked[name]):
                                asked[name] += 1
                                group.create_task(self._ask(overlay, text, item, wanted, name, found))
                await asyncio.sleep(TAIL)
                self._note(f"{kind}", wanted, _figures(self.census.take(), found, asked))

    def _note(self, kind: str, wanted: int, shown: dict[str, Any]) -> None:
        """Add what all queries of a class have cost to the figures."""
        if wanted == WANTED[0]:
            self.figures[kind] = shown
        else:
            self.figures[kind][f"flood_{wanted}_wanted"] = shown["flood"]
        plain, flood = self.figures[kind]["plain"], shown["flood"]
        for unit in ("messages", "bytes"):
            flood[f"saved_{unit}"] = 1 - flood[unit] / plain[unit]
            if "tables" in shown:
                shown["tables"][f"saved_{unit}"] = 1 - shown["tables"][unit] / plain[unit]

    async def _ask(
        self, overlay: Overlay, text: str, item: Item, wanted: int, name: str, found: dict[str, int]
    ) -> None:
        request = SearchRequest(text=text, wanted=wanted, deadline=self.spec.deadline, ttl=TTL)
        meant = False
        try:
            async with overlay.search(request) as search:
                async for hit in search:
                    meant |= hit.record.content == item.content
        except LimitError:
            pass
        found[name] += meant


def _figures(count: Count, found: dict[str, int], asked: dict[str, int]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, queries in asked.items():
        if not queries:
            continue
        family = FAMILIES[name]
        traffic = count.of({family.find_records.code, family.records_found.code})
        shown[name] = {
            "queries": queries,
            "messages": traffic.messages / queries,
            "bytes": traffic.bytes / queries,
            "found": found[name] / queries,
        }
    return shown


def measure(seed: int, peers: int = 10_000, queries: int = 12, tables: int = 0) -> dict[str, Any]:
    """Run one world."""
    names = [name for name in FAMILIES if name != "tables" or tables]
    made: list[FloodBar] = []

    def make(rng: random.Random, spec: Spec, report: Report) -> FloodBar:
        made.append(FloodBar(rng, spec, report, names))
        return made[0]

    spec = Spec(generation="flood", seed=seed, peers=peers, queries=queries, settle=SETTLE, quiet=1.0)
    result: Result = run_experiment(spec, lambda _step, _share: None, make)
    figures = made[0].figures
    for unit in ("messages", "bytes"):
        classes = [figures[str(kind)] for kind in KINDS]
        plain = sum(each["plain"][unit] for each in classes)
        for name in ("flood", "flood_1_wanted", *(("tables",) if tables else ())):
            figures[f"{name}_saved_{unit}"] = 1 - sum(each[name][unit] for each in classes) / plain
    return {**figures, "cpu_seconds": round(result.cpu_seconds, 1)}
