"""Real processes, real TLS: kill -9 ten times during one download, and a folder of ten thousand files."""

from __future__ import annotations

import asyncio
import filecmp
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from peerage.limits import COMMIT_SECONDS, MAX_WINDOW, MIB, MIN_WINDOW

SCRIPT = Path(__file__).parent / "transfer_process.py"
KILLS = 10
SIZE = 56 * MIB + 12_345  # more than ten runs can fetch at this rate, however late each is killed
RATE = 2 * MIB  # bytes a second, so that ten kills find it at work
UNMARKED = (
    int(RATE * (COMMIT_SECONDS + 1.5)) + MIB
)  # what one kill may cost: not flushed yet, by the clock of the download
UNDER_WAY = 2 * MIN_WINDOW + MIB  # and what was received of pieces that were not whole
PATIENCE = 60.0

pytestmark = pytest.mark.e2e


class Process:
    """A process that speaks JSON lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.last: dict[str, Any] = {}
        self.first: dict[str, Any] = {}

    @classmethod
    async def start(cls, *arguments: object) -> Process:
        pipe = asyncio.subprocess.PIPE
        command = [sys.executable, str(SCRIPT), *map(str, arguments)]
        return cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe))

    async def hear(self) -> dict[str, Any]:
        """Return the next line; empty at the end."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if line.endswith(b"\n"):
            self.last = json.loads(line)
            self.first = self.first or self.last
            return self.last
        return {}

    async def listen(self) -> dict[str, Any]:
        """Hear it out, and return its last word."""
        async with asyncio.timeout(PATIENCE):
            while await self.hear():
                pass
            await self.process.wait()
        return self.last

    async def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        async with asyncio.timeout(PATIENCE):
            await self.process.wait()


@pytest.fixture
async def seeded(tmp_path):
    """Start seeds of whatever place, and end them after the test."""
    running: list[Process] = []

    async def start(place: Path) -> str:
        seed = await Process.start("seed", place)
        running.append(seed)
        async with asyncio.timeout(PATIENCE):
            return (await seed.hear())["link"]

    yield start
    for seed in running:
        await seed.end()


async def killed_run(rng: random.Random, *arguments: object) -> Process:
    """Run a downloader and kill it somewhere on its way, now and then before it has said a word."""
    leech = await Process.start("leech", *arguments)
    listening = asyncio.create_task(leech.listen())
    if rng.random() < 0.8:
        while not leech.first and not listening.done():
            await asyncio.sleep(0.01)
        await asyncio.sleep(rng.uniform(0.1, 2.0))
    else:
        await asyncio.sleep(rng.uniform(0.0, 0.5))
    if leech.process.returncode is None:
        leech.process.kill()
    await listening
    return leech


async def test_kill_9_ten_times_in_a_row_then_the_file_is_whole_and_nothing_marked_was_fetched_twice(tmp_path, seeded):
    original, target = tmp_path / "original", tmp_path / "got"
    original.write_bytes(random.Random(9).randbytes(SIZE))
    link = await seeded(original)
    rng, arguments = random.Random(), (link, target, tmp_path / "state")
    runs = [await killed_run(rng, *arguments, RATE) for _ in range(KILLS)]
    assert not target.exists()
    last = await Process.start("leech", *arguments, 0)
    final = await last.listen()
    assert final == {"path": str(target)}
    assert filecmp.cmp(original, target, shallow=False)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["got", "original", "state"]

    alive = [run for run in runs if run.first] + [last]
    lost = 0
    for run, following in zip(alive, alive[1:], strict=False):
        gone = run.last["done"] - following.first["done"]
        assert gone <= UNMARKED
        lost += max(gone, 0)
    fetched = sum(run.last["fetched"] for run in alive[:-1]) + SIZE - last.first["done"]
    assert fetched <= 1.01 * SIZE + lost + len(alive) * UNDER_WAY
    assert UNDER_WAY < MAX_WINDOW


async def test_a_folder_of_ten_thousand_files(tmp_path, seeded):
    original, target = tmp_path / "original", tmp_path / "got"
    rng = random.Random(10)
    for number in range(10_000):
        path = original / f"{number % 100:02}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(rng.randrange(4096)))
    link = await seeded(original)
    leech = await Process.start("leech", link, target, tmp_path / "state", 0)
    assert await leech.listen() == {"path": str(target)}
    files = sorted(path.relative_to(original) for path in original.rglob("*") if path.is_file())
    assert sorted(path.relative_to(target) for path in target.rglob("*") if path.is_file()) == files
    _same, different, unreadable = filecmp.cmpfiles(original, target, files, shallow=False)
    assert (different, unreadable) == ([], [])
