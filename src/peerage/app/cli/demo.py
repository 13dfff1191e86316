"""`demo`: five nodes on this computer share, search and fetch, one is killed on the way, and all of it is told.

Invariant: every number in the story was measured in this run, and each sentence was checked before it is said; what
did not happen as it should is an error. Nothing is left behind: no process, no file, no connection to anywhere else.
"""

from __future__ import annotations

import filecmp
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from peerage.app.api.models import (
    GetBody,
    Hit,
    HitFound,
    LimitsBody,
    PeerEntry,
    RateLimits,
    SearchEnded,
    ShareBody,
    Shared,
    Transfer,
    TransferEvent,
)
from peerage.app.cli import formats
from peerage.app.cli.command import Json, output_of
from peerage.app.cli.demo_files import Gift, make_big_file, make_gifts
from peerage.app.cli.demo_nodes import Deadline, DemoNode, five_nodes
from peerage.app.cli.fetching import step_of
from peerage.app.cli.output import Output
from peerage.app.cli.progress import Meter, Step
from peerage.errors import PeerageError

_SECONDS: Final = 120.0  # for everything
_UPLOAD: Final = 6_000_000  # bytes a second of each source: a fast line at home, and slow enough to watch
_KILL_AT: Final = 0.3  # of the file
_QUERY: Final = "standard library ext:tar"
_SEARCH_SECONDS: Final = 3.0


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What one source contributed to the download."""

    node: int
    bytes: int
    killed: bool


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The story in numbers, as --json prints it; sizes in bytes, times in seconds."""

    nodes: int
    shares: int
    query: str
    name: str
    size: int
    sources: int  # found by the search
    search_seconds: float
    sources_used: int
    killed_node: int
    killed_at: int  # bytes that had come by then
    seconds: float  # of the download
    rate: float
    given: list[Given]
    identical: bool


class _Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """How the download went."""

    transfer: Transfer
    killed_at: int
    sources: int
    seconds: float


