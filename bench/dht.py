"""The distributed hash table in virtual time: are contents found under churn and among liars, by how many questions, at what CPU?

Real nodes on the simulated network; prints one JSON object. Liars (--liars 0.2) name only each other and peers that do
not exist, and throw away what they are to keep. Churn is silent or loud deaths, each followed by a newcomer.

    .venv/bin/python bench/dht.py --peers 2000 --minutes 60 --churn 0.2
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "sim"))

from dht_world import DhtWorld, content, dht_world, quick  # noqa: E402 -- lies with the tests that use it, too

from peerage.lab.clock import run_virtual  # noqa: E402


class Stopwatch:
    """CPU seconds by phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._then = time.process_time()

    def lap(self, phase: str) -> None:
        """Give the time since the last lap to a phase."""
        now = time.process_time()
        self.seconds[phase] = round(self.seconds.get(phase, 0.0) + now - self._then, 3)
        self._then = now
        print(f"{phase}: {self.seconds[phase]} CPU seconds", file=sys.stderr)


async def look_up(world: DhtWorld, contents: int, lookups: int, wanted: int) -> dict[str, Any]:
    """Look for contents from random nodes; `wanted` above 1 makes a walk go on to its end."""
    found, asked, hops, first = 0, [], [], []
    for number in range(lookups):
        [asker] = world.some(1)
        holders, cost = await world.locate(asker, content(number % contents), wanted)
        found += bool(holders)
        asked.append(cost.peers_asked)
        hops.append(cost.hops)
        first += [cost.first_found] if cost.first_found is not None else []
    return {
        "lookups": lookups,
        "success": found / lookups,
        "questions": {"mean": statistics.fmean(asked), "p95": sorted(asked)[int(0.95 * lookups)], "most": max(asked)},
        "rounds": {"mean": statistics.fmean(hops), "most": max(hops)},
        "first_found_seconds": {"p50": statistics.median(first), "p95": sorted(first)[int(0.95 * len(first))]},
    }


async def run(rng: random.Random, plan: argparse.Namespace) -> dict[str, Any]:
    """Build, publish, churn, look up."""
    watch = Stopwatch()
    async with dht_world(
        rng, plan.peers, liars=plan.liars, rate=plan.rate, wired=plan.wired, rules=quick(upkeep=plan.upkeep)
    ) as world:
        watch.lap("join")
        result: dict[str, Any] = {"questions_to_join": world.total("dht_questions") / plan.peers}
        await asyncio.sleep(plan.settle)
        watch.lap("settle")
        providers = world.some(plan.contents)
        for number, node in enumerate(providers):
            await world.provide(node, content(number))
        watch.lap("store")
        kept = sum(node.dht.stored for node in world.honest.values())
        result["copies_of_each_at_honest_nodes"] = kept / plan.contents
        result["deaths"] = await world.churn(60 * plan.minutes, plan.churn) if plan.minutes else 0
        watch.lap("churn")
        if plan.killed:
            await world.kill_some(plan.killed, spared=providers)
            watch.lap("kill")
        result["first_holder"] = await look_up(world, plan.contents, plan.lookups, 1)
        watch.lap("lookups")
        result["to_the_end"] = await look_up(world, plan.contents, plan.lookups // 4, 100)
        watch.lap("lookups_to_the_end")
        sizes = sorted(node.dht.network_size for node in world.honest.values())
        result["estimated_size"] = {
            "p10": sizes[len(sizes) // 10],
            "p50": sizes[len(sizes) // 2],
            "p90": sizes[-len(sizes) // 10],
        }
        result["contacts"] = statistics.fmean(node.dht.contacts for node in world.honest.values())
    result["cpu_seconds"] = watch.seconds
    result["cpu_ms"] = {
        "join": 1000 * watch.seconds["join"] / plan.peers,
        "store": 1000 * watch.seconds["store"] / plan.contents,
        "lookup": 1000 * watch.seconds["lookups"] / plan.lookups,
        "lookup_to_the_end": 1000 * watch.seconds["lookups_to_the_end"] / max(1, plan.lookups // 4),
    }
    return result


def main() -> None:
    """Run one world and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=int, default=1000)
    parser.add_argument("--liars", type=float, default=0.0, help="share of peers that lie")
    parser.add_argument("--churn", type=float, default=0.2, help="share of peers that die in an hour")
    parser.add_argument("--minutes", type=float, default=0.0, help="of churn between storing and looking up")
    parser.add_argument(
        "--killed", type=float, default=0.0, help="share of peers that die silently, just before the lookups"
    )
    parser.add_argument(
        "--wired", type=float, default=0.0, help="do not join: give every node this share of its buckets"
    )
    parser.add_argument("--settle", type=float, default=120.0, help="seconds between the last join and the first store")
    parser.add_argument(
        "--upkeep", type=float, default=120.0, help="seconds between rounds; a day leaves only what is measured"
    )
    parser.add_argument("--contents", type=int, default=100)
    parser.add_argument("--lookups", type=int, default=400)
    parser.add_argument("--rate", type=float, default=50.0, help="joins a second")
    parser.add_argument("--seed", type=int, default=1)
    plan = parser.parse_args()
    load = os.getloadavg()
    result = run_virtual(lambda rng: run(rng, plan), seed=plan.seed, horizon=7 * 86_400.0)
    result |= {
        "plan": vars(plan),
        "load_before": load,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
