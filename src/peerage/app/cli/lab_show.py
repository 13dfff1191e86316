"""What the laboratory found, on the terminal and in files: tables, JSON, a page, plots.

Invariant: whether a file can be written, and what that needs, is found out before the work begins, not after an hour.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import msgspec

from peerage.app.cli.lab_board import Board
from peerage.app.cli.output import PROGRAM, Column, Output
from peerage.errors import LocalError

if TYPE_CHECKING:
    from peerage.lab.attacks.attack import Attack, AttackResult, AttackSpec
    from peerage.lab.comparing import Comparison
    from peerage.lab.experiment import Spec
    from peerage.lab.measure import Result

_TERMINAL = Path("-")


class Files(NamedTuple):
    """Where a comparison goes, beside the terminal."""

    json: Path | None
    html: Path | None
    plot: Path | None

    @classmethod
    def checked(cls, json: Path | None, html: Path | None, plot: Path | None) -> Self:
        """Refuse what could not be written, before the work."""
        for path in (json, html, plot):
            if path is None or path == _TERMINAL:
                continue
            if path.is_dir() or not path.absolute().parent.is_dir():
                raise LocalError(f"{path} cannot be written: name a file in a folder that exists")
        if plot is not None:
            from peerage.lab.report.plots import check  # noqa: PLC0415

            check(plot)
        return cls(json, html, plot)


class Shower:
    """Runs experiments and shows what came of them."""

    def __init__(self, output: Output, files: Files, jobs: int) -> None:
        self._output = output
        self._files = files
        self._at_once = jobs or os.cpu_count() or 1

    def compare(self, spec: Spec, generations: Sequence[str], seeds: int, title: str) -> None:
        """Compare generations."""
        from peerage.lab.comparing import Comparison, jobs  # noqa: PLC0415  # the laboratory takes its time to load
        from peerage.lab.picture import label, take  # noqa: PLC0415

        with Board(self._output) as board:
            results = board.run(jobs(spec, generations, seeds), self._at_once)
            pictures = []
            if self._files.html is not None:
                from peerage.lab.fleet import Job  # noqa: PLC0415

                taken = [Job(label(name), take, (name, spec.seed)) for name in generations]
                pictures = board.run(taken, self._at_once)
        comparison = Comparison(spec=spec, results=results)
        about = about_world(spec, seeds)
        self._show(comparison, about)
        self.write_json(comparison)
        if self._files.html is not None:
            from peerage.lab.report.page import Words, page  # noqa: PLC0415

            command = shlex.join([PROGRAM, "lab", *_command_of(spec, generations, seeds)])
            text = page(Words(title, about, command), results, pictures)
            self._write(self._files.html, text.encode())
        if self._files.plot is not None:
            from peerage.lab.report.plots import draw  # noqa: PLC0415

            draw(results, self._files.plot, f"{title}: {about}")

    def attack(self, kind: type[Attack], spec: AttackSpec, seeds: int) -> None:
        """Attack one generation, with and without the defence."""
        from peerage.lab.attacks.attack import Variant  # noqa: PLC0415
        from peerage.lab.attacks.registry import jobs, variants_of  # noqa: PLC0415

        with Board(self._output) as board:
            results = board.run(jobs(spec, seeds), self._at_once)
        self._output.say(f"{kind.name} on {spec.generation}: {about_world(spec, seeds)}", style="bold")
        self._output.say(f"The attack: {kind.about}. {'' if not kind.has_attackers else _hostile(spec)}".rstrip())
        self._output.say(f"The defence: {kind.defence}.")
        columns = [Column(""), *(Column(name, right=True) for name in ("calm", "without defence", "with defence"))]
        by_variant = [variants_of(results, variant) for variant in Variant]
        self.table(columns, attack_rows(by_variant))
        self.write_json(results)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _show(self, comparison: Comparison, about: str) -> None:
        from peerage.lab.figures import generations_of, table  # noqa: PLC0415

        names = generations_of(comparison.results)
        self._output.say(about, style="bold")
        columns = [Column(""), *(Column(name, right=True) for name in names)]
        self.table(columns, [[row.figure.label, *row.cells()] for row in table(comparison.results)])
        for result in comparison.results:
            self._output.say(f"trace of {result.generation}, seed {result.seed}: {result.digest[:32]}")

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Write a table; where there is no terminal, its head is a line like the others."""
        if not self._output.as_json:
            head = [] if sys.stdout.isatty() else [[column.title or "figure" for column in columns]]
            self._output.table(columns, [*head, *rows])

    def write_json(self, value: object) -> None:
        """Write a value where the user wants it, if at all."""
        if self._files.json == _TERMINAL:
            self._output.emit(value)
        elif self._files.json is not None:
            self._write(self._files.json, msgspec.json.format(msgspec.json.encode(value)) + b"\n")

    def _write(self, path: Path, data: bytes) -> None:
        path.write_bytes(data)
        self._output.hint(f"written: {path}")


def about_world(spec: Spec, seeds: int) -> str:
    """Say what a world is like, in one line."""
    facts = [f"{spec.peers:,} peers", f"links of {spec.nearest * 1000:.0f} to {spec.farthest * 1000:.0f} ms"]
    if spec.lines != "none":
        facts.append(f"{spec.lines} lines")
    if spec.nat:
        facts.append(f"{spec.nat:.0%} behind a NAT")
    if spec.churn:
        facts.append(f"{spec.churn:.0%} leave in an hour")
    facts.append(f"seed {spec.seed}" if seeds == 1 else f"seeds {spec.seed} to {spec.seed + seeds - 1}")
    return ", ".join(facts)


def attack_rows(by_variant: Sequence[Sequence[AttackResult]]) -> list[list[str]]:
    """Return the rows of an attack's table: its own figures, then those of every experiment that say something here."""
    from peerage.lab.figures import DASH, FIGURES, with_deviation  # noqa: PLC0415
    from peerage.lab.measure import spread  # noqa: PLC0415

    rows = []
    for number, extra in enumerate(by_variant[0][0].extras):
        values = [spread(each.extras[number].value for each in variant) for variant in by_variant]
        show = _SHOWN[extra.unit]
        rows.append([extra.label, *(DASH if value is None else with_deviation(value, show) for value in values)])
    for figure in FIGURES:
        if figure.key.startswith(_LOOKED_AT):
            taken = [spread(figure.take(_result(each)) for each in variant) for variant in by_variant]
            rows.append(
                [figure.label, *(DASH if value is None else with_deviation(value, figure.show) for value in taken)]
            )
    return rows


_LOOKED_AT = ("success-", "messages-", "bytes-", "first-", "load-", "components")
_SHOWN = {
    "%": lambda value: f"{100 * value:.1f} %",
    "s": lambda value: f"{value:.1f} s",
    "": lambda value: f"{value:,.1f}",
}


def _result(each: AttackResult) -> Result:
    return each.result


def _hostile(spec: AttackSpec) -> str:
    count = max(1, round(spec.share * spec.peers))
    return f"{count} of the peers are hostile."


def _command_of(spec: Spec, generations: Sequence[str], seeds: int) -> list[str]:
    """Return the options that give this comparison again."""
    words = ["compare", "--peers", str(spec.peers), "--overlay", ",".join(generations), "--queries", str(spec.queries)]
    words += ["--seed", str(spec.seed), "--seeds", str(seeds)]
    if spec.churn:
        words += ["--churn", str(spec.churn)]
    if spec.nat:
        words += ["--nat", str(spec.nat)]
    if spec.lines != "none":
        words += ["--lines", spec.lines]
    return words
