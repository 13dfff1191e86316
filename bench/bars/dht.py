"""The hash table: how many lookups succeed, and by how many questions, in four worlds of 10,000 real nodes.

In each, 60 contents are stored by nodes that hold them, by the code that a node publishes with; then random honest nodes
look them up: until they have one holder (300 lookups, `first`) and until the walk has ended (60, `end`). A question is an
RPC; a lookup succeeds when it yields a holder.

- `dead`: the tables are those of nodes that have been there for long, with 60 % of the places in full buckets; a fifth of
  all peers die silently at one moment, and nobody has time to notice: an hour's churn without any repair;
- `churn`: the same tables, then real churn and upkeep as in a node: within 20 minutes as many die, half of them without a
  word, as do in an hour at 20 % an hour, and each is followed by a newcomer that joins; all lookups happen meanwhile;
- `sybils`: a fifth of all peers are one attacker's, with random ids: they name only each other and peers that do not
  exist, keep nothing and say that they do;
- `eclipse`: the same fifth of all peers, but their ids are chosen, out of 400,000 keys, to be the nearest to the 60
  contents, 33 to each.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tests" / "sim"))

from dht_world import DhtWorld, content, dht_world, quick

from peerage.identity.keys import PeerKey
from peerage.lab.clock import run_virtual
from peerage.overlay.dht.contacts import number_of
from peerage.overlay.locators import locator_of

CONTENTS = 60
FIRST, END = 300, 60
WIRED = 0.6
SHARE = 0.2
CHURN_MINUTES, CHURN_AN_HOUR = 20.0, 0.6  # three times the rate for a third of the time
KEYS = 400_000
STILL = 86_400.0  # seconds between rounds of upkeep: none while it is measured


class Lookups:
    """Looks contents up and keeps account."""

    def __init__(self, world: DhtWorld) -> None:
        self._world = world
        self.found: dict[str, int] = {"first": 0, "end": 0}
        self.asked: dict[str, list[int]] = {"first": [], "end": []}
        self.seconds: list[float] = []
        self.cpu = 0.0

    async def one(self, kind: str, number: int) -> None:
        """Look up once, from a random honest node."""
        [asker] = self._world.some(1)
        holders, cost = await self._world.locate(asker, content(number % CONTENTS), 1 if kind == "first" else 100)
        self.found[kind] += bool(holders)
        self.asked[kind].append(cost.peers_asked)
        if kind == "first" and cost.first_found is not None:
            self.seconds.append(cost.first_found)

    async def all(self) -> None:
        """Do them all, one after the other."""
        begun = time.process_time()
        for kind, count in (("first", FIRST), ("end", END)):
            for number in range(count):
                await self.one(kind, number)
        self.cpu = time.process_time() - begun

    async def spread_over(self, seconds: float) -> None:
        """Do them at even distances, so that the last comes when the time is over."""
        kinds = ["first"] * FIRST + ["end"] * END
        self._world.rng.shuffle(kinds)
        async with asyncio.TaskGroup() as group:
            for number, kind in enumerate(kinds):
                await asyncio.sleep(seconds / len(kinds))
                group.create_task(self.one(kind, number))

    def sheet(self) -> dict[str, Any]:
        """Return the figures."""
        shown: dict[str, Any] = {
            kind: {
                "lookups": len(asked),
                "success": self.found[kind] / len(asked),
                "questions_mean": statistics.fmean(asked),
                "questions_p95": sorted(asked)[int(0.95 * len(asked))],
                "questions_most": max(asked),
            }
            for kind, asked in self.asked.items()
        }
        lookups = FIRST + END
        shown["success"] = (self.found["first"] + self.found["end"]) / lookups
        shown["questions_most"] = max(max(asked) for asked in self.asked.values())
        shown["questions_mean_worst"] = max(statistics.fmean(asked) for asked in self.asked.values())
        shown["first_found_p50"] = statistics.median(self.seconds)
        return shown


Case = Callable[[random.Random, int], Awaitable[dict[str, Any]]]


async def stored(world: DhtWorld) -> dict[str, Any]:
    """Store the contents; return how many copies honest nodes have of each, and what storing took."""
    before, begun = world.total("dht_questions"), time.process_time()
    providers = world.some(CONTENTS)
    for number, node in enumerate(providers):
        await world.provide(node, content(number))
    world.spared = providers
    return {
        "copies_at_honest_nodes": sum(node.dht.stored for node in world.honest.values()) / CONTENTS,
        "questions_to_store": (world.total("dht_questions") - before) / CONTENTS,
        "cpu_ms_to_store": 1000 * (time.process_time() - begun) / CONTENTS,
    }


async def dead(rng: random.Random, peers: int) -> dict[str, Any]:
    """A fifth dies and nobody has noticed."""
    async with dht_world(rng, peers, wired=WIRED, rules=quick(upkeep=STILL)) as world:
        figures = await stored(world)
        await world.kill_some(SHARE, spared=world.spared)
        lookups = Lookups(world)
        await lookups.all()
        return {**figures, **lookups.sheet(), "cpu_ms_per_lookup": 1000 * lookups.cpu / (FIRST + END)}


async def churn(rng: random.Random, peers: int) -> dict[str, Any]:
    """Peers come and go while contents are looked up."""
    async with dht_world(rng, peers, wired=WIRED, rules=quick()) as world:
        figures = await stored(world)
        lookups = Lookups(world)
        seconds = 60 * CHURN_MINUTES
        async with asyncio.TaskGroup() as group:
            dying = group.create_task(world.churn(seconds, CHURN_AN_HOUR))
            group.create_task(lookups.spread_over(seconds - 15))
        return {**figures, **lookups.sheet(), "deaths": dying.result()}


async def sybils(rng: random.Random, peers: int) -> dict[str, Any]:
    """A fifth lies."""
    async with dht_world(rng, peers, wired=WIRED, rules=quick(upkeep=STILL), liars=SHARE) as world:
        figures = await stored(world)
        lookups = Lookups(world)
        await lookups.all()
        return {**figures, **lookups.sheet(), "liars": len(world.lying)}


def nearest_keys(rng: random.Random, targets: list[bytes], count: int) -> list[bytes]:
    """Return seeds of keys, none twice, for each target the `count` nearest of many."""
    ring = []
    for _ in range(KEYS):
        seed = rng.randbytes(32)
        ring.append((number_of(PeerKey.from_seed(seed).peer_id), seed))
    ring.sort()
    taken: set[bytes] = set()
    for target in map(number_of, targets):
        at = bisect_left(ring, (target, b""))
        around = ring[max(0, at - 8 * count) : at + 8 * count]
        around.sort(key=lambda each: each[0] ^ target)
        taken |= {seed for _, seed in [each for each in around if each[1] not in taken][:count]}
    return sorted(taken)


async def eclipse(rng: random.Random, peers: int, each: int = 0) -> dict[str, Any]:
    """A fifth lies, right where the contents are."""
    count = each or int(SHARE * peers / CONTENTS)
    targets = [locator_of(content(number)) for number in range(CONTENTS)]
    seeds = nearest_keys(rng, targets, count)
    async with dht_world(rng, peers, wired=WIRED, rules=quick(upkeep=STILL), intruders=seeds) as world:
        figures = await stored(world)
        lookups = Lookups(world)
        await lookups.all()
        return {**figures, **lookups.sheet(), "liars": len(world.lying), "liars_at_each": count}


def run(case: Case, seed: int, peers: int) -> dict[str, Any]:
    """Run one world."""
    begun = time.process_time()

    async def main(rng: random.Random) -> dict[str, Any]:
        return await case(rng, peers)

    figures = run_virtual(main, seed=seed, horizon=7 * 86_400.0)
    return {**figures, "cpu_seconds": round(time.process_time() - begun, 1)}


def measure(seed: int, peers: int = 10_000) -> dict[str, Any]:
    """Run the world in which a fifth is dead."""
    return run(dead, seed, peers)
