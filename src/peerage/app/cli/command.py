"""What every command has at hand: the home folder, its output and, where it needs one, a node to ask.

Invariant: a node that a command started for itself has stopped, in order, before the command returns; a node that was
running before is left running.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from peerage.app.cli.output import Invocation, Output
from peerage.app.home import Home
from peerage.errors import LocalError

if TYPE_CHECKING:
    from peerage.app.cli.client import Client

_START_SECONDS: Final = 10.0  # a node that opens a large catalogue has the folder, and not yet an API
_LOOK_SECONDS: Final = 0.05

Json = Annotated[bool, typer.Option("--json", help="Print JSON: one object, or one a line.")]


class Command:
    """One command as it was given: its home folder and where its words go."""

    def __init__(self, home: Home, output: Output, program: str) -> None:
        self.home = home
        self.output = output
        self.program = program  # what to type so that the next command meets the same node
        self.was_temporary = False

    @classmethod
    def of(cls, context: typer.Context, as_json: bool) -> Command:
        """Return the command that Typer is calling."""
        invocation: Invocation = context.obj
        return cls(Home.at(invocation.home), output_of(as_json), invocation.program)

    @contextmanager
    def node(self) -> Iterator[Client]:
        """Give the running node of this home folder, or one that runs as long as the `with` block."""
        from peerage.app.cli.client import Client  # noqa: PLC0415  # HTTP takes 0.1 s to load, `id` needs none

        running = self._running()
        if running:
            with Client(running, self.home.token()) as client:
                yield client
            return
        from peerage.app.cli.temporary import temporary_node  # noqa: PLC0415  # and a whole node 0.5 s

        self.was_temporary = True
        with temporary_node(self.home) as api, Client(api, self.home.token()) as client:
            yield client

    @contextmanager
    def running_node(self) -> Iterator[Client]:
        """Give the running node of this home folder; raises LocalError when there is none."""
        from peerage.app.cli.client import Client  # noqa: PLC0415

        running = self._running()
        if not running:
            where = f"no node is running with the home folder {self.home.path}"
            raise LocalError(f"{where}; start one with: {self.program} up")
        with Client(running, self.home.token()) as client:
            yield client

    def _running(self) -> str:
        """Return where the running node has its API, "" when none runs; waits for one that is just starting."""
        end = time.monotonic() + _START_SECONDS
        while (info := self.home.running()) is not None and not info.api:
            if time.monotonic() > end:
                raise LocalError(f"process {info.pid} runs the node of {self.home.path} without an API; stop it first")
            time.sleep(_LOOK_SECONDS)
        return info.api if info is not None else ""


def output_of(as_json: bool) -> Output:
    """Return the output of this process."""
    return Output(as_json=as_json, stdout=sys.stdout, stderr=sys.stderr)


def absolute(path: Path) -> str:
    """Return a path as the node, which runs elsewhere, must be told it; links in it stay links."""
    return str(path.expanduser().absolute())
