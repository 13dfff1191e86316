"""Many downloaders and one seed: everyone shares while downloading, through deaths, broken links and cheats."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "content"))

from content_world import Seeded, Stage, Station, finished, on_stage, some_bytes, until

from peerage.content.bitmap import Bitmap
from peerage.content.download import Download, DownloadState
from peerage.content.holding import Holding, WholeHolding
from peerage.limits import KIB, MIB

LEECHES = 30


class Forger(Station):
    """Sends every other piece with one bit wrong."""

    def holding_of(self, holding: WholeHolding) -> Holding:
        class Forged(WholeHolding):
            def read_piece(self, index: int, buffer: memoryview) -> None:
                super().read_piece(index, buffer)
                buffer[0] ^= index & 1

        return Forged(holding.manifest, holding._content, holding.visibility)


class Rarity(Station):
    """Has only some of the pieces, and says so."""

    has: tuple[int, ...] = ()

    def holding_of(self, holding: WholeHolding) -> Holding:
        has = self.has

        class Part(WholeHolding):
            def pieces(self) -> Bitmap:
                return Bitmap(self.space.count, has)

        return Part(holding.manifest, holding._content, holding.visibility)


class Crowd:
    """Downloaders who know the seed, and find each other only by asking it, or by being asked."""

    def __init__(self, stage: Stage, seed: Station, what: Seeded) -> None:
        self.stage = stage
        self.seed = seed
        self.what = what
        self.stations: list[Station] = []
        self.downloads: list[Download] = []

    async def join(self, count: int, *, up: float = MIB, pause: float = 0.2) -> None:
        for _ in range(count):
            station = await self.stage.add(up=up)
            station.known = [each.source for each in self.stations[-8:]]  # as an overlay would tell
            self.stations.append(station)
            self.downloads.append(await station.get(self.what, self.seed))
            await asyncio.sleep(pause)

    async def finish(self, seconds: float = 300.0) -> None:
        for download in self.downloads:
            if download.state is not DownloadState.CANCELLED:
                assert self.what.equals(await finished(download, seconds))


@on_stage
async def test_thirty_downloaders_from_one_seed_share_what_they_have(stage):
    seed = await stage.add(up=MIB)
    what = await seed.seed(some_bytes(12 * MIB))
    crowd = Crowd(stage, seed, what)
    began = stage.now
    await crowd.join(LEECHES)
    await crowd.finish()
    took = stage.now - began
    assert seed.sent < 3 * what.size
    assert took < 0.15 * LEECHES * what.size / MIB  # alone, the seed would need six minutes
    given = [station.sent for station in crowd.stations]
    assert sum(each > MIB for each in given) > LEECHES * 0.7
    assert sum(station.received for station in crowd.stations) < 1.25 * LEECHES * what.size


@on_stage
async def test_the_seed_may_leave_once_the_crowd_has_every_piece(stage):
    seed = await stage.add(up=MIB)
    what = await seed.seed(some_bytes(5 * MIB))
    crowd = Crowd(stage, seed, what)
    await crowd.join(10, pause=0.05)

    def has_everything() -> bool:
        have = [download.scheduler.have() for download in crowd.downloads if download.scheduler]
        complete = any(download.state is DownloadState.DONE for download in crowd.downloads)
        return complete or len({index for each in have for index in each}) == what.space.count

    await until(has_everything, step=0.01)
    assert any(download.state is DownloadState.RUNNING for download in crowd.downloads)
    await stage.kill(seed)
    await crowd.finish()


@on_stage
async def test_a_crowd_in_which_some_die_and_some_cheat_still_gets_everything(stage):
    seed = await stage.add(up=MIB)
    what = await seed.seed(some_bytes(5 * MIB))
    forgers = [await stage.add(Forger, up=MIB) for _ in range(3)]
    for forger in forgers:
        await forger.seed(what.data)
    crowd = Crowd(stage, seed, what)
    await crowd.join(16)
    for download in crowd.downloads:
        for forger in forgers:
            download.add_source(forger.source)
    for number in (3, 7, 11):
        await asyncio.sleep(1)
        await stage.kill(crowd.stations[number], silently=number == 7)
        crowd.downloads[number].state = DownloadState.CANCELLED
    await crowd.finish()
    wrong = sum(station.peer.metrics.value("wrong_pieces") for station in crowd.stations)
    assert 0 < wrong <= 3 * 16


@on_stage
async def test_a_crowd_whose_links_break_all_the_time_still_gets_everything(stage):
    stage.world.net.link_life = 10.0
    seed = await stage.add(up=MIB)
    what = await seed.seed(some_bytes(5 * MIB))
    crowd = Crowd(stage, seed, what)
    await crowd.join(8)
    await crowd.finish(900.0)


@on_stage
async def test_pieces_that_are_rare_are_fetched_first(stage):
    count = 96
    rare = tuple(range(40, 48))
    common = tuple(index for index in range(count) if index not in rare)
    data = some_bytes(count * 256 * KIB)
    sources = []
    for _ in range(3):
        station = await stage.add(type("Common", (Rarity,), {"has": common}), up=200 * KIB)
        what = await station.seed(data)
        sources.append(station)
    holder, leech = await stage.add(type("Rare", (Rarity,), {"has": (*rare, *common[:-1])})), await stage.add()
    await holder.seed(data)
    download = await leech.get(what, *sources)
    await until(lambda: download.status().sources == 3)
    download.add_source(holder.source)
    await until(lambda: download.status().done >= 6 * MIB)
    have = download.scheduler.have()
    assert sum(index in have for index in rare) == 8  # by chance it would be two
    assert what.equals(await finished(download))


@on_stage
async def test_two_halves_make_a_whole(stage):
    data = some_bytes(4 * MIB + 5)
    sources = []
    for half in (0, 1):
        station = await stage.add(type("Half", (Rarity,), {"has": tuple(range(half, 17, 2))}), up=MIB)
        what = await station.seed(data)
        sources.append(station)
    leech = await stage.add()
    assert what.equals(await finished(await leech.get(what, *sources)))


@on_stage
async def test_whoever_asks_for_what_is_being_downloaded_becomes_a_source_of_it(stage):
    data = some_bytes(4 * MIB + 5)
    halves = []
    for half in (0, 1):
        station = await stage.add(type("Half", (Rarity,), {"has": tuple(range(half, 17, 2))}), up=MIB)
        what = await station.seed(data)
        halves.append(station)
    one, other = await stage.add(), await stage.add()
    first = await one.get(what, halves[0])  # which knows nobody else, and never hears of the other half
    await asyncio.sleep(1)
    second = await other.get(what, halves[1], one)
    assert what.equals(await finished(second, 60))
    assert what.equals(await finished(first, 60))


@on_stage
async def test_a_slow_source_does_not_hold_up_the_end(stage):
    slow, quick, leech = await stage.add(up=20 * KIB), await stage.add(up=2 * MIB), await stage.add()
    what = await slow.seed(some_bytes(16 * MIB))
    await quick.seed(what.data)
    began = stage.now
    assert what.equals(await finished(await leech.get(what, slow, quick)))
    assert stage.now - began < 14  # 8 seconds from the quick one alone; one piece takes the slow one 13


@on_stage
async def test_many_small_files_from_several_sources(stage):
    files = {f"{number % 20}/{number}": b"%d " % number * (number % 50) for number in range(1500)}
    sources = [await stage.add(up=MIB) for _ in range(3)]
    for source in sources:
        what = await source.seed(files)
    leech = await stage.add()
    began = stage.now
    assert what.equals(await finished(await leech.get(what, *sources)))
    assert stage.now - began < 10
    assert leech.received < what.size + 1500 * 200


@pytest.mark.parametrize("seconds", [0.5, 2.0, 4.0])
@on_stage
async def test_every_node_may_stop_at_any_time(stage, seconds):
    seed = await stage.add(up=MIB)
    what = await seed.seed(some_bytes(5 * MIB))
    crowd = Crowd(stage, seed, what)
    await crowd.join(6, pause=0.1)
    await asyncio.sleep(seconds)
    for station in (crowd.stations[0], seed, *crowd.stations[1:]):
        await stage.world.leave(station.node)
