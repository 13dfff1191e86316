"""`move`, `prefer`, `sources`, `forget`: which downloads come first, how fast each may be, and which leave the list."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final

import typer

from peerage.app.api.models import PriorityBody, Transfer
from peerage.app.api.transfer_models import Forgotten, MoveBody, TransferLimitBody, TransferSource
from peerage.app.cli import formats
from peerage.app.cli.client import quoted
from peerage.app.cli.command import Command, Json
from peerage.app.cli.output import Column
from peerage.errors import LocalError

_COLUMNS: Final = (
    Column("peer", style="dim"),
    Column("name", whole=False),
    Column("address"),
    Column("state"),
    Column("has", right=True),
    Column("speed", right=True),
    Column("received", right=True),
    Column("runs", whole=False),
)

One = Annotated[str, typer.Argument(metavar="TRANSFER", help="Name or id of a download.", show_default=False)]


class Where(StrEnum):
    """A way in the queue."""

    TOP = "top"
    UP = "up"
    DOWN = "down"
    BOTTOM = "bottom"


class Level(StrEnum):
    """How much something is wanted."""

    SKIP = "skip"
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


def move(
    context: typer.Context,
    target: One,
    to: Annotated[Where, typer.Argument(help="Where in the queue.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Move a download in the queue; see "limits --at-once" for how many run."""
    command = Command.of(context, as_json)
    with command.node() as node:
        moved = node.post(f"transfers/{quoted(target)}/move", Transfer, MoveBody(to=to.value))
    _tell(command, moved, f"Moved: {moved.name}")


def prefer(
    context: typer.Context,
    target: One,
    level: Annotated[Level, typer.Argument(help="How much it is wanted; files can be skipped.", show_default=False)],
    only: Annotated[
        str | None, typer.Option(metavar="GLOB", help='Of a folder, the files that fit, such as "*.flac".')
    ] = None,
    limit: Annotated[
        str | None, typer.Option(metavar="SPEED", help='Fetch it at most so fast: 5MB, 800kB, "off".')
    ] = None,
    as_json: Json = False,
) -> None:
    """Begin a download sooner or later than others, or fetch some of its files sooner, later or not at all."""
    command = Command.of(context, as_json)
    rate = _rate(limit)
    with command.node() as node:
        route = f"transfers/{quoted(target)}"
        changed = node.post(f"{route}/priority", Transfer, PriorityBody(level=level.value, only=only))
        if rate is not None:
            changed = node.put(f"{route}/limit", Transfer, TransferLimitBody(down=rate))
    limited = f", at most {formats.limit(changed.limit)}" if changed.limit else ""
    what = f"files that fit {only!r}: {level.value}" if only is not None else f"priority {changed.priority}"
    _tell(command, changed, f"{changed.name}: {what}{limited}")


def sources(context: typer.Context, target: One, as_json: Json = False) -> None:
    """List who has the content of a download, or may have it, and what comes from each."""
    command = Command.of(context, as_json)
    with command.node() as node:
        listed = node.get(f"transfers/{quoted(target)}/sources", list[TransferSource])
    if not listed:
        command.output.hint("Nobody is known who may have it.")
        return
    command.output.records(listed, _COLUMNS, _row)


def forget(
    context: typer.Context,
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TRANSFER...]", help="Names or ids of downloads.", show_default=False),
    ] = None,
    finished: Annotated[bool, typer.Option("--finished", help="All that are complete.")] = False,
    as_json: Json = False,
) -> None:
    """Take downloads that have ended off the list; their files stay."""
    command = Command.of(context, as_json)
    if bool(targets) == finished:
        raise typer.BadParameter("name downloads, or say --finished")
    with command.node() as node:
        for target in targets or ():
            gone = node.post(f"transfers/{quoted(target)}/forget", Transfer)
            _tell(command, gone, f"Off the list: {gone.name}")
        if finished:
            cleared = node.post("transfers/forget-finished", Forgotten)
            if as_json:
                command.output.emit(cleared)
            command.output.say(f"Off the list: {formats.count(cleared.count, 'download')}")


def _tell(command: Command, transfer: Transfer, said: str) -> None:
    if command.output.as_json:
        command.output.emit(transfer)
    command.output.say(said)


def _row(source: TransferSource) -> Sequence[str]:
    return (
        formats.short_id(source.peer_id),
        source.name,
        source.address,
        source.state,
        f"{source.here} %" if source.state in {"queued", "ready", "sending"} else "?",
        formats.speed(source.rate_down) if source.rate_down else "",
        formats.size(source.received) if source.received else "",
        source.agent,
    )


def _rate(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return formats.parse_rate(text)
    except LocalError as error:
        raise typer.BadParameter(str(error), param_hint="--limit") from error
