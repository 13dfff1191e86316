"""`wish`: saved searches, which the node makes again from time to time and tells about."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from peerage.app.api.wish_models import Wish, WishBody, WishResult
from peerage.app.cli import formats
from peerage.app.cli.command import Command, Json
from peerage.app.cli.output import Column

_WISHES: Final = (
    Column("#", right=True, style="bold"),
    Column("wish", whole=False),
    Column("new", right=True),
    Column("found", right=True),
    Column("searched"),
    Column("downloads", right=True),
    Column("note", whole=False, style="dim"),
)
_RESULTS: Final = (
    Column("#", right=True, style="bold"),
    Column("name", whole=False),
    Column("size", right=True),
    Column("type"),
    Column("sources", right=True),
    Column("found"),
    Column("", style="bold"),
)

group: Final = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

WishId = Annotated[int, typer.Argument(metavar="WISH", help="Its number in the list.", min=0, show_default=False)]


@group.callback()
def _group() -> None:
    """Save searches: your node makes them again from time to time, and tells you what is new."""


@group.command(context_settings={"ignore_unknown_options": True})
def add(
    context: typer.Context,
    query: Annotated[
        list[str], typer.Argument(metavar="QUERY", help="What to look for, as in a search.", show_default=False)
    ],
    get: Annotated[
        str | None, typer.Option("--get", metavar="SIZE", help="Download what is found, so much in all at the most.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Save a search."""
    if unknown := [word for word in query if word.startswith("--")]:
        raise typer.BadParameter(f"there is no option {unknown[0]}", ctx=context)
    command = Command.of(context, as_json)
    body = WishBody(text=" ".join(query), get_bytes=formats.parse_size(get) if get else 0)
    with command.node() as node:
        wish = node.post("wishes", Wish, body)
    if as_json:
        command.output.emit(wish)
    command.output.say(f"Wish {wish.id}: {wish.text}")
    if command.was_temporary:
        command.output.hint(f"It is searched for while your node runs; start it with: {command.program} up")


@group.command(name="list")
def list_wishes(context: typer.Context, as_json: Json = False) -> None:
    """List the saved searches, and how much is new."""
    command = Command.of(context, as_json)
    with command.node() as node:
        wishes = node.get("wishes", list[Wish])
    if not wishes:
        command.output.hint(f"No wishes yet; make one with: {command.program} wish add QUERY")
        return
    command.output.records(wishes, _WISHES, _wish_row)


@group.command()
def remove(context: typer.Context, wish: WishId, as_json: Json = False) -> None:
    """Forget a saved search and what it found; what was downloaded stays."""
    command = Command.of(context, as_json)
    with command.node() as node:
        gone = node.post(f"wishes/{wish}/remove", Wish)
    if as_json:
        command.output.emit(gone)
    command.output.say(f"No longer wished for: {gone.text}")


@group.command()
def results(context: typer.Context, wish: WishId, as_json: Json = False) -> None:
    """Show what a saved search has found, the newest first; download one with "peerage get NUMBER"."""
    command = Command.of(context, as_json)
    with command.node() as node:
        found = node.get(f"wishes/{wish}/results", list[WishResult])
        node.post(f"wishes/{wish}/seen", Wish)
    if not found:
        command.output.hint("Nothing was found yet; your node goes on looking while it runs.")
        return
    command.output.records(found, _RESULTS, _result_row)
    command.output.hint(f"Download one with: {command.program} get NUMBER")


def _wish_row(wish: Wish) -> Sequence[str]:
    gets = f"{formats.size(wish.got_bytes)} of {formats.size(wish.get_bytes)}" if wish.get_bytes else ""
    searched = f"{_ago(wish.searched)} ago" if wish.searched else "not yet"
    return (str(wish.id), wish.text, str(wish.new or ""), str(wish.results or ""), searched, gets, wish.note)


def _result_row(result: WishResult) -> Sequence[str]:
    hit = result.hit
    marks = [*(["new"] if result.new else []), *(["downloaded"] if result.downloaded else [])]
    found = f"{_ago(result.found)} ago"
    return (str(hit.number), hit.name, formats.size(hit.size), hit.type, str(hit.sources), found, ", ".join(marks))


def _ago(then: float) -> str:
    return formats.duration(time.time() - then)
