"""The planner over real overlays in virtual time: by need, within its means, whatever one of them does."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from overlay_suite import OverlaySuite
from overlay_world import MemoryWorld, TcpWorld, content_of, record

from peerage.errors import LimitError, QueryError, StoreError
from peerage.identity.keys import PeerKey
from peerage.lab.clock import run_virtual
from peerage.overlay.base import Budget, Cost, Hit, Holder, LocateRequest, Overlay, Search, SearchRequest
from peerage.overlay.dht import DhtOverlay, DhtRules
from peerage.overlay.flood import FloodOverlay
from peerage.overlay.planner import Over, Planner, Rarity

_QUICK = DhtRules(stamp_bits=2, join_delay=0.02)  # all else as in a node
OTHERS = [PeerKey.from_seed(bytes([number]) * 32) for number in range(200, 210)]


class MountingPlanner(Planner):
    """A planner that brings its overlays along, so that it can be mounted as one."""

    async def start(self) -> None:
        for overlay in self.overlays:
            await self.peer.mount(overlay)


class Scripted(Overlay):
    """An overlay that finds what it was told to, at the time it was told to, and spends as it was told."""

    def __init__(self, name: str, *hits: Hit, after: float = 0.1, messages: int = 1, error: Exception | None = None):
        self.name = name
        self.hits = hits
        self.after = after
        self.messages = messages
        self.error = error
        self.requests: list[Any] = []
        self.running = 0
        self.told: list[Any] = []

    async def publish(self, records):
        if self.error:
            raise self.error
        self.told += records

    async def withdraw(self, records):
        self.told = [each for each in self.told if each not in records]

    def search(self, request):
        return self._begin(request, self.hits)

    def locate(self, request):
        return self._begin(request, [hit.holder for hit in self.hits])

    def _begin(self, request, results):
        self.requests.append(request)
        cost = Cost()
        return Search(self._results(request, results, cost), cost)

    async def _results(self, request, results, cost):
        self.running += 1
        try:
            cost.peers_asked += 1
            for _ in range(min(self.messages, request.budget.messages)):
                cost.messages_sent += 1
            await asyncio.sleep(self.after)
            for result in results:
                yield result
            if self.error:
                raise self.error
        finally:
            self.running -= 1


def hit(holder: int, name: str, hops: int = 1) -> Hit:
    made = record(OTHERS[holder], name)
    return Hit(made, Holder(made.peer_id, ()), hops)


def run(main, *overlays, rarity=Rarity.UNKNOWN):
    """Run `main(planner)` on one lonely peer with these overlays."""

    async def body(rng: random.Random) -> None:
        world = MemoryWorld(rng, lambda _shelf: MountingPlanner(overlays, lambda _query: rarity))
        async with world.stack:
            await main((await world.add()).overlay)

    run_virtual(body, seed=3)


async def search(planner: Planner, text: str = "blue", **bounds: Any):
    async with planner.search(SearchRequest(text=text, **bounds)) as found:
        return [each async for each in found], found


def stage(found, name):
    return next(each for each in found.stages if each.name == name)


def test_stages_overlap_and_each_result_comes_once():
    slow = Scripted("index", hit(0, "blue one.mp3"), hit(1, "blue two.mp3"), after=2.0)
    quick = Scripted("supernode", hit(0, "blue one.mp3"), hit(2, "blue three.mp3"), after=0.1)

    async def main(planner):
        hits, found = await search(planner)
        assert [each.record.name for each in hits] == ["blue one.mp3", "blue three.mp3", "blue two.mp3"]
        assert found.over is Over.COMPLETE
        assert (stage(found, "index").found, stage(found, "supernode").found) == (1, 2)
        assert stage(found, "supernode").began < stage(found, "index").ended
        assert found.cost.found == 3
        assert found.cost.first_found == pytest.approx(0.4)
        assert found.cost.messages_sent == 2
        assert found.cost.seconds == pytest.approx(2.0)

    run(main, slow, quick)


def test_what_was_rare_is_looked_up_at_once_the_next_time():
    neighbours, table = Scripted("index", after=0.5), Scripted("dht", after=0.1)

    async def main(rng: random.Random) -> None:
        world = MemoryWorld(rng, lambda _shelf: MountingPlanner((neighbours, table)))
        async with world.stack:
            planner = (await world.add()).overlay
            _, first = await search(planner)
            assert stage(first, "dht").began > 0
            _, second = await search(planner)
            assert stage(second, "dht").began == 0
            assert stage(second, "dht").why == "the words are rare"

    run_virtual(main, seed=3)


def test_enough_stops_everybody():
    quick = Scripted("index", *(hit(number, "blue.mp3") for number in range(5)), after=0.1)
    never = Scripted("dht", hit(7, "blue.mp3"))

    async def main(planner):
        hits, found = await search(planner, wanted=3)
        assert len(hits) == 3
        assert found.over is Over.FOUND
        assert never.requests == []
        assert not stage(found, "dht").asked
        assert stage(found, "dht").why == "enough was found before"
        assert quick.running == 0

    run(main, quick, never)


@pytest.mark.parametrize("error", [LimitError("tasks", "ours", "too much at once"), StoreError("the disk refused")])
def test_a_failing_overlay_ends_its_stage_only(error):
    failing = Scripted("index", hit(0, "blue one.mp3"), error=error)
    other = Scripted("supernode", hit(1, "blue two.mp3"))

    async def main(planner):
        hits, found = await search(planner)
        assert len(hits) == 2
        assert str(error) in stage(found, "index").why

    run(main, failing, other)


class Refusing(Scripted):
    def search(self, request):
        raise LimitError("searches", "ours", "no more searches")


def test_an_overlay_that_refuses_at_once_ends_its_stage_only():
    async def main(planner):
        hits, found = await search(planner)
        assert len(hits) == 1
        assert "no more searches" in stage(found, "index").why

    run(main, Refusing("index"), Scripted("supernode", hit(1, "blue two.mp3")))


def test_rare_words_go_to_the_hash_table_at_once():
    table = Scripted("dht", hit(1, "blue.mp3"), after=0.2)

    async def main(planner):
        _, found = await search(planner)
        assert stage(found, "dht").began == 0
        assert stage(found, "dht").why == "the words are rare"

    run(main, Scripted("index", after=5.0), table, rarity=Rarity.RARE)


def test_the_budget_of_all_together_is_kept():
    stages = [Scripted(name, messages=1000, after=9.0) for name in ("index", "supernode", "dht", "other")]

    async def main(planner):
        _, found = await search(planner, budget=Budget(messages=50))
        assert 0 < found.cost.messages_sent <= 50
        assert all(len(each.requests) == 1 for each in stages)

    run(main, *stages)


def test_the_deadline_ends_all_stages():
    slow = [Scripted(name, hit(0, "blue.mp3"), after=100.0) for name in ("index", "supernode")]

    async def main(planner):
        hits, found = await search(planner, deadline=1.5)
        assert hits == []
        assert found.over is Over.TIME
        assert found.cost.seconds == pytest.approx(1.5)
        assert all(each.running == 0 for each in slow)

    run(main, *slow)


def test_a_search_ended_early_leaves_nothing_running():
    endless = Scripted("index", *(hit(number, "blue.mp3") for number in range(10)), after=0.1)
    slow = Scripted("supernode", after=50.0)

    async def main(planner):
        async with planner.search(SearchRequest(text="blue")) as found:
            await anext(found)
        assert found.over is Over.STOPPED
        assert endless.running == slow.running == 0
        with pytest.raises(StopAsyncIteration):
            await anext(found)

    run(main, endless, slow)


def test_results_wait_for_whoever_searches():
    many = Scripted("index", *(hit(number % 10, f"blue {number}.mp3") for number in range(300)))

    async def main(planner):
        async with planner.search(SearchRequest(text="blue", wanted=300, deadline=30)) as found:
            await anext(found)
            await asyncio.sleep(1)
            assert many.running == 1  # it is held up, not ahead
            assert 1 + len([each async for each in found]) == 300

    run(main, many)


def test_locating_names_each_holder_once():
    async def main(planner):
        request = LocateRequest(content_id=content_of("blue.mp3"))
        async with planner.locate(request) as found:
            holders = [each.peer_id async for each in found]
        assert holders == [OTHERS[0].peer_id, OTHERS[1].peer_id]

    run(main, Scripted("index", hit(0, "blue.mp3")), Scripted("dht", hit(0, "blue.mp3"), hit(1, "blue.mp3")))


def test_publishing_goes_everywhere_even_when_one_fails():
    failing, other = Scripted("index", error=StoreError("full")), Scripted("dht")

    async def main(planner):
        made = record(OTHERS[0], "blue.mp3")
        with pytest.raises(StoreError):
            await planner.publish([made])
        assert other.told == [made]
        await planner.withdraw([made])
        assert other.told == []

    run(main, failing, other)


def test_a_bad_query_is_refused_at_once():
    async def main(planner):
        with pytest.raises(QueryError):
            planner.search(SearchRequest(text='"open'))

    run(main, Scripted("index"))


def test_without_overlays_a_search_is_over_at_once():
    async def main(planner):
        hits, found = await search(planner)
        assert (hits, found.over, found.stages) == ([], Over.COMPLETE, ())

    run(main)


class PatientTcpWorld(TcpWorld):
    """Stages come one after the other, on a computer that may be busy with something else."""

    patience = 0.75


class OneSuite(OverlaySuite):
    def make_overlay(self, shelf):
        return MountingPlanner([FloodOverlay(shelf)])


class TestOneOverlayInMemory(OneSuite):
    world = MemoryWorld


class TestOneOverlayOverTcp(OneSuite):
    world = PatientTcpWorld


class SeveralSuite(OverlaySuite):
    """Flooding and the hash table together, as in a node; a test ends when nobody reaches for anybody any more."""

    @pytest.fixture(autouse=True)
    def made(self):
        self.tables = []

    def make_overlay(self, shelf):
        self.tables.append(DhtOverlay(shelf, reachable=lambda: True, rules=_QUICK))
        return MountingPlanner([FloodOverlay(shelf), self.tables[-1]])

    def run(self, main):
        async def to_the_end(world):
            await main(world)
            for table in self.tables:
                await table.settle()

        super().run(to_the_end)


class TestSeveralInMemory(SeveralSuite):
    world = MemoryWorld


class TestSeveralOverTcp(SeveralSuite):
    world = PatientTcpWorld
