"""The five nodes of `peerage demo`: real processes of this program, each with a home folder of its own.

Invariant: whatever happens inside the `with` block, every process that was started has ended when it is over; each is
addressed by the handle it was started with, never by its name.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from peerage.app.api.models import Status
from peerage.app.cli.client import Client
from peerage.app.home import Home
from peerage.errors import PeerageError

T = TypeVar("T")

_STOPPING: Final = 5.0  # seconds until a node that was asked to stop is killed
_PAUSE: Final = 0.05
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Deadline:
    """The moment by which the whole demonstration must be over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def wait_for(self, what: str, question: Callable[[], T | None]) -> T:
        """Ask again and again until the answer is not None; raises PeerageError when the time is over."""
        while time.monotonic() < self._end:
            answer = question()
            if answer is not None:
                return answer
            time.sleep(_PAUSE)
        raise PeerageError(f"the demonstration took too long: {what} did not happen")


class DemoNode:
    """One node: its number, its process and, once it is up, its API."""

    def __init__(self, number: int, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.number = number
        self.home = Home.at(folder)
        self.process = process
        self.client: Client | None = None
        self.status: Status | None = None

    @property
    def name(self) -> str:
        """What the story calls it."""
        return f"node {self.number}"

    @property
    def api(self) -> Client:
        """The local API of the node."""
        assert self.client is not None, "asked before it was up"
        return self.client

    @property
    def about(self) -> Status:
        """What the node said of itself when it came up."""
        assert self.status is not None, "asked before it was up"
        return self.status

    def ask_status(self) -> Status | None:
        """Return its status once it answers; raises PeerageError when it has ended instead."""
        if self.process.poll() is not None:
            raise PeerageError(f"{self.name} ended at its start: {last_line(self.home.path / 'output')}")
        running = self.home.running()
        if running is None or not running.api:
            return None
        self.client = self.client or Client(running.api, self.home.token())
        self.status = self.client.get("status", Status)
        return self.status

    def kill(self) -> None:
        """End the process at once, as a power cut would (SIGKILL)."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def five_nodes(folder: Path, network: str, deadline: Deadline) -> Iterator[list[DemoNode]]:
    """Run five nodes that know only the first one's address, until the block is over."""
    nodes: list[DemoNode] = []
    try:
        _start(nodes, folder, network, [])
        meeting_point = deadline.wait_for("the first node's start", nodes[0].ask_status).listen
        for _ in range(4):
            _start(nodes, folder, network, ["--connect", meeting_point])
        for node in nodes:
            deadline.wait_for(f"{node.name}'s start", node.ask_status)
        yield nodes
    finally:
        with _uninterrupted():
            _stop(nodes)


def _start(nodes: list[DemoNode], folder: Path, network: str, extra: list[str]) -> None:
    """Start one more node and list it."""
    number = len(nodes) + 1
    home = folder / f"node-{number}"
    home.mkdir(mode=0o700)
    addresses = ["--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--no-lan"]
    command = [sys.executable, "-m", "peerage", "--home", str(home), "up", *addresses, "--network", network, *extra]
    with (home / "output").open("wb") as output, _uninterrupted():
        process = subprocess.Popen(  # noqa: S603  # this very program
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        nodes.append(DemoNode(number, home, process))


def _stop(nodes: list[DemoNode]) -> None:
    """End what still runs: ask first, then do not ask."""
    for node in nodes:
        if node.client is not None:
            node.client.close()
        node.process.terminate()
    end = time.monotonic() + _STOPPING
    for node in nodes:
        try:
            node.process.wait(max(end - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            node.kill()


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put Ctrl-C and SIGTERM off until the block is over, so that no process is started unlisted or left running."""
    came: list[int] = []
    before = {each: signal.signal(each, lambda number, _: came.append(number)) for each in _SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    if came:
        raise KeyboardInterrupt


def last_line(path: Path) -> str:
    """Return the last thing a process wrote into a file."""
    lines = path.read_text("utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
