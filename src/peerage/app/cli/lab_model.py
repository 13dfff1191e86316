"""`lab model` on the terminal: runs the model here or on a cluster, and shows its table, or where nodes differ.

Invariant: nothing is modelled here; without numpy or Ray the user is told what to install before anything is run.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from peerage.app.cli.command import output_of
from peerage.app.cli.lab_board import Board
from peerage.app.cli.lab_show import Files, Shower
from peerage.app.cli.output import Column, Output
from peerage.errors import LocalError

if TYPE_CHECKING:
    from peerage.lab.fleet import Told
    from peerage.lab.measure import Result
    from peerage.lab.model.crosscheck import Difference
    from peerage.lab.model.spec import ModelSpec

MOST_CHECKED = 20_000  # real nodes of one world: minutes of work, and gigabytes


class Wish(NamedTuple):
    """What is to be modelled."""

    overlays: str
    peers: int
    queries: int
    seed: int
    seeds: int
    gone: float

    def specs(self) -> list[ModelSpec]:
        """Return the specifications of all runs."""
        from peerage.lab.model.spec import ModelSpec, chosen  # noqa: PLC0415  # the laboratory takes its time to load

        return [
            ModelSpec(generation=name, peers=self.peers, queries=self.queries, seed=seed, gone=self.gone)
            for name in chosen(self.overlays)
            for seed in range(self.seed, self.seed + self.seeds)
        ]


class Runner(NamedTuple):
    """Where the model runs: "local" or "ray", at which address, in how many parts (0: as many as there is room for)."""

    kind: str
    address: str | None
    parts: int
    jobs: int  # processes at once here; 0: one for each core

    @property
    def at_once(self) -> int:
        """How many processes run at once here."""
        return self.jobs or os.cpu_count() or 1

    def check(self) -> None:
        """Refuse what cannot be run."""
        if self.kind not in ("local", "ray"):
            raise LocalError(f"no runner called {self.kind!r}; choose from: local, ray")
        if self.address is not None and self.kind != "ray":
            raise LocalError("--address says where a cluster is, so it needs --runner ray")
        if self.kind == "ray":
            from peerage.lab.model.ray_runner import check_ray  # noqa: PLC0415

            check_ray()
        else:
            from peerage.lab.model.spec import check_numpy  # noqa: PLC0415

            check_numpy()

    def run(self, specs: Sequence[ModelSpec], output: Output) -> list[Result]:
        """Run specifications."""
        if self.kind == "ray":
            from peerage.lab.model.ray_runner import Cluster, run_on_ray  # noqa: PLC0415

            def listen(told: Told) -> None:
                if not told.step:
                    output.hint(f"{specs[told.job].generation}, seed {specs[told.job].seed}: done")

            return run_on_ray(specs, Cluster(self.address, self.parts), listen)
        from peerage.lab.model.local_runner import run_in_processes  # noqa: PLC0415

        with Board(output) as board:
            return run_in_processes(specs, max(1, self.parts), board.run, self.at_once)


def show_model(wish: Wish, runner: Runner, json_file: Path | None) -> None:
    """Run the model and print its table."""
    from peerage.lab.figures import generations_of, table  # noqa: PLC0415

    output, specs = output_of(json_file == Path("-")), wish.specs()
    shower = Shower(output, Files.checked(json_file, None, None), runner.at_once)
    results = runner.run(specs, output)
    spec = specs[0]
    output.say(f"a model of {spec.peers:,} peers, {spec.queries:,} queries, {_seeds(specs)}{_gone(spec)}", style="bold")
    columns = [Column(""), *(Column(name, right=True) for name in generations_of(results))]
    rows = [row for row in table(results) if any(value is not None for value in row.values)]
    shower.table(columns, [[row.figure.label, *row.cells()] for row in rows])
    for each in results:
        output.say(f"figures of {each.generation}, seed {each.seed}: {each.digest[:32]}")
    shower.write_json(results)


def show_check(wish: Wish, runner: Runner, json_file: Path | None) -> None:
    """Run real nodes and the model with the same parameters, and print both, with the difference."""
    from peerage.lab.comparing import jobs  # noqa: PLC0415
    from peerage.lab.experiment import Spec  # noqa: PLC0415
    from peerage.lab.model.crosscheck import Checked, differences, model_of  # noqa: PLC0415
    from peerage.lab.model.spec import chosen  # noqa: PLC0415

    if wish.peers > MOST_CHECKED:
        raise LocalError(f"a check runs real nodes, too: at most {MOST_CHECKED:,} of them, so --peers 1000, say")
    if wish.gone:
        raise LocalError("a check compares worlds in which nobody has gone: leave out --gone")
    output, overlays = output_of(json_file == Path("-")), chosen(wish.overlays)
    shower = Shower(output, Files.checked(json_file, None, None), runner.at_once)
    spec = Spec(generation=overlays[0], peers=wish.peers, queries=wish.queries, seed=wish.seed)
    work = jobs(spec, overlays, wish.seeds)
    with Board(output) as board:
        real = board.run(work, runner.at_once)
    model = runner.run([model_of(job.arguments[0]) for job in work], output)
    checked = []
    for name in overlays:
        theirs, ours = ([each for each in some if each.generation == name] for some in (real, model))
        checked.append(Checked(generation=name, real=theirs, model=ours, differences=differences(theirs, ours)))
        output.say(f"{name}: {spec.peers:,} real nodes, and the model", style="bold")
        columns = [
            Column(""),
            Column("real", right=True),
            Column("model", right=True),
            Column("difference", right=True),
        ]
        shower.table(columns, [difference_row(each) for each in checked[-1].differences])
    shower.write_json(checked)


def difference_row(difference: Difference) -> list[str]:
    """Return the cells of one figure; what is promised to agree and does not is marked."""
    from peerage.lab.figures import FIGURES, with_deviation  # noqa: PLC0415

    show = next(figure.show for figure in FIGURES if figure.key == difference.figure)
    mark = " !" if difference.promised and not difference.agrees else ""
    cells = [with_deviation(each, show) for each in (difference.real, difference.model)]
    return [difference.label, *cells, f"{difference.share:+.1%}{mark}"]


def _seeds(specs: Sequence[ModelSpec]) -> str:
    seeds = sorted({each.seed for each in specs})
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"


def _gone(spec: ModelSpec) -> str:
    return f", {spec.gone:.0%} have gone unnoticed" if spec.gone else ""
