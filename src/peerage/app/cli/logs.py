"""`logs`: the last lines of the log: of the running node, or of the one that ran last."""

from __future__ import annotations

import time
from typing import Annotated, Literal

import msgspec
import typer

from peerage.app.api.insight_models import LogEntry
from peerage.app.cli.command import Command, Json
from peerage.app.logs import read_log
from peerage.limits import LOGS_KEPT

LevelName = Literal["debug", "info", "warning", "error"]


def logs(
    context: typer.Context,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=LOGS_KEPT, help="So many, the last ones.")] = 50,
    level: Annotated[LevelName, typer.Option(help="Leave out what matters less.")] = "debug",
    as_json: Json = False,
) -> None:
    """Show the last lines of the node's log; where no node runs, those in the file "log" of the home folder."""
    command = Command.of(context, as_json)
    for entry in _entries(command, lines, level):
        if as_json:
            command.output.emit(entry)
            continue
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.time))
        command.output.say(f"{when} {entry.level:<7} {entry.logger}: {entry.message}")
        for line in entry.trace.splitlines():
            command.output.say(line)


def _entries(command: Command, lines: int, level: LevelName) -> list[LogEntry]:
    if command.home.running() is None:
        found = read_log(command.home.log_file, lines, level)
        return [msgspec.convert(line, LogEntry, from_attributes=True) for line in found]
    with command.running_node() as node:
        return node.get("logs", list[LogEntry], lines=lines, level=level)
