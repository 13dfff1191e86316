"""`share`, `unshare`, `library`, `link`: what this node gives to others."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from peerage.app.api.models import ContentLink, Share, ShareBody, Shared, ShareFailed, ShareProgress, UnshareBody
from peerage.app.cli import formats
from peerage.app.cli.client import Client
from peerage.app.cli.command import Command, Json, absolute
from peerage.app.cli.output import Column
from peerage.app.cli.progress import Meter, Pace

_MAX_LISTED: Final = 5  # of what was left out of a share; the rest is counted
_COLUMNS: Final = (
    Column("name", whole=False),
    Column("kind"),
    Column("size", right=True),
    Column("files", right=True),
    Column("visible to"),
    Column("path", whole=False, style="dim"),
    Column("note", whole=False),
)


class Visibility(StrEnum):
    """Who may find and fetch a share."""

    PUBLIC = "public"
    FRIENDS = "friends"
    LINK = "link"


def share(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files and folders.", show_default=False)],
    visibility: Annotated[
        Visibility,
        typer.Option(help="public: everyone finds it; friends: only your friends; link: only who has the link."),
    ] = Visibility.PUBLIC,
    as_json: Json = False,
) -> None:
    """Share files and folders; prints a link for each."""
    command = Command.of(context, as_json)

    body = ShareBody(paths=[absolute(path) for path in paths], visibility=visibility.value)
    with command.node() as node:
        failed = _share(command, node, body)
    if command.was_temporary and len(paths) > failed:
        command.output.hint(f"Others can fetch it whenever your node runs; start it with: {command.program} up")
    if failed:
        raise typer.Exit(1)


def _share(command: Command, node: Client, body: ShareBody) -> int:
    """Share and say so as it happens; returns how many paths failed."""
    failed = 0
    paces: dict[str, Pace] = {}
    with Meter(command.output, "reading") as meter:
        for event in node.shares(body):
            match event:
                case ShareProgress():
                    pace = paces.setdefault(event.path, Pace())
                    meter.show(pace.step(event.bytes_done, event.bytes, formats.count(event.files, "file")))
                case Shared():
                    meter.pause()
                    _tell_shared(command, event)
                case ShareFailed():
                    meter.pause()
                    failed += 1
                    command.output.error(event.error)
    return failed


def _tell_shared(command: Command, event: Shared) -> None:
    output, share = command.output, event.share
    if output.as_json:
        output.emit(share)
        return
    files = f"{formats.count(share.files, 'file')}, " if share.kind == "folder" else ""
    output.say(f"Shared {share.name} ({files}{formats.size(share.size)}, {_who(share)})", style="bold")
    output.say(share.link)
    for line in event.skipped[:_MAX_LISTED]:
        output.hint(f"left out: {line}")
    if len(event.skipped) > _MAX_LISTED:
        output.hint(f"left out: {len(event.skipped) - _MAX_LISTED} more")


def _who(share: Share) -> str:
    return {"public": "everyone", "friends": "friends only", "link": "whoever has the link"}[share.visibility]


def unshare(
    context: typer.Context,
    targets: Annotated[
        list[str],
        typer.Argument(metavar="TARGET...", help="Paths, names or content ids of shares.", show_default=False),
    ],
    as_json: Json = False,
) -> None:
    """Take shares back; the files stay where they are."""
    command = Command.of(context, as_json)

    with command.node() as node:
        removed = node.post("shares/remove", list[Share], UnshareBody(targets=[_target(text) for text in targets]))
    for share in removed:
        if as_json:
            command.output.emit(share)
        command.output.say(f"No longer shared: {share.name} ({share.path})")


def library(context: typer.Context, as_json: Json = False) -> None:
    """List what this node shares."""
    command = Command.of(context, as_json)

    with command.node() as node:
        shares = node.get("shares", list[Share])
    if not shares:
        command.output.hint(f"Nothing is shared yet; share something with: {command.program} share PATH")
        return
    command.output.records(shares, _COLUMNS, _row)


def _row(share: Share) -> Sequence[str]:
    return (
        share.name,
        share.kind,
        formats.size(share.size),
        str(share.files),
        share.visibility,
        share.path,
        share.note if share.available else share.note or "not there at the moment",
    )


def link(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="Path, name or content id of a share or a download.")],
    qr: Annotated[bool, typer.Option("--qr", help="Show it as a QR code, too, for a phone.")] = False,
    as_json: Json = False,
) -> None:
    """Print the link to something that this node shares or downloads."""
    command = Command.of(context, as_json)

    with command.node() as node:
        found = node.get("link", ContentLink, target=_target(target))
    if as_json:
        command.output.emit(found)
    command.output.say(found.link)
    if qr and not as_json:
        from peerage.app.qr_code import terminal_lines  # noqa: PLC0415  # needed by this option alone

        for line in terminal_lines(found.link):
            command.output.say(line, style="black on bright_white")


def _target(text: str) -> str:
    """Return the absolute path of something that is there, else the text itself: a name or an id."""
    return absolute(Path(text)) if Path(text).exists() else text
