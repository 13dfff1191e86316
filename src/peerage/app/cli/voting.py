"""`vote` and `votes`: say what a hit was worth, see what you said, and choose whose votes count for you."""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final

import typer

from peerage.app.api.vote_models import FollowBody, VoteBody, VoteEntry
from peerage.app.cli import formats
from peerage.app.cli.command import Command, Json
from peerage.app.cli.output import Column

_COLUMNS: Final = (
    Column("vote", style="bold"),
    Column("name", whole=False),
    Column("cast"),
    Column("content", style="dim"),
)
_SHORT: Final = 12  # letters of an id


class Judgement(StrEnum):
    """What something was worth: the words of the API."""

    GOOD = "good"
    FAKE = "fake"
    MALWARE = "malware"


def vote(
    context: typer.Context,
    hit: Annotated[
        str,
        typer.Argument(
            metavar="HIT", help="The number of a hit of the last search, or a download.", show_default=False
        ),
    ],
    opinion: Annotated[
        Judgement,
        typer.Argument(
            help="good: it is what its name says; fake: it is not; malware: it does harm.", show_default=False
        ),
    ],
    as_json: Json = False,
) -> None:
    """Say what something was worth: your searches, and those of whoever agrees with you, are the better for it."""
    command = Command.of(context, as_json)
    with command.node() as node:
        said = node.post("votes", VoteEntry, VoteBody(target=hit, opinion=opinion.value))
    if as_json:
        command.output.emit(said)
    command.output.say(f"You say {said.opinion}: {said.name}")
    if command.was_temporary:
        command.output.hint(f"Others hear of it while your node runs; start it with: {command.program} up")


def votes(
    context: typer.Context,
    follow: Annotated[
        str | None, typer.Option(metavar="PEER", help="Let this peer's votes count as a friend's.", show_default=False)
    ] = None,
    unfollow: Annotated[str | None, typer.Option(metavar="PEER", help="And no longer.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """List your votes; votes of friends and of those you follow count in full, others as far as they agree with you."""
    command = Command.of(context, as_json)
    with command.node() as node:
        for peer, wanted in ((follow, True), (unfollow, False)):
            if peer is not None:
                followed = node.post("votes/followed", list[str], FollowBody(peer=peer, follow=wanted))
                command.output.hint(f"You follow {formats.count(len(followed), 'peer')}.")
        listed = node.get("votes", list[VoteEntry])
    if not listed:
        command.output.hint(f"No votes yet; cast one with: {command.program} vote HIT good|fake|malware")
        return
    command.output.records(listed, _COLUMNS, _row)


def _row(entry: VoteEntry) -> Sequence[str]:
    ago = f"{formats.duration(time.time() - entry.cast)} ago"
    return (entry.opinion, entry.name, ago, entry.content_id[:_SHORT])
