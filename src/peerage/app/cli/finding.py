"""`search`: what others share, found by its words."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from peerage.app.api.models import Hit, HitFound, Media, SearchEnded, Status
from peerage.app.cli import formats
from peerage.app.cli.client import Client
from peerage.app.cli.command import Command, Json
from peerage.app.cli.explaining import show
from peerage.app.cli.output import Column
from peerage.app.cli.progress import Meter, Step
from peerage.limits import MAX_SEARCH_HITS, MAX_SEARCH_MESSAGES, MAX_SEARCH_SECONDS, SEARCH_MESSAGES

_COLUMNS: Final = (
    Column("#", right=True, style="bold"),
    Column("name", whole=False),
    Column("size", right=True),
    Column("type"),
    Column("sources", right=True),
    Column("about", whole=False, style="dim"),
)
_MEETING_SECONDS: Final = 3.0  # connecting and the local network's answers take one or two
_LOOK_SECONDS: Final = 0.1
_WELL: Final = 1.0  # weight of votes for something, above which that is said


class _Search:
    """One search as it goes on: the hits by their number, and how it ended."""

    def __init__(self) -> None:
        self.hits: dict[int, Hit] = {}
        self.ended: SearchEnded | None = None
        self.interrupted = False

    @property
    def in_order(self) -> list[Hit]:
        """The best first, where the search came to its end."""
        ranking = self.ended.ranking if self.ended is not None else []
        return [self.hits[number] for number in dict.fromkeys((*ranking, *sorted(self.hits))) if number in self.hits]


def search(
    context: typer.Context,
    query: Annotated[
        list[str],
        typer.Argument(
            metavar="QUERY",
            help='Words, "phrases", -without, OR, word*, and filters such as type:audio ext:flac size:>10MB.',
            show_default=False,
        ),
    ],
    limit: Annotated[int, typer.Option(min=1, max=MAX_SEARCH_HITS, help="Stop after so many hits.")] = 50,
    timeout: Annotated[
        float,
        typer.Option("--timeout", "--seconds", min=0.1, max=MAX_SEARCH_SECONDS, help="Stop after so many seconds."),
    ] = 5.0,
    budget_messages: Annotated[
        int, typer.Option(min=1, max=MAX_SEARCH_MESSAGES, help="Send and receive no more messages than that.")
    ] = SEARCH_MESSAGES,
    budget_bytes: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Nor more bytes, such as 500kB.", show_default=False)
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say who was asked, why, and what that cost.")] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Show what votes would hide, too.")] = False,
    as_json: Json = False,
) -> None:
    """Find what others share; download a hit with "peerage get NUMBER"."""
    if unknown := [word for word in query if word.startswith("--")]:
        raise typer.BadParameter(f"there is no option {unknown[0]}", ctx=context)
    command = Command.of(context, as_json)
    bounds: dict[str, float] = {"limit": limit, "timeout": timeout, "max_messages": budget_messages}
    bounds |= {"max_bytes": formats.parse_size(budget_bytes)} if budget_bytes else {}
    with command.node() as node:
        if command.was_temporary:
            _meet_others(command, node)
        found = _run(command, node, " ".join(query), bounds)
    _list(command, found, everything=show_all or as_json)
    _tell_end(command, found, explain=explain)
    if found.interrupted:
        raise KeyboardInterrupt


def _meet_others(command: Command, node: Client) -> None:
    """Give a node that has only just started the time to meet somebody whom it can ask."""
    end = time.monotonic() + _MEETING_SECONDS
    with Meter(command.output, "searching") as meter:
        while not node.get("status", Status).peers and time.monotonic() < end:
            meter.show(Step(note="your node has only just started and meets its peers"))
            time.sleep(_LOOK_SECONDS)


def _run(command: Command, node: Client, text: str, bounds: dict[str, float]) -> _Search:
    """Search until it ends; Ctrl-C ends it, too, with what was found so far."""
    found = _Search()
    started = time.monotonic()
    try:
        with Meter(command.output, "searching") as meter:
            for event in node.search(text, **bounds):
                if isinstance(event, HitFound):
                    found.hits[event.hit.number] = event.hit
                elif isinstance(event, SearchEnded):
                    found.ended = event
                left = bounds["timeout"] - (time.monotonic() - started)
                meter.show(Step(note=formats.count(len(found.hits), "hit"), eta=max(left, 0.0)))
    except KeyboardInterrupt:
        found.interrupted = True
    return found


def _row(hit: Hit) -> Sequence[str]:
    return (
        str(hit.number),
        hit.name,
        "" if hit.unverified else formats.size(hit.size),
        hit.type,
        "unverified" if hit.unverified else "yours" if hit.mine else str(hit.sources),
        ", ".join(filter(None, (_warning(hit), _about(hit.meta) or hit.path))),
    )


def _is_hidden(hit: Hit) -> bool:
    return hit.trust is not None and hit.trust.standing == "hide"


def _warning(hit: Hit) -> str:
    """Say what is known against a hit, or for it."""
    trust = hit.trust
    if trust is None:
        return ""
    if trust.standing == "show":
        return "you said good" if trust.own else "well spoken of" if trust.weight_for >= _WELL else ""
    return f"{trust.standing.upper()}: {'; '.join(trust.why[:2])}"


def _list(command: Command, found: _Search, *, everything: bool) -> None:
    """Write the hits, the best first; with --json it is for the reader to leave out what `trust` says."""
    shown = [hit for hit in found.in_order if everything or not _is_hidden(hit)]
    command.output.records(shown, _COLUMNS, _row)
    if hidden := len(found.hits) - len(shown):
        command.output.hint(f"{formats.count(hidden, 'hit')} hidden, because of votes; see them with: --all")


def _about(meta: Media | None) -> str:
    """Say what an audio or video file is: "Artist: Title (Album), 3:05 min"."""
    if meta is None:
        return ""
    title = f"{meta.artist}: {meta.title}" if meta.artist and meta.title else meta.artist or meta.title
    album = f"({meta.album})" if meta.album else ""
    length = formats.duration(meta.duration) if meta.duration else ""
    return ", ".join(filter(None, (" ".join(filter(None, (title, album))), length)))


def _tell_end(command: Command, found: _Search, *, explain: bool) -> None:
    end = found.ended
    if explain and end is not None:
        show(command.output, end)
    took = f" in {formats.duration(end.seconds)}" if end else ""
    if not found.hits:
        command.output.hint(f"Nothing was found{took}. {_advice(command)}")
        return
    command.output.hint(
        f"{formats.count(len(found.hits), 'hit')}{took}. Download one with: {command.program} get NUMBER"
    )


def _advice(command: Command) -> str:
    if command.was_temporary:
        return f"Your node is not running all the time, so it may know few peers; start it with: {command.program} up"
    return f"See whom your node is connected to with: {command.program} peers"
