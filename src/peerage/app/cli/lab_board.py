"""How far the experiments of the laboratory are: a bar for each that runs, or a line now and then.

Invariant: the terminal is as it was when `with` ends, however it ends, and no process of an experiment is left.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar

from peerage.app.cli.output import Output

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from peerage.lab.fleet import Job, Told

ResultT = TypeVar("ResultT")

_BETWEEN_LINES: Final = 10.0  # seconds between lines where there is no terminal
_MARGIN: Final = 4  # columns for the ^C that a terminal shows


class Board:
    """Runs jobs and shows them; used as `with Board(output) as board: board.run(jobs, at_once)`."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._labels: list[str] = []
        self._bars: dict[int, TaskID] = {}
        self._progress: Progress | None = None
        self._done = 0
        self._next_line = time.monotonic() + _BETWEEN_LINES

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def run(self, jobs: Sequence[Job[ResultT]], at_once: int) -> list[ResultT]:
        """Run jobs in processes of their own and return their results in order."""
        from peerage.lab.fleet import run_all  # noqa: PLC0415  # the laboratory takes its time to load

        self._labels = [job.label for job in jobs]
        self._done = 0
        return run_all(jobs, self._hear, at_once)

    def _hear(self, told: Told) -> None:
        over = not told.step
        self._done += over
        if self._output.talks_to_terminal:
            self._draw(told, over=over)
        elif not self._output.as_json and (over or time.monotonic() >= self._next_line):
            self._next_line = time.monotonic() + _BETWEEN_LINES
            how_far = "done" if over else f"{told.step}, {told.share:.0%}"
            self._output.hint(f"{self._labels[told.job]}: {how_far} ({self._done} of {len(self._labels)} done)")

    def _draw(self, told: Told, *, over: bool) -> None:
        if self._progress is None:
            self._progress = _new_progress(self._output)
            self._progress.start()
        bar = self._bars.get(told.job)
        if over:
            if bar is not None:
                self._progress.remove_task(bar)
                del self._bars[told.job]
            return
        if bar is None:
            bar = self._bars[told.job] = self._progress.add_task(self._labels[told.job], total=1.0, step="")
        step = f"{told.step}  ({self._done} of {len(self._labels)} done)"
        self._progress.update(bar, completed=told.share, step=step)


def _new_progress(output: Output) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[step]}", markup=False),
        TimeElapsedColumn(),
        console=output.error_console(_MARGIN),
        transient=True,
    )
