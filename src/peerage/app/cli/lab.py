"""`lab`: simulated worlds of real nodes, from the command line; what they measure is told in docs/lab.md.

Invariant: nothing here simulates or measures; a command reads its options, has the laboratory do the work in processes
of its own, and shows what came of it. Ctrl-C ends all of it and leaves nothing behind.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from peerage.app.cli.command import output_of
from peerage.app.cli.lab_board import Board
from peerage.app.cli.output import Column, Output
from peerage.errors import LocalError

if TYPE_CHECKING:
    from peerage.lab.comparing import Comparison
    from peerage.lab.experiment import Spec

_MANY: Final = 100  # seeds of one command at the most: more belong on a cluster

Peers = Annotated[int, typer.Option(help="Nodes in the world, all of them real.", min=2, max=100_000)]
Queries = Annotated[int, typer.Option(help="Searches, a third for each class of items.", min=3, max=1_000_000)]
Seed = Annotated[int, typer.Option(help="The first seed; the same seed gives the same world.", min=0)]
Seeds = Annotated[int, typer.Option(help="Worlds of each kind, with one seed after the other.", min=1, max=_MANY)]
Jobs = Annotated[int, typer.Option(help="Processes at once; 0: one for each core.", min=0, max=1024)]
Html = Annotated[Path | None, typer.Option(help="Write a report to this page; it needs no network.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write all figures to this file, - for the terminal.")]
Plot = Annotated[Path | None, typer.Option(help="Draw the figures into this file: .svg, .png or .pdf.")]
Churn = Annotated[
    float, typer.Option(help="Share of the peers that leave in an hour, each followed by another.", min=0)
]
Nat = Annotated[float, typer.Option(help="Share of the peers that nobody can dial.", min=0, max=0.99)]
Lines = Annotated[str, typer.Option(help="Bandwidths: none, home or 2002.")]
Overlays = Annotated[str, typer.Option(help="Generations to compare: all, or names with commas between them.")]

group: Final = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)


@group.callback()
def _group() -> None:
    """Simulated worlds of real nodes: compare generations of networks, attack them, measure."""


@group.command()
def compare(
    peers: Peers = 200,
    overlay: Overlays = "all",
    queries: Queries = 60,
    seed: Seed = 1,
    seeds: Seeds = 1,
    churn: Churn = 0.0,
    nat: Nat = 0.0,
    lines: Lines = "none",
    jobs: Jobs = 0,
    json_file: JsonFile = None,
    html: Html = None,
    plot: Plot = None,
) -> None:
    """Run the same world and searches on several generations of networks, and print one table."""
    from peerage.lab.comparing import Comparison  # noqa: PLC0415  # the laboratory takes its time to load
    from peerage.lab.comparing import jobs as jobs_of  # noqa: PLC0415
    from peerage.lab.experiment import Spec  # noqa: PLC0415
    from peerage.lab.generations import chosen  # noqa: PLC0415

    output = output_of(json_file == Path("-"))
    _check_files(json_file, html, plot)
    spec = Spec(peers=peers, queries=queries, seed=seed, churn=churn, nat=nat, lines=_lines(lines))
    with Board(output) as board:
        results = board.run(jobs_of(spec, chosen(overlay), seeds), jobs or os.cpu_count() or 1)
    comparison = Comparison(spec=spec, results=results)
    show(output, comparison)
    _write(output, comparison, (json_file, html, plot))


def show(output: Output, comparison: Comparison) -> None:
    """Print the table of a comparison."""
    from peerage.lab.figures import generations_of, table  # noqa: PLC0415

    spec = comparison.spec
    names = generations_of(comparison.results)
    seeds = sorted({each.seed for each in comparison.results})
    output.say(_about(spec, seeds), style="bold")
    rows = table(comparison.results)
    columns = [Column("", whole=True), *(Column(name, right=True) for name in names)]
    output.table(columns, ((row.figure.label, *row.cells()) for row in rows))
    for result in comparison.results:
        output.say(f"trace {result.generation}, seed {result.seed}: {result.digest[:32]}")


def _about(spec: Spec, seeds: list[int]) -> str:
    facts = [f"{spec.peers:,} peers", f"links of {spec.nearest * 1000:.0f} to {spec.farthest * 1000:.0f} ms"]
    if spec.lines != "none":
        facts.append(f"{spec.lines} lines")
    if spec.nat:
        facts.append(f"{spec.nat:.0%} behind a NAT")
    if spec.churn:
        facts.append(f"{spec.churn:.0%} leave in an hour")
    facts.append(f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}")
    return ", ".join(facts)


def _lines(name: str) -> str:
    from peerage.lab.lines import mix  # noqa: PLC0415

    mix(name)
    return name


def _check_files(*paths: Path | None) -> None:
    """Refuse what could not be written, before an hour of work."""
    for path in paths:
        if path is None or path == Path("-"):
            continue
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise LocalError(f"{path} cannot be written: name a file in a folder that exists")


def _write(output: Output, comparison: Comparison, paths: tuple[Path | None, Path | None, Path | None]) -> None:
    json_file, html, plot = paths
    if json_file is not None:
        if json_file == Path("-"):
            output.emit(comparison)
        else:
            json_file.write_bytes(msgspec.json.format(msgspec.json.encode(comparison)) + b"\n")
    del html, plot
