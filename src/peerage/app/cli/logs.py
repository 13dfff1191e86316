"""`logs`: the last lines of the log of the running node."""

from __future__ import annotations

import time
from typing import Annotated, Literal

import typer

from peerage.app.api.insight_models import LogEntry
from peerage.app.cli.command import Command, Json
from peerage.limits import LOGS_KEPT

LevelName = Literal["debug", "info", "warning", "error"]


def logs(
    context: typer.Context,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=LOGS_KEPT, help="So many, the last ones.")] = 50,
    level: Annotated[LevelName, typer.Option(help="Leave out what matters less.")] = "debug",
    as_json: Json = False,
) -> None:
    """Show the last lines of the node's log; all of it is in the file "log" of the home folder."""
    command = Command.of(context, as_json)
    with command.running_node() as node:
        entries = node.get("logs", list[LogEntry], lines=lines, level=level)
    for entry in entries:
        if as_json:
            command.output.emit(entry)
            continue
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.time))
        command.output.say(f"{when} {entry.level:<7} {entry.logger}: {entry.message}")
        for line in entry.trace.splitlines():
            command.output.say(line)
