"""`search --explain`: who was asked, why, what came of it and what it cost, as a table with the reasons below it.

Invariant: it shows what the node counted, and counts nothing itself; with --json it is one object after the hits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from peerage.app.api.models import SearchEnded, SearchStage
from peerage.app.cli import formats
from peerage.app.cli.output import Column, Output

_COLUMNS: Final = (
    Column("asked", style="bold"),
    Column("seconds", right=True),
    Column("peers", right=True),
    Column("hops", right=True),
    Column("messages", right=True),
    Column("bytes", right=True),
    Column("new hits", right=True),
    Column("first after", right=True),
)
_ENDS: Final = {
    "limit": "as much as was wanted was found",
    "timeout": "the time was over",
    "budget": "the budget was used up",
    "complete": "everybody who was to be asked has answered",
}


def show(output: Output, ended: SearchEnded) -> None:
    """Write how a search came about."""
    if output.as_json:
        output.emit(ended)
        return
    output.say()
    output.table(_COLUMNS, [*(_row(stage) for stage in ended.stages if stage.asked), _sum(ended)])
    output.say()
    for stage in ended.stages:
        output.say(f"{stage.name}: {'' if stage.asked else 'not asked, '}{stage.why}", style="dim")
    output.say(f"It ended because {_ENDS[ended.reason]}.")


def _row(stage: SearchStage) -> Sequence[str]:
    quiet = stage.overlay == "local"
    return (
        stage.name,
        f"{stage.began or 0.0:.2f} - {stage.ended or 0.0:.2f}",
        "" if quiet else str(stage.peers),
        str(stage.hops) if stage.hops else "",
        "" if quiet else f"{stage.messages:,}",
        "" if quiet else formats.size(stage.bytes),
        str(stage.hits),
        _time(stage.first_hit),
    )


def _sum(ended: SearchEnded) -> Sequence[str]:
    stages = ended.stages
    first = min((stage.first_hit for stage in stages if stage.first_hit is not None), default=None)
    return (
        "together",
        f"{ended.seconds:.2f}",
        str(sum(stage.peers for stage in stages)),
        str(max((stage.hops for stage in stages), default=0) or ""),
        f"{ended.messages:,}",
        formats.size(ended.bytes),
        str(sum(stage.hits for stage in stages)),
        _time(first),
    )


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s"