def demo(as_json: Json = False) -> None:
    """Show everything at work on this computer: five nodes, one of them killed, one file from all of them."""
    output = output_of(as_json)
    ended_before = signal.signal(signal.SIGTERM, _end)
    folder = Path(tempfile.mkdtemp(prefix="peerage-demo-"))
    try:
        report = _play(output, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        signal.signal(signal.SIGTERM, ended_before)
    if as_json:
        output.emit(report)
    output.say()
    output.say("All of this was real and has been cleared away. Start a node of your own with: peerage up")


def _end(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _play(output: Output, folder: Path) -> Report:
    deadline = Deadline(_SECONDS)
    with Meter(output, "getting ready", quiet=0.0) as meter:
        meter.show(Step(note="making real files and starting five nodes"))
        gifts = make_gifts(folder)
        original = make_big_file(folder)
        with five_nodes(folder, f"demo-{secrets.token_hex(8)}", deadline) as nodes:
            meter.pause()
            return _tell(output, nodes, (gifts, original), deadline)


def _tell(output: Output, nodes: list[DemoNode], files: tuple[list[Gift], Path], deadline: Deadline) -> Report:
    gifts, original = files
    _meet(output, nodes, deadline)
    shares = _share(output, nodes, gifts, original)
    hit, search_seconds = _search(output, nodes, deadline)
    victim = nodes[2]
    fetched = _fetch(output, nodes[4], hit, victim)
    given = _given(nodes, victim)
    identical = filecmp.cmp(original, fetched.transfer.path, shallow=False)
    report = Report(
        nodes=len(nodes),
        shares=shares,
        query=_QUERY,
        name=hit.name,
        size=hit.size,
        sources=hit.sources,
        search_seconds=search_seconds,
        sources_used=fetched.sources,
        killed_node=victim.number,
        killed_at=fetched.killed_at,
        seconds=fetched.seconds,
        rate=hit.size / fetched.seconds,
        given=given,
        identical=identical,
    )
    _tell_download(output, report)
    _check(report)
    return report


def _meet(output: Output, nodes: list[DemoNode], deadline: Deadline) -> None:
    for node in nodes:
        deadline.wait_for(f"{node.name} meeting another", partial(_has_peers, node))
    output.say("Five nodes are running, each a process of its own:", style="bold")
    for node in nodes:
        about = node.about
        output.say(f"  {node.name}  process {about.pid}, listens at {about.listen}, peer id {about.peer_id[:12]}...")
    output.say("The others were told only where node 1 is; every link between them is encrypted.")


def _has_peers(node: DemoNode) -> bool | None:
    status = node.ask_status()
    return True if status is not None and status.peers else None


def _share(output: Output, nodes: list[DemoNode], gifts: list[Gift], original: Path) -> int:
    """Have every node share something of its own, and all but the last the same large file."""
    output.say()
    output.say("Each of them shares something:", style="bold")
    for node, gift in zip(nodes, gifts, strict=True):
        _share_paths(node, [gift.path])
        output.say(f"  {node.name}  {gift.path.name}: {gift.what}")
    for node, path in zip(nodes[:-1], _same_in_several_places(original, len(nodes) - 1), strict=True):
        _share_paths(node, [path])
        node.api.put("limits", RateLimits, LimitsBody(up=_UPLOAD))
    size = formats.size(original.stat().st_size)
    output.say(f"Nodes 1 to 4 also share {original.name} ({size}), and upload {formats.speed(_UPLOAD)} each at most.")
    return len(nodes) + len(nodes) - 1


def _same_in_several_places(original: Path, count: int) -> list[Path]:
    """Give each node a file of its own; all are there before the first is shared, for a new link changes a file."""
    places = [original.parent / f"of-node-{number}" / original.name for number in range(1, count + 1)]
    for place in places:
        place.parent.mkdir()
        os.link(original, place)
    return places


def _share_paths(node: DemoNode, paths: Sequence[Path]) -> None:
    events = list(node.api.shares(ShareBody(paths=[str(path) for path in paths])))
    if sum(isinstance(event, Shared) for event in events) != len(paths):
        raise PeerageError(f"{node.name} did not share {paths[0].name}: {events[-1] if events else 'it said nothing'}")


def _search(output: Output, nodes: list[DemoNode], deadline: Deadline) -> tuple[Hit, float]:
    """Search on the last node until all holders are known; returns the hit and how long the first answer took."""
    output.say()
    output.say(f"Node 5 searches the network for: {_QUERY}", style="bold")
    hit, seconds = deadline.wait_for("finding the file at four nodes", lambda: _search_once(nodes[4]))
    holders = {holder.peer_id for holder in hit.holders}
    numbers = [str(node.number) for node in nodes if node.about.peer_id in holders]
    output.say(
        f"  Found {hit.name} ({formats.size(hit.size)}) at {formats.count(hit.sources, 'node')} "
        f"({', '.join(numbers)}) after {seconds * 1000:.0f} ms."
    )
    return hit, seconds


def _search_once(node: DemoNode) -> tuple[Hit, float] | None:
    started = time.monotonic()
    for event in node.api.search(_QUERY, limit=50, timeout=_SEARCH_SECONDS):
        if isinstance(event, HitFound) and event.hit.sources >= 4:
            return event.hit, time.monotonic() - started
        if isinstance(event, SearchEnded):
            return None
    return None


def _fetch(output: Output, node: DemoNode, hit: Hit, victim: DemoNode) -> _Fetched:
    """Download the hit, and kill one source when a part has come."""
    output.say()
    output.say("Node 5 downloads it from all of them at once:", style="bold")
    into = node.home.path.parent / "downloaded"
    started = time.monotonic()
    transfer = node.api.post("transfers", Transfer, GetBody(target=hit.link, into=str(into)))
    killed_at, sources = 0, 0
    with Meter(output, hit.name) as meter:
        for event in node.api.progress(hit.content_id):
            if not isinstance(event, TransferEvent):
                continue
            transfer = event.transfer
            sources = max(sources, transfer.sources)
            meter.show(step_of(transfer))
            if not killed_at and hit.size > transfer.done >= _KILL_AT * hit.size:
                victim.kill()
                killed_at = transfer.done
                meter.pause()
                _tell_kill(output, victim, transfer, sources)
    seconds = time.monotonic() - started
    if transfer.state != "done":
        raise PeerageError(f"the download did not complete: it is {transfer.state}. {transfer.error}")
    return _Fetched(transfer=transfer, killed_at=killed_at, sources=sources, seconds=seconds)


def _tell_kill(output: Output, victim: DemoNode, transfer: Transfer, sources: int) -> None:
    done = formats.percent(transfer.done, transfer.wanted or 0)
    output.say(f"  When {done} had come from {formats.count(sources, 'source')}, {victim.name} was killed (kill -9).")


def _given(nodes: list[DemoNode], victim: DemoNode) -> list[Given]:
    """Ask the last node how much it has from each of the others."""
    received = {peer.peer_id: peer.received for peer in nodes[4].api.get("peers", list[PeerEntry])}
    return [
        Given(node=node.number, bytes=received.get(node.about.peer_id, 0), killed=node is victim) for node in nodes[:-1]
    ]


def _tell_download(output: Output, report: Report) -> None:
    output.say("  The download went on from the others:")
    for given in report.given:
        fate = ", then it was dead" if given.killed else ""
        output.say(f"    node {given.node} gave {formats.size(given.bytes)}{fate}")
    output.say(
        f"  {formats.size(report.size)} in {formats.duration(report.seconds)}: {formats.speed(report.rate)}, "
        f"where one source alone gives at most {formats.speed(_UPLOAD)}."
    )
    if report.identical:
        output.say(f"  The {report.size:,} bytes are the same as the original's, compared one by one.")


def _check(report: Report) -> None:
    """Raise PeerageError when something did not happen as the story goes."""
    if not report.killed_at:
        raise PeerageError("the download was complete before a source could be killed")
    if report.sources_used < 4:
        raise PeerageError(f"only {report.sources_used} of four sources were used at once")
    if silent := [given.node for given in report.given if not given.bytes]:
        raise PeerageError(f"nothing came from node {silent[0]}")
    if not report.identical:
        raise PeerageError("the downloaded file differs from the original")
