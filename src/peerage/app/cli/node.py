from __future__ import annotations
import typer
from peerage.app.api.models import Identity
from peerage.app.cli.command import Command, Json


def show_id(context: typer.Context, as_json: Json = False) -> None:
    """Print this node's peer id."""
    command = Command.of(context, as_json)
    key = command.home.identity()
    from peerage.identity.keys import format_id

    command.output.say(format_id(key.peer_id))
