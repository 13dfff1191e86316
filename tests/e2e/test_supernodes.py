"""Thirty real processes over TLS on loopback: supernodes emerge, one is killed -9, and searches go on."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent / "supernode_process.py"
NODES = 30
AT_ONCE = 6  # starts: each costs a second of processor time
PATIENCE = 120.0

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


class Process:
    """A node that answers line by line."""

    def __init__(self, number: int, process: asyncio.subprocess.Process) -> None:
        self.number = number
        self.process = process
        self.address: list[str] = []

    @classmethod
    async def start(cls, number: int, known: Sequence[str] = ()) -> Process:
        pipe = asyncio.subprocess.PIPE
        command = [sys.executable, str(SCRIPT), str(number), *map(str, known)]
        made = cls(number, await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe))
        made.address = (await made.hear())["address"]
        return made

    async def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return json.loads(await self.process.stdout.readline())

    async def ask(self, line: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        return await self.hear()

    async def finds(self, other: Process) -> bool:
        return (await self.ask(f"search number{other.number}")).get("found") == [f"tune number{other.number}.flac"]

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@pytest.fixture
async def nodes():
    first = await Process.start(0)
    started = [first]
    try:
        for begin in range(1, NODES, AT_ONCE):
            some = range(begin, min(begin + AT_ONCE, NODES))
            started += await asyncio.gather(*(Process.start(number, first.address) for number in some))
        yield started
    finally:
        await asyncio.gather(*(node.end() for node in started))


async def statuses(nodes: Sequence[Process]) -> list[dict[str, Any]]:
    return list(await asyncio.gather(*(node.ask("status") for node in nodes)))


async def settled(nodes: Sequence[Process]) -> list[dict[str, Any]]:
    """Wait until everybody has found its place, and told what it has."""
    async with asyncio.timeout(PATIENCE):
        while True:
            told = await statuses(nodes)
            supernodes = sum(each["role"] == "supernode" for each in told)
            enough = min(3, supernodes)
            if supernodes >= 3 and all(
                each["role"] == "supernode" or (each["supernodes"] == enough and each["settled"]) for each in told
            ):
                return told
            await asyncio.sleep(0.5)


async def test_supernodes_emerge_and_one_is_killed(nodes):
    told = await settled(nodes)
    roles = [each["role"] for each in told]
    assert 3 <= roles.count("supernode") <= 20
    assert roles.count("leaf") == NODES - roles.count("supernode")
    pairs = [(nodes[number], nodes[(number + 7) % NODES]) for number in range(NODES)]
    assert all(await asyncio.gather(*(one.finds(other) for one, other in pairs)))

    busiest = max(range(NODES), key=lambda number: told[number]["leaves"])
    assert told[busiest]["leaves"] >= 3
    victim = nodes[busiest]
    victim.process.kill()
    await victim.process.wait()
    left = [node for node in nodes if node is not victim]
    pairs = [(one, other) for one, other in pairs if victim not in (one, other)]
    assert all(await asyncio.gather(*(one.finds(other) for one, other in pairs)))  # at once: others know it all, too

    await settled(left)
    assert all(await asyncio.gather(*(one.finds(other) for one, other in pairs)))
