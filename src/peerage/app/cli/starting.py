"""`up`: starts the node and says where it listens, who it is, what it shares and what to do next."""

from __future__ import annotations

import getpass
import sys
import threading
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from peerage.app.api.access_models import EntranceLink
from peerage.app.api.models import Status
from peerage.app.cli import formats
from peerage.app.cli.browser import open_page
from peerage.app.cli.command import Command, Json, absolute
from peerage.app.cli.node import network_name, show_notices
from peerage.app.config import Config, OverlayName
from peerage.app.daemon import DaemonOptions, detach, run
from peerage.errors import AddressError, ConfigError, PeerageError
from peerage.identity.address import parse_address
from peerage.identity.link import parse_source
from peerage.identity.network import Network

_ASK: Final = "-"
_MAX_SECRET_CHARS: Final = 4096


def _address(text: str) -> str:
    try:
        return str(parse_address(text))
    except AddressError as error:
        raise typer.BadParameter(str(error)) from error


def _index(text: str) -> str:
    try:
        _ = parse_source(text) if "@" in text else parse_address(text)
    except AddressError as error:
        raise typer.BadParameter(str(error)) from error
    return text


ClassicOption = Annotated[
    str | None,
    typer.Option(parser=_address, metavar="HOST:PORT", help="Open a clear-text port for peers of 2007 there."),
]
OverlayOption = Annotated[
    OverlayName | None, typer.Option(help="How this node finds things: all that helps, by need, or one way alone.")
]
ServeIndexOption = Annotated[bool, typer.Option("--serve-index", help="Keep an index of what others share, for all.")]
IndexOption = Annotated[
    list[str] | None,
    typer.Option(parser=_index, metavar="ADDRESS", help="Use the index at HOST:PORT or PEER_ID@HOST:PORT; repeatable."),
]


ListenOption = Annotated[
    str | None, typer.Option(parser=_address, metavar="HOST:PORT", help="Where other peers reach it.")
]
ApiOption = Annotated[
    str | None, typer.Option(parser=_address, metavar="HOST:PORT", help="Where this command line reaches it.")
]
SecretOption = Annotated[
    Path | None, typer.Option(metavar="F", allow_dash=True, help='The private network of this secret; "-" asks for it.')
]
ConnectOption = Annotated[
    list[str] | None, typer.Option(parser=_address, metavar="HOST:PORT", help="Connect to this peer; repeatable.")
]
LogOption = Annotated[
    bool, typer.Option("--log-to-stderr", help="Write the log there, too: for a journal or a container.")
]


def up(  # each one is an option
    context: typer.Context,
    listen: ListenOption = None,
    api: ApiOption = None,
    network: Annotated[str | None, typer.Option(metavar="N", help="The public network of this name.")] = None,
    secret_file: SecretOption = None,
    no_lan: Annotated[bool, typer.Option("--no-lan", help="Stay out of sight on the local network.")] = False,
    connect: ConnectOption = None,
    classic: ClassicOption = None,
    overlay: OverlayOption = None,
    serve_index: ServeIndexOption = False,
    index: IndexOption = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open its page in the browser.")] = False,
    detached: Annotated[bool, typer.Option("--detach", help="Go on in the background once it is up.")] = False,
    log_to_stderr: LogOption = False,
    as_json: Json = False,
) -> None:
    """Start this node and let it run until Ctrl-C, or in the background with --detach."""
    command = Command.of(context, as_json)
    flags: dict[str, Any] = {"listen": listen, "api": api, "network": network, "connect": connect or None}
    flags |= {"classic": classic, "overlay": overlay, "index": index or None}
    flags |= {"lan": False if no_lan else None, "serve_index": serve_index or None}
    if network or secret_file:
        flags["secret_file"] = absolute(secret_file) if secret_file and str(secret_file) != _ASK else ""
    config = _with_flags(command.home.config(), flags)
    asked = _asked_for(network) if str(secret_file) == _ASK else None
    options = DaemonOptions(home=command.home, config=config, network=asked, log_to_stderr=log_to_stderr)
    if detached:
        _tell(command, detach(options), detached=True)
        if open_it:
            _open(command)
        return

    def ready(now: Status) -> None:
        _tell(command, now, detached=False)
        if open_it:  # in a thread of its own, since it asks the node, which goes on when this returns
            threading.Thread(target=_open, args=(command,), daemon=True).start()

    run(options, ready)
    command.output.hint("Your node has stopped.")


def _with_flags(config: Config, flags: dict[str, Any]) -> Config:
    return msgspec.structs.replace(config, **{name: value for name, value in flags.items() if value is not None})


def _asked_for(name: str | None) -> Network:
    """Return the private network whose secret is typed, unseen, or comes through a pipe."""
    if sys.stdin.isatty():
        secret = getpass.getpass("Secret of the private network: ")
    else:
        secret = sys.stdin.readline(_MAX_SECRET_CHARS).rstrip("\r\n")
    if not secret:
        raise ConfigError("no secret was given")
    return Network.from_secret(secret.encode(), name or "private")


def _tell(command: Command, now: Status, *, detached: bool) -> None:
    output = command.output
    if output.as_json:
        output.emit(now)
        return
    output.say("Your node is up." if not detached else f"Your node is up, as process {now.pid}.", style="bold")
    output.facts(
        [
            ("peer id", now.peer_id),
            ("listens at", now.listen or "nowhere"),
            ("others reach it at", ", ".join(now.addresses) or "no address"),
            *([("classic port", now.classic)] if now.classic else []),
            ("network", network_name(now)),
            (
                "shares",
                formats.count(now.shares, "file or folder", "files and folders") if now.shares else "nothing yet",
            ),
            ("page", f"http://{now.api}/"),
            ("home folder", now.home),
        ]
    )
    show_notices(output, now)
    output.say()
    output.say("What to do next, in another terminal:" if not detached else "What to do next:", style="bold")
    for line in _advice(now):
        output.say(f"  {command.program} {line}")


def _open(command: Command) -> None:
    """Open the page, or at least say by which link it opens."""
    try:
        with command.running_node() as node:
            link = node.post("link", EntranceLink)
    except PeerageError as error:
        command.output.hint(f"The page could not be opened: {error}")
        return
    if not open_page(link.url):
        command.output.say()
        command.output.say("Open its page with this link, which works once:", style="bold")
        command.output.say(f"  {link.url}")


def _advice(now: Status) -> list[str]:
    return [
        "ui                  open its page in the browser",
        "share PATH          share files or folders",
        "search WORDS        find what others share",
        "connect HOST:PORT   meet a peer; yours is met at " + (now.addresses or ["no address"])[0],
        "demo                see everything at work on this computer",
        "down                stop",
    ]
