"""`lab`: simulated worlds of real nodes, from the command line; what they measure is told in docs/lab.md.

Invariant: nothing here simulates or measures; a command reads its options, has the laboratory do the work in processes
of its own, and shows what came of it (lab_show.py). Ctrl-C ends all of it and leaves nothing behind.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from peerage.app.cli.command import output_of
from peerage.app.cli.lab_show import Files, Shower
from peerage.errors import LocalError

if TYPE_CHECKING:
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
Share = Annotated[float | None, typer.Option(help="Share of the peers that is hostile, or hit.", show_default=False)]
OneOverlay = Annotated[
    str | None, typer.Option("--overlay", help="The generation that is attacked.", show_default=False)
]

group: Final = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=False)


@group.callback(invoke_without_command=True)
def _group(context: typer.Context) -> None:
    """Simulated worlds of real nodes: compare generations of networks, attack them, measure."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


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
    from peerage.lab.experiment import Spec  # noqa: PLC0415  # the laboratory takes its time to load
    from peerage.lab.generations import chosen  # noqa: PLC0415
    from peerage.lab.lines import mix  # noqa: PLC0415

    shower = Shower(output_of(json_file == Path("-")), Files.checked(json_file, html, plot), jobs)
    mix(lines)
    spec = Spec(peers=peers, queries=queries, seed=seed, churn=churn, nat=nat, lines=lines)
    shower.compare(spec, chosen(overlay), seeds, title="Generations of peer-to-peer networks")


@group.command()
def run(
    scenario: Annotated[
        str | None,
        typer.Argument(help="A .toml file, or the name of a built-in scenario; without one they are listed."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The first seed, instead of the scenario's.", min=0)] = None,
    jobs: Jobs = 0,
    json_file: JsonFile = None,
    html: Html = None,
    plot: Plot = None,
) -> None:
    """Run an experiment that is written down in a file, so that others can run the very same."""
    import msgspec  # noqa: PLC0415

    from peerage.lab.generations import chosen  # noqa: PLC0415
    from peerage.lab.scenario import builtin, load  # noqa: PLC0415

    output = output_of(json_file == Path("-"))
    if scenario is None:
        for name, each in builtin().items():
            output.say(f"{name:16}{each.title}: {each.about}")
        return
    found = load(scenario)
    shower = Shower(output, Files.checked(json_file, html, plot), jobs)
    spec = found.spec if seed is None else msgspec.structs.replace(found.spec, seed=seed)
    if found.attack is not None:
        _attack(shower, found.attack, spec, (found.share, found.seeds))
    else:
        shower.compare(spec, chosen(found.overlays), found.seeds, title=found.title)


@group.command()
def model(
    peers: Annotated[int, typer.Option(help="Peers in the model.", min=100, max=20_000_000)] = 1_000_000,
    overlay: Overlays = "all",
    queries: Queries = 1000,
    seed: Seed = 1,
    seeds: Seeds = 1,
    gone: Annotated[
        float, typer.Option(help="Share of the peers that have gone, unnoticed by the others.", min=0, max=0.9)
    ] = 0.0,
    runner: Annotated[str, typer.Option(help="Where to run it: local, or ray (a cluster).")] = "local",
    address: Annotated[
        str | None, typer.Option(help="Of the cluster: auto, ray://host:port; without one, Ray starts here.")
    ] = None,
    parts: Annotated[int, typer.Option(help="Parts that the queries are split into; 0: as many as help.", min=0)] = 0,
    check: Annotated[
        bool, typer.Option("--check", help="Run real nodes as well, and show where they differ; --peers 1000, say.")
    ] = False,
    jobs: Jobs = 0,
    json_file: JsonFile = None,
) -> None:
    """Compare generations in a model of a million peers: arrays instead of nodes, the same figures."""
    from peerage.app.cli.lab_model import Runner, Wish, show_check, show_model  # noqa: PLC0415

    where = Runner(runner, address, parts, jobs)
    where.check()
    show = show_check if check else show_model
    show(Wish(overlay, peers, queries, seed, seeds, gone), where, json_file)


@group.command()
def attack(
    name: Annotated[str | None, typer.Argument(help="Which attack; without one they are listed.")] = None,
    peers: Peers = 200,
    overlay: OneOverlay = None,
    share: Share = None,
    queries: Queries = 30,
    seed: Seed = 1,
    seeds: Seeds = 1,
    jobs: Jobs = 0,
    json_file: JsonFile = None,
) -> None:
    """Run the same world calm, attacked without the defence, and attacked with it, side by side."""
    from peerage.lab.attacks.registry import ATTACKS, attack_named, overlay_for  # noqa: PLC0415
    from peerage.lab.experiment import Spec  # noqa: PLC0415

    output = output_of(json_file == Path("-"))
    if name is None:
        for each in ATTACKS.values():
            output.say(f"{each.name:16}{each.about}; {each.defence}")
        return
    generation = overlay_for(attack_named(name), overlay)
    shower = Shower(output, Files.checked(json_file, None, None), jobs)
    _attack(shower, name, Spec(generation=generation, peers=peers, queries=queries, seed=seed), (share, seeds))


def _attack(shower: Shower, name: str, spec: Spec, numbers: tuple[float | None, int]) -> None:
    import msgspec  # noqa: PLC0415

    from peerage.lab.attacks.attack import AttackSpec  # noqa: PLC0415
    from peerage.lab.attacks.registry import attack_named, overlay_for  # noqa: PLC0415

    share, seeds = numbers
    if share is not None and not 0 < share < 1:
        raise LocalError("--share is a part of all peers: more than 0 and less than 1")
    kind = attack_named(name)
    overlay_for(kind, spec.generation)
    whole = AttackSpec(**msgspec.structs.asdict(spec), attack=name, share=share or kind.usual_share)
    shower.attack(kind, whole, seeds)
