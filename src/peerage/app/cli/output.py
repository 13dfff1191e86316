"""Where a command writes: results to standard output, everything said beside them to standard error.

Invariant: every text passes `formats.clean` or `formats.json_line` on its way out and is never read as Rich markup, so
a name from another peer is shown and does nothing else. On a terminal results are tables; elsewhere they are lines with
a tab between the columns; with --json they are JSON, one object a line, and nothing else is said but errors.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TextIO, TypeVar

from peerage.app.cli.formats import clean, json_line

if TYPE_CHECKING:
    from rich.console import Console  # Rich takes 60 ms to load: only a terminal needs it

T = TypeVar("T")

PROGRAM: Final = "peerage"


class Invocation(NamedTuple):
    """How the program was called: its home folder, and whether that was named on the command line."""

    home: Path | None
    named: bool

    @property
    def program(self) -> str:
        """What to type so that the next command meets the same node."""
        return f"{PROGRAM} --home {shlex.quote(str(self.home))}" if self.named else PROGRAM


class Column(NamedTuple):
    """One column of a table; what is not `whole` is cut when the terminal is too narrow."""

    title: str
    right: bool = False
    whole: bool = True
    style: str = ""


class Output:
    """What one command says, in the form that fits where it goes."""

    def __init__(self, *, as_json: bool, stdout: TextIO, stderr: TextIO) -> None:
        self.as_json = as_json
        self._stdout = stdout
        self._stderr = stderr

    @property
    def talks_to_terminal(self) -> bool:
        """Whether a person sees standard error as it is written, and wants to."""
        return not self.as_json and self._stderr.isatty()

    def error_console(self, margin: int = 0) -> Console:
        """Return a console on standard error, for progress; it leaves `margin` columns at the right free."""
        console = _console(self._stderr)
        console.width -= margin
        return console

    @cached_property
    def _console(self) -> Console:
        return _console(self._stdout)

    @property
    def _on_terminal(self) -> bool:
        return not self.as_json and self._stdout.isatty()

    def emit(self, value: object) -> None:
        """Write a result as one line of JSON."""
        self._stdout.write(json_line(value) + "\n")
        self._stdout.flush()  # whoever reads line by line must not wait for the last

    def say(self, text: str = "", style: str = "") -> None:
        """Write a line of the result, for people; with --json there is none."""
        if self.as_json:
            return
        if self._on_terminal and style:
            self._console.print(clean(text), style=style, soft_wrap=True)
        else:
            self._stdout.write(clean(text) + "\n")

    def hint(self, text: str) -> None:
        """Write a line beside the result, for people: what is going on, or what to do next."""
        if not self.as_json:
            self._flush_and_write(clean(text))

    def error(self, message: str) -> None:
        """Write an error in one line; further lines show where in a query it is."""
        self._flush_and_write(f"{PROGRAM}: " + "\n".join(clean(line) for line in message.split("\n")))

    def records(self, values: Iterable[T], columns: Sequence[Column], cells: Callable[[T], Sequence[str]]) -> None:
        """Write many results: a table for people, or one JSON object a line."""
        if self.as_json:
            for value in values:
                self.emit(value)
            return
        self.table(columns, (cells(value) for value in values))

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
        """Write rows of cells in columns, for people."""
        cleaned = ([clean(cell) for cell in row] for row in rows)
        if self._on_terminal:
            self._draw(columns, cleaned)
        else:
            self._stdout.writelines("\t".join(row) + "\n" for row in cleaned)

    def facts(self, rows: Iterable[tuple[str, str]]) -> None:
        """Write names and what they stand for, one pair a line, for people."""
        pairs = [(name, clean(value)) for name, value in rows]
        width = max(len(name) for name, _ in pairs) + 2
        for name, value in pairs:
            self._stdout.write(f"{name + ':':{width}}{value}\n" if self._on_terminal else f"{name}\t{value}\n")

    def _draw(self, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
        from rich import box  # noqa: PLC0415  # only a terminal needs it
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        listed = list(rows)
        used = [at for at in range(len(columns)) if any(row[at] for row in listed)]
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
        for column in (columns[at] for at in used):
            # What must stay whole is not wrapped, so Rich narrows the other columns; their cells are cut instead.
            justify: Literal["left", "right"] = "right" if column.right else "left"
            table.add_column(Text(column.title), justify=justify, no_wrap=column.whole, style=column.style)
        for row in listed:
            table.add_row(*(Text(row[at], no_wrap=True, overflow="ellipsis") for at in used))
        self._console.print(table)

    def _flush_and_write(self, text: str) -> None:
        self._stdout.flush()
        self._stderr.write(text + "\n")
        self._stderr.flush()


def _console(stream: TextIO) -> Console:
    from rich.console import Console  # noqa: PLC0415

    return Console(file=stream, markup=False, emoji=False, highlight=False)
