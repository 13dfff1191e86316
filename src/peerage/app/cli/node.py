"""`down`, `reload`, `status`, `id`: the node of this home folder, as it runs and who it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import typer

from peerage.app.api.models import Done, Identity, OverlayLine, Status
from peerage.app.api.setting_models import Reloaded
from peerage.app.cli import formats
from peerage.app.cli.command import Command, Json
from peerage.app.cli.output import Output
from peerage.errors import PeerageError
from peerage.identity.keys import format_id

_STOP_SECONDS: Final = 30.0  # a node that writes much to a slow disk takes its time
_LOOK_SECONDS: Final = 0.05


def down(context: typer.Context, as_json: Json = False) -> None:
    """Stop the node, in order."""
    command = Command.of(context, as_json)
    with command.running_node() as node:
        done = node.post("down", Done)
    end = time.monotonic() + _STOP_SECONDS
    while command.home.running() is not None:
        if time.monotonic() > end:
            raise PeerageError(f"the node has not stopped after {_STOP_SECONDS:.0f} s; see {command.home.log_file}")
        time.sleep(_LOOK_SECONDS)
    if as_json:
        command.output.emit(done)
    command.output.say("Your node has stopped.")


def reload(context: typer.Context, as_json: Json = False) -> None:
    """Let the running node read config.toml again; what it cannot use at once waits for a restart."""
    command = Command.of(context, as_json)
    with command.running_node() as node:
        found = node.post("settings/reload", Reloaded)
    if as_json:
        command.output.emit(found)
        return
    command.output.say(f"Changed and used: {', '.join(found.changed) or 'nothing'}")
    if found.restart:
        command.output.say(f"Waits for a restart: {', '.join(found.restart)}")


def status(context: typer.Context, as_json: Json = False) -> None:
    """Say how the node is."""
    command = Command.of(context, as_json)
    with command.running_node() as node:
        now = node.get("status", Status)
    if as_json:
        command.output.emit(now)
        return
    command.output.facts(_facts(now))
    show_notices(command.output, now)


def show_id(context: typer.Context, as_json: Json = False) -> None:
    """Print this node's peer id; makes its key when there is none."""
    command = Command.of(context, as_json)
    key = command.home.identity()
    peer_id = format_id(key.peer_id)
    if as_json:
        command.output.emit(Identity(peer_id=peer_id, public_key=key.public_key.hex()))
    command.output.say(peer_id)


def show_notices(output: Output, now: Status) -> None:
    """Write what the owner of a node should read."""
    for notice in now.notices:
        output.hint(f"Note: {notice}")


def _facts(now: Status) -> Iterator[tuple[str, str]]:
    yield "peer id", now.peer_id
    yield "listens at", now.listen or "nowhere"
    yield "others reach it at", ", ".join(now.addresses)
    if now.classic:
        yield "classic port", f"{now.classic}, {now.old_peers} peers of 2007"
    yield "network", network_name(now)
    yield "peers", f"{now.peers} connected, {now.known_peers} known"
    yield "role", _role(now)
    for line in now.overlays:
        yield f"by {line.name}", _overlay(line)
    yield "shares", str(now.shares)
    yield "transfers", f"{now.transfers} under way"
    yield "speed", f"{formats.speed(now.rate_down)} down, {formats.speed(now.rate_up)} up"
    yield "up for", formats.duration(time.time() - now.started)
    yield "local API", f"http://{now.api}/"
    yield "home folder", now.home
    yield "process", f"{now.pid}, version {now.version}"


def _role(now: Status) -> str:
    dialled = {
        True: "others can dial it",
        False: "others cannot dial it",
        None: "whether others can dial it shows soon",
    }
    return f"{now.role}; {dialled[now.reachable]}"


def _overlay(line: OverlayLine) -> str:
    peers = formats.count(line.peers, "peer")
    return ", ".join(filter(None, (line.role, peers, line.about)))


def network_name(now: Status) -> str:
    """Say which network a node is in."""
    if now.private:
        return "private" if now.network == "private" else f"{now.network} (private)"
    return now.network
