"""`transfers`, `pause`, `resume`, `cancel`: the downloads of this node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from peerage.app.api.models import Transfer
from peerage.app.cli import formats
from peerage.app.cli.client import quoted
from peerage.app.cli.command import Command, Json
from peerage.app.cli.fetching import follow, tell_end
from peerage.app.cli.output import Column

_COLUMNS: Final = (
    Column("name", whole=False),
    Column("id", style="dim"),
    Column("state"),
    Column("done", right=True),
    Column("size", right=True),
    Column("speed", right=True),
    Column("sources", right=True),
    Column("left", right=True),
    Column("note", whole=False),
)
_SHORT: Final = 12  # characters of an id in a table: enough to name a download by

Targets = Annotated[
    list[str], typer.Argument(metavar="TRANSFER...", help="Names or ids of downloads.", show_default=False)
]


def transfers(context: typer.Context, as_json: Json = False) -> None:
    """List the downloads."""
    command = Command.of(context, as_json)
    with command.node() as node:
        listed = node.get("transfers", list[Transfer])
    if not listed:
        command.output.hint(f"No downloads; find something with: {command.program} search WORDS")
        return
    command.output.records(listed, _COLUMNS, _row)


def _row(transfer: Transfer) -> Sequence[str]:
    running = transfer.state == "running"
    return (
        transfer.name,
        transfer.content_id[:_SHORT],
        transfer.state,
        formats.percent(transfer.done, transfer.wanted) if transfer.wanted is not None else "?",
        formats.size(transfer.size) if transfer.size is not None else "?",
        formats.speed(transfer.rate_down) if running else "",
        str(transfer.sources) if running else "",
        formats.duration(transfer.eta) if running else "",
        transfer.error or transfer.note,
    )


def pause(context: typer.Context, targets: Targets, as_json: Json = False) -> None:
    """Stop downloads for now; what has come is kept."""
    _change(Command.of(context, as_json), targets, "pause", "Paused")


def cancel(context: typer.Context, targets: Targets, as_json: Json = False) -> None:
    """Give downloads up; what has come of them is deleted."""
    _change(Command.of(context, as_json), targets, "cancel", "Cancelled")


def _change(command: Command, targets: Sequence[str], action: str, done: str) -> None:
    with command.node() as node:
        for target in targets:
            transfer = node.post(f"transfers/{quoted(target)}/{action}", Transfer)
            if command.output.as_json:
                command.output.emit(transfer)
            command.output.say(f"{done}: {transfer.name}")


def resume(context: typer.Context, targets: Targets, as_json: Json = False) -> None:
    """Go on with downloads; without a running node, until they are complete."""
    command = Command.of(context, as_json)
    with command.node() as node:
        resumed = [node.post(f"transfers/{quoted(target)}/resume", Transfer) for target in targets]
        if command.was_temporary:
            resumed = [follow(command, node, transfer) for transfer in resumed]
    for transfer in resumed:
        if command.was_temporary:
            tell_end(command, transfer)
        elif as_json:
            command.output.emit(transfer)
        else:
            command.output.say(f"Goes on: {transfer.name}")
