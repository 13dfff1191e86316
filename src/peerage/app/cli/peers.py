"""`connect`, `peers`, `friend`, `ban`: whom this node knows and what it thinks of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from peerage.app.api.models import ConnectBody, ConnectOldBody, OldPeer, PeerBody, PeerEntry
from peerage.app.cli import formats
from peerage.app.cli.client import Client, quoted
from peerage.app.cli.command import Command, Json
from peerage.app.cli.output import Column
from peerage.app.cli.progress import Meter, Step

_COLUMNS: Final = (
    Column("peer"),
    Column("name", whole=False),
    Column("state"),
    Column("address", whole=False),
    Column("ping", right=True),
    Column("down", right=True),
    Column("up", right=True),
    Column("received", right=True),
    Column("sent", right=True),
    Column("runs", whole=False, style="dim"),
)
_CLASSIC_COLUMNS: Final = (Column("id", whole=False), Column("address"), Column("state"))
_WORDS: Final = {True: "has answered", False: "says it is there"}
_SHORT: Final = 12  # characters of an id in a table: enough to name a peer by

PeerArgument = Annotated[str, typer.Argument(metavar="PEER", help="A peer id or its beginning.", show_default=False)]
Undo = Annotated[bool, typer.Option("--undo", help="Take it back.")]


def connect(
    context: typer.Context,
    address: Annotated[
        str, typer.Argument(metavar="HOST:PORT", help="An address, PEER_ID@HOST:PORT, or a link.", show_default=False)
    ],
    classic: Annotated[
        bool, typer.Option("--classic", help="It is a peer of 2007: join it and those it knows, in clear text.")
    ] = False,
    hops: Annotated[int, typer.Option(min=1, max=8, help="With --classic: how far to go from peer to peer.")] = 2,
    as_json: Json = False,
) -> None:
    """Connect to a peer; it is remembered for the next start."""
    command = Command.of(context, as_json)
    if classic:
        _connect_classic(command, ConnectOldBody(address=address, hops=hops))
        return
    with command.node() as node, Meter(command.output, f"connecting to {address}", quiet=0.0) as meter:
        meter.show(Step())
        peer = node.post("peers/connect", PeerEntry, ConnectBody(address=address))
    if as_json:
        command.output.emit(peer)
    command.output.say(f"Connected to {_called(peer)}")
    if command.was_temporary:
        command.output.hint(f"It is remembered for when your node runs; start it with: {command.program} up")


def _connect_classic(command: Command, body: ConnectOldBody) -> None:
    with command.running_node() as node, Meter(command.output, f"joining {body.address}", quiet=0.0) as meter:
        meter.show(Step())
        known = node.post("peers/connect-classic", list[OldPeer], body)
    _show_classic(command, known)


def _show_classic(command: Command, known: Sequence[OldPeer]) -> None:
    command.output.records(known, _CLASSIC_COLUMNS, lambda each: (each.id, each.address, _WORDS[each.answered]))
    command.output.hint(f"{formats.count(len(known), 'peer')} of 2007; nothing proves who they are")


def peers(
    context: typer.Context,
    classic: Annotated[bool, typer.Option("--classic", help="Those of 2007 that are known, instead.")] = False,
    as_json: Json = False,
) -> None:
    """List the peers that this node is connected to or remembers."""
    command = Command.of(context, as_json)
    if classic:
        with command.running_node() as node:
            _show_classic(command, node.get("peers/classic", list[OldPeer]))
        return
    with command.node() as node:
        listed = node.get("peers", list[PeerEntry])
    if not listed:
        command.output.hint(f"No peers yet; connect to one with: {command.program} connect HOST:PORT")
        return
    command.output.records(listed, _COLUMNS, _row)


def _row(peer: PeerEntry) -> Sequence[str]:
    state = ["connected"] if peer.connected else []
    state += peer.roles
    state += ["banned"] if peer.banned else []
    return (
        peer.peer_id[:_SHORT],
        peer.name,
        ", ".join(state) or "remembered",
        peer.addresses[0] if peer.addresses else "",
        f"{peer.latency * 1000:.0f} ms" if peer.latency is not None else "",
        formats.speed(peer.rate_down) if peer.rate_down else "",
        formats.speed(peer.rate_up) if peer.rate_up else "",
        formats.size(peer.received),
        formats.size(peer.sent),
        peer.agent,
    )


def friend(
    context: typer.Context,
    peer: PeerArgument,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What you call this peer.")] = None,
    undo: Undo = False,
    as_json: Json = False,
) -> None:
    """Make a peer your friend: it finds and fetches what you share with friends."""
    command = Command.of(context, as_json)
    with command.node() as node:
        changed = _change(node, peer, PeerBody(friend=not undo, name=name))
    if as_json:
        command.output.emit(changed)
    command.output.say(f"{_called(changed)} is {'no longer' if undo else 'now'} your friend")


def ban(context: typer.Context, peer: PeerArgument, undo: Undo = False, as_json: Json = False) -> None:
    """Have nothing to do with a peer any more."""
    command = Command.of(context, as_json)
    with command.node() as node:
        changed = _change(node, peer, PeerBody(banned=not undo))
    if as_json:
        command.output.emit(changed)
    command.output.say(f"{_called(changed)} is {'no longer' if undo else 'now'} banned")


def _change(node: Client, peer: str, body: PeerBody) -> PeerEntry:
    return node.patch(f"peers/{quoted(peer)}", PeerEntry, body)


def _called(peer: PeerEntry) -> str:
    return f"{peer.name} ({peer.peer_id[:_SHORT]})" if peer.name else peer.peer_id
