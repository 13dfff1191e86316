"""`browse`: what one peer shares, folder by folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
import typer

from peerage.app.api.models import BrowseEnded, Hit, HitFound
from peerage.app.cli import formats
from peerage.app.cli.command import Command, Json
from peerage.app.cli.output import Column
from peerage.app.cli.progress import Meter, Step

_COLUMNS: Final = (
    Column("#", right=True, style="bold"),
    Column("name", whole=False),
    Column("size", right=True),
    Column("type"),
    Column("files", right=True),
)


class Row(msgspec.Struct, frozen=True):
    """One line of a folder: a file, or a folder with what was seen in it; `number` as `get` takes it, 0 for none."""

    name: str
    size: int
    type: str
    number: int = 0
    files: int = 0


def browse(
    context: typer.Context,
    peer: Annotated[
        str, typer.Argument(metavar="PEER", help="A peer id, its beginning, a name or HOST:PORT.", show_default=False)
    ],
    path: Annotated[str, typer.Argument(metavar="FOLDER", help="Only what is in there, such as music/old.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Show what is in the folders, too.")] = False,
    as_json: Json = False,
) -> None:
    """Look through what a peer shares; download what you like with "peerage get NUMBER"."""
    command = Command.of(context, as_json)
    hits: list[Hit] = []
    ended: BrowseEnded | None = None
    with command.node() as node, Meter(command.output, f"looking at {peer}") as meter:
        for event in node.browse(peer, path):
            if isinstance(event, HitFound):
                hits.append(event.hit)
            elif isinstance(event, BrowseEnded):
                ended = event
            meter.show(Step(note=formats.count(len(hits), "share")))
    if as_json:
        for hit in hits:
            command.output.emit(hit)
        return
    command.output.table(_COLUMNS, map(_cells, flat(hits) if everything else folded(hits, path)))
    _tell_end(command, ended)


def flat(hits: Sequence[Hit]) -> list[Row]:
    """Return a row for each share, its folders in its name."""
    return [Row(f"{hit.path}/{hit.name}".lstrip("/"), hit.size, hit.type, hit.number) for hit in hits]


def folded(hits: Sequence[Hit], path: str) -> list[Row]:
    """Return the rows of one folder: its folders first, each with what is in it, then its files."""
    depth = len([folder for folder in path.split("/") if folder])
    folders: dict[str, Row] = {}
    files: list[Row] = []
    for hit in hits:
        below = hit.path.split("/")[depth:] if hit.path else []
        if below:
            known = folders.get(below[0], Row(below[0], 0, "folder"))
            folders[below[0]] = msgspec.structs.replace(known, size=known.size + hit.size, files=known.files + 1)
        elif hit.type == "folder":
            known = folders.get(hit.name, Row(hit.name, 0, "folder"))
            folders[hit.name] = msgspec.structs.replace(known, number=hit.number)
        else:
            files.append(Row(hit.name, hit.size, hit.type, hit.number))
    return [*sorted(folders.values(), key=_by_name), *sorted(files, key=_by_name)]


def _by_name(row: Row) -> str:
    return row.name.casefold()


def _cells(row: Row) -> Sequence[str]:
    return (
        str(row.number or ""),
        row.name + ("/" if row.type == "folder" else ""),
        formats.size(row.size),
        row.type,
        str(row.files or ""),
    )


def _tell_end(command: Command, ended: BrowseEnded | None) -> None:
    output = command.output
    if ended is None or not ended.entries:
        output.hint("Nothing is shown there.")
        return
    if ended.more:
        output.hint("There is more; look into one of the folders.")
    if ended.refused:
        output.hint(f"{formats.count(ended.refused, 'entry', 'entries')} not signed by this peer were left out.")
    output.hint(f"{formats.count(ended.entries, 'share')}. Download one with: {command.program} get NUMBER")
