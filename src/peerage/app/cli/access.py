"""`ui` and `keys`: lets a browser in, and other people, each with a role."""

from __future__ import annotations

import getpass
import sys
import time
from typing import Annotated, Final

import typer

from peerage.app.api.access_models import EntranceLink, KeyBody, KeyEntry, NewKey, PasswordBody, RemoveKeyBody
from peerage.app.api.models import Done
from peerage.app.api.permissions import PERMISSIONS, RoleName
from peerage.app.cli import formats
from peerage.app.cli.browser import open_page
from peerage.app.cli.command import Command, Json
from peerage.app.cli.output import Column
from peerage.errors import LocalError

_KEYS: Final = (
    Column("key", style="bold"),
    Column("name", whole=False),
    Column("role"),
    Column("may", whole=False),
    Column("made"),
)
_MAX_PASSWORD_LINE: Final = 4096

group: Final = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@group.callback()
def _group() -> None:
    """Keys for other people and programs, each with a role, and the password for other computers."""


@group.command(name="list")
def list_keys(context: typer.Context, as_json: Json = False) -> None:
    """List the keys that were given away."""
    command = Command.of(context, as_json)
    with command.node() as node:
        keys = node.get("keys", list[KeyEntry])
    if not keys:
        command.output.hint(f"No key was given away; make one with: {command.program} keys add NAME --role guest")
        return
    command.output.records(keys, _KEYS, _row)


@group.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose key it is.", show_default=False)],
    role: Annotated[RoleName, typer.Option(help="What it may do.")] = "user",
    as_json: Json = False,
) -> None:
    """Make a key and print it, this once."""
    command = Command.of(context, as_json)
    with command.node() as node:
        new = node.post("keys", NewKey, KeyBody(name=name, role=role))
    if as_json:
        command.output.emit(new)
        return
    command.output.say(new.secret)
    command.output.hint(f"{name} is a {role} with this key: {_may(role)}. It is not shown again.")


@group.command()
def remove(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="Its id, or whose it is.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Take a key back; its sessions end at once."""
    command = Command.of(context, as_json)
    with command.node() as node:
        gone = node.post("keys/remove", KeyEntry, RemoveKeyBody(key=key))
    if as_json:
        command.output.emit(gone)
    command.output.say(f"The key of {gone.name} opens nothing any more.")


@group.command()
def password(context: typer.Context, as_json: Json = False) -> None:
    """Set the owner's password, typed unseen or from a pipe; an empty one takes it away."""
    command = Command.of(context, as_json)
    with command.node() as node:
        done = node.post("keys/password", Done, PasswordBody(password=_asked_for()))
    if as_json:
        command.output.emit(done)
    command.output.say("The password was changed; whoever was logged in with the old one is not any more.")


def ui(
    context: typer.Context,
    no_open: Annotated[bool, typer.Option("--print", help="Print the link, and open no browser.")] = False,
    as_json: Json = False,
) -> None:
    """Open this node in the browser, by a link that works once."""
    command = Command.of(context, as_json)
    with command.running_node() as node:
        link = node.post("link", EntranceLink)
    if as_json:
        command.output.emit(link)
        return
    if no_open or not open_page(link.url):
        command.output.say(link.url)
    command.output.hint(f"The link works once, within {link.seconds / 60:.0f} minutes.")


def _asked_for() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline(_MAX_PASSWORD_LINE).rstrip("\r\n")
    first = getpass.getpass("New password: ")
    if getpass.getpass("Once more: ") != first:
        raise LocalError("the two were not the same; nothing was changed")
    return first


def _row(key: KeyEntry) -> list[str]:
    return [key.id, key.name, key.role, _may(key.role), f"{formats.duration(time.time() - key.created)} ago"]


def _may(role: RoleName) -> str:
    return ", ".join(sorted(PERMISSIONS[role]))
