"""`get`: downloads, shows how far it is, and leaves what has come when it is stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from peerage.app.api.models import GetBody, Transfer, TransferEvent
from peerage.app.cli import formats
from peerage.app.cli.client import Client
from peerage.app.cli.command import Command, Json, absolute
from peerage.app.cli.progress import Meter, Step
from peerage.errors import PeerageError

_RESTING: Final = frozenset({"done", "failed", "paused", "cancelled"})


def get(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(metavar="LINK-OR-HIT", help="A link (in quotes), a content id, or the number of a hit."),
    ],
    into: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to put it; otherwise into the folder for downloads.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(metavar="GLOB", help='Of a folder, only the files that fit, such as "*.flac".')
    ] = None,
    as_json: Json = False,
) -> None:
    """Download a file or folder from everyone who has it; what was stopped goes on where it was."""
    command = Command.of(context, as_json)
    body = GetBody(target=target, into=absolute(into) if into else None, only=only)
    with command.node() as node:
        transfer = node.post("transfers", Transfer, body)
        if transfer.state in {"paused", "failed"}:
            transfer = node.post(f"transfers/{transfer.content_id}/resume", Transfer)
        transfer = follow(command, node, transfer)
    tell_end(command, transfer)


def follow(command: Command, node: Client, transfer: Transfer) -> Transfer:
    """Show a download until it rests, and return how it stands then; Ctrl-C pauses it."""
    try:
        with Meter(command.output, transfer.name or "download") as meter:
            if transfer.state not in _RESTING:
                for event in node.progress(transfer.content_id):
                    if isinstance(event, TransferEvent):
                        transfer = event.transfer
                        meter.show(step_of(transfer))
    except KeyboardInterrupt:
        _leave(command, node, transfer)
        raise typer.Exit(1) from None
    return transfer


def tell_end(command: Command, transfer: Transfer) -> None:
    """Say how a download ended; raises PeerageError when that is not what was asked for."""
    if command.output.as_json:
        command.output.emit(transfer)
    if transfer.state == "done":
        command.output.say(f"Downloaded {transfer.name} ({formats.size(transfer.done)})", style="bold")
        command.output.say(transfer.path)
        if transfer.unverified:
            command.output.hint(f"Note: {transfer.note}")
        return
    if transfer.state == "failed":
        raise PeerageError(transfer.error or f"{transfer.name} could not be downloaded")
    raise PeerageError(f"{transfer.name} was {transfer.state} before it was complete")


def step_of(transfer: Transfer) -> Step:
    """Return a download as the meter shows it."""
    running = transfer.state == "running"
    return Step(
        done=transfer.done,
        total=transfer.wanted,
        rate=transfer.rate_down if running else 0.0,
        sources=transfer.sources if running else None,
        eta=transfer.eta if running else None,
        note=transfer.note or _activity(transfer),
    )


def _activity(transfer: Transfer) -> str:
    return {"finding": "looking for sources", "checking": "checking what is there"}.get(transfer.state, "")


def _leave(command: Command, node: Client, transfer: Transfer) -> None:
    """Pause a download that the user does not wait for any longer, and say how it goes on."""
    transfer = node.get(f"transfers/{transfer.content_id}", Transfer)
    node.post(f"transfers/{transfer.content_id}/pause", Transfer)
    done = formats.percent(transfer.done, transfer.wanted) if transfer.wanted else formats.size(transfer.done)
    short = transfer.content_id[:12]
    command.output.error(f"paused at {done}; what has come is kept, and goes on with: {command.program} get {short}")
