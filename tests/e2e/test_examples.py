"""The examples, run as the programs that they are."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE = 60

pytestmark = pytest.mark.e2e


class Program:
    """A running example, its screen and its keyboard."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.screen: list[str] = []

    @classmethod
    async def start(cls, name: str, *arguments: str) -> Program:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, EXAMPLES / name, *arguments, stdin=pipe, stdout=pipe, stderr=pipe
        )
        return cls(process)

    async def shows(self, text: str) -> str:
        """Read on until a line contains `text`."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while not self.screen or text not in self.screen[-1]:
                line = await self.process.stdout.readline()
                assert line, f"{text!r} never came: {self.screen}, {await self.errors()}"
                self.screen.append(line.decode().rstrip())
        return self.screen[-1]

    def type(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())

    async def errors(self) -> str:
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode()

    async def leave(self) -> None:
        """Close the keyboard, and see that it ends in order."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        async with asyncio.timeout(PATIENCE):
            errors = await self.errors()
            assert await self.process.wait() == 0, errors
        assert errors == ""


async def test_echo() -> None:
    assert (EXAMPLES / "echo.py").read_text().count("\n") <= 20
    program = await Program.start("echo.py")
    await program.shows("HELLO, PEER")
    await program.leave()


async def test_chat() -> None:
    anna = await Program.start("chat.py", "anna")
    address = (await anna.shows("can be reached at")).split()[-1]
    bert = await Program.start("chat.py", "bert", address)
    at_bert = (await bert.shows("can be reached at")).split()[-1]
    await anna.shows("bert: (is here)")
    carl = await Program.start("chat.py", "carl", at_bert)
    await anna.shows("carl: (is here)")  # he knew only Bert: the stabilizer made the rest
    anna.type("hello everyone\n")
    await bert.shows("anna: hello everyone")
    await carl.shows("anna: hello everyone")
    await bert.leave()
    carl.type("Bert has left, \x1b[2Jand nothing depends on him\n")
    assert await anna.shows("carl: Bert") == "carl: Bert has left, ?[2Jand nothing depends on him"
    await asyncio.gather(anna.leave(), carl.leave())
