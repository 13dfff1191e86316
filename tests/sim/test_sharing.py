"""Two hundred nodes that share, search and download while nodes die and others come."""

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from sharing_world import NEIGHBOURS, Sharer

from peerage.content.download import DownloadState
from peerage.lab.clock import run_virtual
from peerage.lab.world import SimNode, World, WorldPlan
from peerage.limits import MAX_SEARCH_TTL, MIB

NODES = 200
ALBUMS = 5  # contents that many have
HOLDERS = 16  # of each album at the start
SEEKERS = 4  # of each album
SEED = 20

pytestmark = pytest.mark.xdist_group("sharing")  # one story, told once


class Story(NamedTuple):
    """What came of it."""

    trace: str
    found: int
    complete: int
    equal: int
    sources: int  # holders found in all
    deaths: int
    rare_asked: int
    rare_found: int
    uploaders: int  # living nodes that gave something
    wrong_pieces: int  # which nobody sends here


class Town:
    """The world, and what everyone has."""

    def __init__(self, rng: random.Random, root: Path) -> None:
        self.rng = rng
        self.root = root
        self.sharers: dict[int, Sharer] = {}
        self.albums = [rng.randbytes(5 * MIB // 4 + 1000 * number) for number in range(ALBUMS)]

    async def equip(self, node: SimNode) -> None:
        sharer = self.sharers[node.number] = await Sharer.equip(node, self.root / str(node.number))
        node.stack.callback(self.sharers.pop, node.number)
        await sharer.share(f"diary of node{node.number}.txt", f"dear diary {node.number}".encode())

    async def hand_out(self, world: World) -> None:
        for number, album in enumerate(self.albums):
            for node in world.choose(HOLDERS):
                name = f"Album{number} (copy {node.number % 3}).flac"
                await self.sharers[node.number].share(name, album)


async def fetch_album(town: Town, node: SimNode, number: int) -> tuple[int, bool, bool]:
    """Search for an album and download it; returns how many holders were found, and whether it came, and as it was."""
    sharer = town.sharers[node.number]
    hits = await sharer.search(f"album{number} type:audio")
    if not hits:
        return 0, False, False
    download = await sharer.fetch(hits[0])
    path = await download.wait()
    return len(hits[0].holders), download.state is DownloadState.DONE, path.read_bytes() == town.albums[number]


async def find_diary(town: Town, seeker: SimNode, writer: SimNode) -> bool:
    """Search for what only one node has."""
    hits = await town.sharers[seeker.number].search(f'"diary of" node{writer.number}', MAX_SEARCH_TTL)
    return any(hit.name == f"diary of node{writer.number}.txt" for hit in hits)


async def life(rng: random.Random, root: Path) -> Story:
    town = Town(rng, root)
    async with World(rng, WorldPlan(peers=NODES, up=1.0 * MIB, down=5.0 * MIB), town.equip) as world:
        for node in world.nodes:
            node.peer.start_pings()
        await world.link_up(NEIGHBOURS)
        await town.hand_out(world)
        seekers = [node for node in world.nodes if len(list(town.sharers[node.number].folder.iterdir())) == 2]
        seekers = rng.sample(seekers, ALBUMS * SEEKERS)
        writers = seekers[-10:]
        async with asyncio.TaskGroup() as group:
            churn = group.create_task(world.churn(20, lifetime=64, degree=NEIGHBOURS, spared=seekers))
            await asyncio.sleep(2)
            fetches = []
            for index, node in enumerate(seekers):
                fetches.append(group.create_task(fetch_album(town, node, index % ALBUMS)))
                await asyncio.sleep(rng.uniform(0, 0.5))
            diaries = [group.create_task(find_diary(town, *pair)) for pair in zip(seekers[:10], writers, strict=True)]
        results, diary_found = [task.result() for task in fetches], [task.result() for task in diaries]
        world.trace.note(f"{results} {diary_found}")
        return Story(
            world.trace.digest(),
            found=sum(holders > 0 for holders, _, _ in results),
            complete=sum(done for _, done, _ in results),
            equal=sum(equal for _, _, equal in results),
            sources=sum(holders for holders, _, _ in results),
            deaths=churn.result(),
            rare_asked=len(diary_found),
            rare_found=sum(diary_found),
            uploaders=sum(node.peer.metrics.value("bytes_uploaded") > 0 for node in world.nodes),
            wrong_pieces=sum(node.peer.metrics.value("wrong_pieces") for node in world.nodes),
        )


def live(root: Path) -> Story:
    return run_virtual(lambda rng: life(rng, root), SEED, horizon=3600)


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Story:
    return live(tmp_path_factory.mktemp("town"))


def test_whoever_seeks_what_many_have_finds_and_gets_it_whole(story):
    assert story.found == story.complete == story.equal == ALBUMS * SEEKERS
    assert story.sources > 10 * story.found
    assert story.uploaders > 3 * ALBUMS
    assert story.wrong_pieces == 0


def test_what_only_one_node_has_is_found_too(story):
    assert story.rare_asked == 10
    assert story.rare_found >= 8  # a relay may die with the answer in its hands


def test_all_that_under_churn(story):
    assert story.deaths >= NODES * 20 / 64 / 2


def test_the_same_seed_gives_the_same_trace_in_another_process_and_folder(story, tmp_path):
    """Neither how Python hashes texts, nor where the files lie, nor when they were written may show."""
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"import pathlib, test_sharing; print(test_sharing.live(pathlib.Path({str(tmp_path)!r})).trace)"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == story.trace
