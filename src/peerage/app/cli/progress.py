"""How far something is that takes longer than a second: a bar on a terminal, a line now and then elsewhere.

Invariant: what is over within a second shows nothing, and the terminal is as it was after `with` ends, however it ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import msgspec

from peerage.app.cli import formats
from peerage.app.cli.output import Output

if TYPE_CHECKING:
    from rich.progress import Progress

_QUIET: Final = 1.0  # seconds before anything is shown
_MARGIN: Final = 4  # columns for the ^C that a terminal shows; in a full line it would push the bar up for good
_BETWEEN_LINES: Final = 5.0  # seconds between lines where there is no terminal


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is: `done` of `total` bytes (None: not known), and what else there is to say."""

    done: int = 0
    total: int | None = None
    rate: float = 0.0
    sources: int | None = None
    eta: float | None = None
    note: str = ""


class Pace:
    """The speed of something of which only the bytes done are told: their average since it began."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()

    def step(self, done: int, total: int, note: str = "") -> Step:
        """Return how far it is, with its speed and the time left."""
        seconds = self._clock() - self._started
        rate = done / seconds if seconds > 0 else 0.0
        return Step(done=done, total=total, rate=rate, eta=(total - done) / rate if rate else None, note=note)


class Meter:
    """Shows steps under one label; used as `with Meter(...) as meter: meter.show(step)`."""

    def __init__(
        self, output: Output, label: str, quiet: float = _QUIET, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._output = output
        self._label = formats.clean(label)
        self._clock = clock
        self._first = clock() + quiet
        self._next_line = self._first
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pause()

    def pause(self) -> None:
        """Take the bar away, so that something else can be written; the next step brings it back."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def show(self, step: Step) -> None:
        """Show how far it is now; call it as often as there is something new."""
        if self._output.as_json or self._clock() < self._first:
            return
        if self._output.talks_to_terminal:
            self._draw(step)
        elif self._clock() >= self._next_line:
            self._next_line = self._clock() + _BETWEEN_LINES
            self._output.hint(f"{self._label}: {', '.join(filter(None, _words(step)))}")

    def _draw(self, step: Step) -> None:
        if self._bar is None:
            self._bar = _new_bar(self._output)
            self._bar.add_task(self._label, total=None, tail="")
            self._bar.start()
        tail = "  ".join(filter(None, _words(step)))
        self._bar.update(self._bar.task_ids[0], completed=step.done, total=step.total, tail=tail)


def _words(step: Step) -> tuple[str, ...]:
    return (
        formats.percent(step.done, step.total) if step.total else "",
        f"{formats.size(step.done)} of {formats.size(step.total)}" if step.total else "",
        formats.speed(step.rate) if step.rate else "",
        formats.count(step.sources, "source") if step.sources is not None else "",
        f"{formats.duration(step.eta)} left" if step.eta is not None else "",
        formats.clean(step.note),
    )


def _new_bar(output: Output) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415  # only a terminal needs it
    from rich.table import Column  # noqa: PLC0415

    return Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=2)),
        BarColumn(bar_width=None, table_column=Column(ratio=2, min_width=8)),
        TextColumn("{task.fields[tail]}", markup=False, table_column=Column(no_wrap=True)),
        console=output.error_console(_MARGIN),
        expand=True,
        transient=True,
    )
