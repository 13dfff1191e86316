"""The figures of a comparison: which there are, how each is taken from a result, and how a person reads it.

Invariant: terminal, page and plots show the same figures in the same order. A figure that could not be measured is
shown as a dash. What the figures mean is said here once, in `about`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

import msgspec

from peerage.lab.holdings import Held
from peerage.lab.measure import KINDS, KindResult, Result, Spread, spread

Take = Callable[[Result], float | None]
Show = Callable[[float], str]

DASH: Final = "\N{EN DASH}"


class Figure(msgspec.Struct, frozen=True):
    """One row of the table."""

    key: str
    label: str
    about: str
    take: Take
    show: Show


class Row(msgspec.Struct, frozen=True):
    """A figure of every generation, over all seeds; None where it could not be measured."""

    figure: Figure
    values: tuple[Spread | None, ...]

    def cells(self) -> list[str]:
        """Return what a person reads: the mean, and the deviation where it says something."""
        return [DASH if value is None else with_deviation(value, self.figure.show) for value in self.values]


def percent(value: float) -> str:
    """Show a share."""
    return f"{100 * value:.1f} %"


def number(value: float) -> str:
    """Show a count that may be large or a fraction."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def seconds(value: float) -> str:
    """Show a time."""
    return f"{value:.2f} s" if value < 100 else f"{value:,.0f} s"


def size(value: float) -> str:
    """Show bytes in decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" and value >= 10 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def with_deviation(value: Spread, show: Show) -> str:
    """Show mean and deviation; the latter only when it is not lost in rounding."""
    mean, deviation = show(value.mean), show(value.deviation)
    return f"{mean} ±{deviation}" if value.deviation and deviation != show(0.0) else mean


def table(results: Sequence[Result]) -> list[Row]:
    """Return the figures of some results, a column for each generation in the order in which they come."""
    columns = generations_of(results)
    by_column = [[each for each in results if each.generation == name] for name in columns]
    return [Row(figure, tuple(spread(map(figure.take, column)) for column in by_column)) for figure in FIGURES]


def generations_of(results: Iterable[Result]) -> list[str]:
    """Return the names of the generations, each once."""
    return list(dict.fromkeys(each.generation for each in results))


# --- the figures ------------------------------------------------------------------------------------------------------


def _of_kind(kind: Held, take: Callable[[KindResult], float | None], result: Result) -> float | None:
    found = result.of(kind)
    return None if found is None or not found.queries else take(found)


def _all_kinds(take: Callable[[KindResult], float | None], result: Result) -> float | None:
    values = [(each.queries, value) for each in result.kinds if (value := take(each)) is not None]
    number_of = sum(queries for queries, _ in values)
    return sum(queries * value for queries, value in values) / number_of if number_of else None


def _by_kind(key: str, label: str, about: str, take: Callable[[KindResult], float | None], show: Show) -> list[Figure]:
    return [
        Figure(f"{key}-{kind}", f"{label}, {kind}", f"{about} {_WHO[kind]}", partial(_of_kind, kind, take), show)
        for kind in KINDS
    ]


_WHO: Final = {
    Held.POPULAR: "for items held by 1 % of the peers or more.",
    Held.RARE: "for items held by 0.1 % of the peers.",
    Held.SINGLE: "for items that one peer holds.",
}

FIGURES: Final[tuple[Figure, ...]] = (
    *_by_kind(
        "success", "found", "Share of the searches that found the item that was meant,", lambda r: r.success, percent
    ),
    *_by_kind(
        "messages", "messages a query", "Messages of the whole network for one query,", lambda r: r.messages, number
    ),
    *_by_kind("bytes", "bytes a query", "Bytes of the whole network for one query,", lambda r: r.bytes, size),
    Figure("hops", "hops", "Links that an answer came over.", partial(_all_kinds, lambda r: r.hops), number),
    Figure(
        "first-p50",
        "first hit, p50",
        "Seconds to the first hit: half of the searches were no slower.",
        partial(_all_kinds, lambda r: r.first.p50),
        seconds,
    ),
    Figure(
        "first-p95",
        "first hit, p95",
        "Seconds to the first hit: nineteen of twenty were no slower.",
        partial(_all_kinds, lambda r: r.first.p95),
        seconds,
    ),
    Figure(
        "last-p50",
        "last hit, p50",
        "Seconds to the last hit, half.",
        partial(_all_kinds, lambda r: r.last.p50),
        seconds,
    ),
    Figure(
        "last-p95",
        "last hit, p95",
        "Seconds to the last hit, nineteen of twenty.",
        partial(_all_kinds, lambda r: r.last.p95),
        seconds,
    ),
    Figure(
        "upkeep-bytes",
        "upkeep, bytes a node and second",
        "What a node receives when nobody searches.",
        lambda r: r.upkeep.bytes if r.upkeep else None,
        size,
    ),
    Figure(
        "upkeep-messages",
        "upkeep, messages a node and minute",
        "The same in messages.",
        lambda r: 60 * r.upkeep.messages if r.upkeep else None,
        number,
    ),
    Figure(
        "join-bytes",
        "joining, bytes a node",
        "What a node receives until the network has settled, publishing included.",
        lambda r: r.join.bytes if r.join else None,
        size,
    ),
    Figure(
        "load-mean",
        "load, messages a query, mean node",
        "Messages that a node receives for each query of the whole network, upkeep left out.",
        lambda r: r.load.mean,
        number,
    ),
    Figure("load-busiest", "load, busiest node", "The same of the busiest node.", lambda r: r.load.busiest, number),
    Figure(
        "state-bytes",
        "state, bytes a node",
        "Memory that a node keeps for its overlay, a sample's mean.",
        lambda r: r.state_bytes.mean if r.state_bytes else None,
        size,
    ),
    Figure(
        "state-busiest",
        "state, largest node",
        "The same of the largest that was seen.",
        lambda r: r.state_bytes.busiest if r.state_bytes else None,
        size,
    ),
    Figure(
        "state-entries",
        "state, entries a node",
        "Entries in its tables.",
        lambda r: r.state_entries.mean if r.state_entries else None,
        number,
    ),
    Figure("links", "links a node", "Open talk links.", lambda r: r.links.mean if r.links else None, number),
    Figure(
        "components",
        "parts of the network",
        "Parts that cannot reach each other at the end; 1 is what one wants.",
        lambda r: r.components,
        lambda value: f"{value:.0f}" if value == int(value) else f"{value:.1f}",
    ),
    Figure(
        "queries",
        "queries run",
        "Searches that were measured.",
        lambda r: float(sum(each.queries for each in r.kinds)),
        lambda value: f"{value:,.0f}",
    ),
    Figure("cpu", "run, CPU seconds", "What the simulation took on this computer.", lambda r: r.cpu_seconds, seconds),
    Figure("memory", "run, memory", "Most memory of the simulating process.", lambda r: float(r.peak_bytes), size),
)
"""All figures, in the order in which they are shown."""
