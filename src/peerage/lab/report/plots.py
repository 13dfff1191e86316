"""Plots of a comparison, drawn by matplotlib into an SVG, PNG or PDF file.

Invariant: the plots show the figures of the table, nothing else; nothing is shown on a screen, so it works on a server.
Needs the extra `lab`; without it the error says what to install.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from peerage.errors import LocalError
from peerage.lab.figures import generations_of, table
from peerage.lab.measure import Result, Spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS_OF_FILE: Final = (".svg", ".png", ".pdf")
INSTALL: Final = 'plots need matplotlib; install it with: pip install "peerage[lab]"'
_COLOURS: Final = ("#2f6fde", "#e0872b", "#3a9d5d", "#b5489b", "#7a6fd0", "#c44e52", "#5b8a8f", "#8c7a3f")


class Panel(msgspec.Struct, frozen=True):
    """One plot: which figures stand side by side for each generation."""

    title: str
    keys: tuple[tuple[str, str], ...]  # of the figure, and what the legend calls it
    scale: float = 1.0
    log: bool = False


PANELS: Final = (
    Panel(
        "searches that found what was meant, %",
        (("success-popular", "popular"), ("success-rare", "held by 0.1 %"), ("success-single", "single copy")),
        100.0,
    ),
    Panel(
        "messages of the network for one query",
        (("messages-popular", "popular"), ("messages-rare", "held by 0.1 %"), ("messages-single", "single copy")),
        log=True,
    ),
    Panel(
        "kilobytes of the network for one query",
        (("bytes-popular", "popular"), ("bytes-rare", "held by 0.1 %"), ("bytes-single", "single copy")),
        0.001,
        log=True,
    ),
    Panel("seconds to the first hit", (("first-p50", "half of them"), ("first-p95", "19 of 20"))),
    Panel("upkeep, bytes a node and second", (("upkeep-bytes", "upkeep"),), log=True),
    Panel(
        "messages a node receives for one query",
        (("load-mean", "mean"), ("load-busiest", "busiest node")),
        log=True,
    ),
)


def check(path: Path) -> None:
    """Raise LocalError when nothing could be drawn into this file."""
    if path.suffix.lower() not in KINDS_OF_FILE:
        raise LocalError(f"{path} is no kind of picture that is drawn here: name a file in {', '.join(KINDS_OF_FILE)}")
    _pyplot()


def draw(results: Sequence[Result], path: Path, title: str) -> None:
    """Draw all panels into one file; raises LocalError without matplotlib."""
    plt = _pyplot()
    figure, axes = plt.subplots(3, 2, figsize=(11, 11), layout="constrained")
    names = generations_of(results)
    rows = {row.figure.key: row.values for row in table(results)}
    for panel, where in zip(PANELS, axes.flat, strict=True):
        _draw_panel(where, panel, names, [rows[key] for key, _ in panel.keys])
    figure.suptitle(title)
    try:
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=150)
    except OSError as error:
        raise LocalError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        plt.close(figure)


def _draw_panel(axes: Axes, panel: Panel, names: Sequence[str], rows: Sequence[tuple[Spread | None, ...]]) -> None:
    width = 0.8 / len(rows)
    for number, row in enumerate(rows):
        places = [at - 0.4 + width * (number + 0.5) for at in range(len(names))]
        heights = [0.0 if value is None else value.mean * panel.scale for value in row]
        errors = [0.0 if value is None else value.deviation * panel.scale for value in row]
        label = panel.keys[number][1]
        bars = axes.bar(places, heights, width * 0.92, color=_COLOURS[number], label=label)
        if any(errors):
            axes.errorbar(places, heights, errors, fmt="none", ecolor="#333333", capsize=2)
        axes.bar_label(bars, list(map(_short, heights)), fontsize=6, padding=6 if any(errors) else 1)
    if panel.log and any(value is not None and value.mean > 0 for row in rows for value in row):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top * (4 if panel.log else 1.2))  # room for the legend
    axes.set_title(panel.title, fontsize=10)
    axes.set_xticks(range(len(names)), names, rotation=20, ha="right", fontsize=9)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    if len(rows) > 1:
        axes.legend(fontsize=7, loc="upper right", ncols=len(rows))


def _short(value: float) -> str:
    if not value:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _pyplot() -> Any:
    """Return matplotlib's drawing half, set up for files."""
    try:
        import matplotlib as mpl  # noqa: PLC0415  # an extra, and slow to load

        mpl.use("Agg")
        mpl.rcParams["svg.hashsalt"] = "peerage"  # the same figures give the same file
        import matplotlib.pyplot as plt  # noqa: PLC0415
    except ImportError as error:
        raise LocalError(INSTALL) from error
    return plt
