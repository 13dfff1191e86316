"""The bars of the overlays, measured with real nodes in virtual time: one figure sheet for each seed, and mean and spread.

A bar is a module of bench/bars with `measure(seed, peers=..., ...) -> dict`: one world, figures by name, sheets within
sheets allowed. What is claimed of it stands in BARS below. Worlds run one after the other in this process.

    .venv/bin/python bench/lab_bars.py --bar supernode --seeds 1-10 --append /tmp/supernode.jsonl
    .venv/bin/python bench/lab_bars.py --bar supernode --sum /tmp/supernode.jsonl
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import operator
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

Sheet = dict[str, Any]
_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
}


class Claim(NamedTuple):
    """What the mean of one figure has to be; `figure` is its path in the sheet, with dots."""

    figure: str
    relation: str
    target: float

    def holds(self, mean: float) -> bool:
        """Whether it is so."""
        return _RELATIONS[self.relation](mean, self.target)


class Bar(NamedTuple):
    """One module of bench/bars and what is claimed."""

    module: str
    peers: int
    claims: tuple[Claim, ...]


_AGREES = (Claim("worst", "<=", 0.10),)

BARS: dict[str, Bar] = {
    "supernode": Bar(
        "supernode",
        10_000,
        (
            Claim("rare.success", ">=", 0.95),
            Claim("single.success", ">=", 0.90),
            Claim("popular.messages", "<", 100),
            Claim("first_hit_p50_worst_class", "<", 1.0),
        ),
    ),
    "pollution": Bar("pollution", 300, (Claim("avoided", ">=", 0.90), Claim("honest_hidden", "<", 0.02))),
    "dht": Bar("dht", 10_000, (Claim("success", ">=", 0.995), Claim("questions_most", "<=", 60))),
    "dht_churn": Bar("dht_churn", 10_000, (Claim("success", ">=", 0.995), Claim("questions_most", "<=", 60))),
    "dht_sybils": Bar("dht_sybils", 10_000, (Claim("success", ">=", 0.95),)),
    "dht_eclipse": Bar("dht_eclipse", 10_000, (Claim("success", ">=", 0.95),)),
    "flood": Bar("flood", 10_000, (Claim("flood_saved_messages", ">=", 0.90),)),
    "massfailure": Bar("massfailure", 10_000, (Claim("seconds_to_one_part", "<", 10.0), Claim("success", ">=", 0.95))),
    "massfailure_silent": Bar("massfailure_silent", 10_000, (Claim("success", ">=", 0.95),)),
    "generation_dht": Bar("generation", 10_000, (Claim("rare.success", ">=", 0.95),)),
    "generation_auto": Bar("generation_auto", 10_000, (Claim("rare.success", ">=", 0.95),)),
    "crosscheck_dht": Bar("crosscheck", 10_000, _AGREES),
    "crosscheck_flood": Bar("crosscheck_flood", 10_000, _AGREES),
    "crosscheck_flood2001": Bar("crosscheck_flood2001", 10_000, _AGREES),
    "crosscheck_index": Bar("crosscheck_index", 10_000, _AGREES),
    "crosscheck_supernode": Bar("crosscheck_supernode", 10_000, _AGREES),
}


def measured(bar: Bar, seed: int, peers: int, options: Sheet) -> Sheet:
    """Run one world and return its sheet."""
    begun, wall = time.process_time(), time.monotonic()
    sheet: Sheet = importlib.import_module(f"bars.{bar.module}").measure(seed, peers=peers, **options)
    gc.collect()
    spent = {"process_cpu_seconds": round(time.process_time() - begun, 1), "wall": round(time.monotonic() - wall, 1)}
    return {"seed": seed, "peers": peers, **options, **sheet, **spent}


def flat(sheet: Sheet, before: str = "") -> Iterator[tuple[str, float]]:
    """Yield every figure of a sheet with its path."""
    for name, value in sheet.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield before + name, value


def sum_up(bar: Bar, sheets: Iterable[Sheet]) -> Sheet:
    """Return mean, sample standard deviation, least and most of each figure, and whether the claims hold."""
    columns: dict[str, list[float]] = {}
    seeds = []
    for sheet in sheets:
        seeds.append(sheet["seed"])
        for name, value in flat(sheet):
            columns.setdefault(name, []).append(value)
    figures = {name: _column(values) for name, values in columns.items() if name != "seed"}
    claims = []
    for claim in bar.claims:
        mean = figures[claim.figure]["mean"] if claim.figure in figures else None
        met = mean is not None and claim.holds(mean)
        claims.append({"claim": " ".join(map(str, claim)), "mean": mean, "met": met})
    return {"seeds": seeds, "claims": claims, "figures": figures}


def _column(values: list[float]) -> Sheet:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.fmean(values), "deviation": deviation, "least": min(values), "most": max(values)}


def table(summary: Sheet) -> str:
    """Return the summary for people."""
    lines = [f"{'figure':48} {'mean':>12} {'+-':>10} {'least':>12} {'most':>12}"]
    for name, each in summary["figures"].items():
        lines.append(
            f"{name:48} {each['mean']:12.4f} {each['deviation']:10.4f} {each['least']:12.4f} {each['most']:12.4f}"
        )
    claims = [f"{'met   ' if each['met'] else 'MISSED'} {each['claim']}: {each['mean']}" for each in summary["claims"]]
    return "\n".join(lines + claims)


def _seeds(text: str) -> list[int]:
    """Read "1-10", or numbers with commas."""
    first, dash, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if dash else [int(each) for each in text.split(",")]


def _option(text: str) -> tuple[str, float | int]:
    name, _, value = text.partition("=")
    return name, float(value) if "." in value else int(value)


def main() -> None:
    """Measure, or sum up what was measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bar", choices=BARS, default="supernode")
    parser.add_argument("--peers", type=int, default=0, help="0: those that the bar is about")
    parser.add_argument("--seeds", type=_seeds, default=list(range(1, 11)), help="1-10, or 1,2,3")
    parser.add_argument("--option", type=_option, action="append", default=[], help="more for the bar: queries=300")
    parser.add_argument("--append", type=Path, help="where each sheet is added as a line of JSON")
    parser.add_argument("--sum", type=Path, nargs="+", help="run nothing: sum up the lines of such files")
    asked = parser.parse_args()
    bar = BARS[asked.bar]
    sheets: list[Sheet] = []
    if asked.sum:
        sheets = [json.loads(line) for path in asked.sum for line in path.read_text().splitlines()]
    else:
        for seed in asked.seeds:
            sheets.append(measured(bar, seed, asked.peers or bar.peers, dict(asked.option)))
            line = json.dumps(sheets[-1])
            print(line, flush=True)
            if asked.append:
                with asked.append.open("a") as lines:
                    lines.write(line + "\n")
    summary = sum_up(bar, sheets)
    print(json.dumps(summary))
    print(table(summary), file=sys.stderr)


if __name__ == "__main__":
    main()
