"""One page that shows a comparison: the table, bars, and a search going through a picture of each network.

Invariant: the page is a single file that asks nobody for anything, and works in light and dark; every text that goes
into it is escaped. Needs nothing but this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib import resources
from typing import Final

import msgspec

from peerage.lab.figures import DASH, Row, generations_of, table
from peerage.lab.measure import Result, Spread
from peerage.lab.picture import Picture
from peerage.lab.report.plots import PANELS, Panel

_WIDTH: Final = 340
_NAME: Final = 84  # of the column of names in a chart
_VALUE: Final = 62  # and of that of values
_BAR: Final = 11
_GAP: Final = 9


class Words(msgspec.Struct, frozen=True):
    """What is said on the page: its title, what was compared, and what to type to get it again."""

    title: str
    about: str
    command: str


def page(words: Words, results: Sequence[Result], pictures: Sequence[Picture]) -> str:
    """Return the page as HTML."""
    rows = table(results)
    names = generations_of(results)
    by_key = {row.figure.key: row for row in rows}
    parts = {
        "TITLE": escape(words.title),
        "ABOUT": escape(words.about),
        "COMMAND": escape(words.command),
        "TABLE": _table(names, rows),
        "CHARTS": "".join(_chart(panel, names, by_key) for panel in PANELS),
        "NETWORKS": _NETWORKS if pictures else "",
        "TRACES": _traces(results),
        "PICTURES": msgspec.json.encode(pictures).decode().replace("<", "\\u003c"),
    }
    text = (resources.files("peerage.lab.report") / "page.html").read_text("utf-8")
    for name, value in parts.items():
        text = text.replace(f"@@{name}@@", value)
    return text


_NETWORKS: Final = """<h2>One search, as it went</h2>
<p class="dim">A small world of the same kind, and a search in it for something that one node has, four times slower
than it was. Every line is a message that was delivered: questions blue, answers green; the one who asks is orange, the
holder green.</p>
<div class="controls" id="tabs"></div>
<figure><figcaption id="what"></figcaption><canvas id="network" style="height: 30rem"></canvas>
<div class="controls"><button id="again">again</button><span class="dim" id="clock"></span></div></figure>"""


def _table(names: Sequence[str], rows: Sequence[Row]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        f'<tr><td tabindex="0">{escape(row.figure.label)}<span class="about">{escape(row.figure.about)}</span></td>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row.cells())
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"


def _traces(results: Sequence[Result]) -> str:
    body = "".join(
        f"<tr><td>{escape(each.generation)}</td><td>{each.seed}</td><td><code>{each.digest}</code></td></tr>"
        for each in results
    )
    return (
        f"<table><thead><tr><th>generation</th><th>seed</th><th>digest</th></tr></thead><tbody>{body}</tbody></table>"
    )


def _chart(panel: Panel, names: Sequence[str], rows: dict[str, Row]) -> str:
    """Draw horizontal bars, a group for each generation."""
    shown = [rows[key] for key, _ in panel.keys]
    largest = max((value.mean for row in shown for value in row.values if value is not None), default=0.0) or 1.0
    step = len(shown) * _BAR + _GAP
    bars = "".join(
        f'<text x="0" y="{at * step + step / 2 - 1:.0f}">{escape(name)}</text>'
        + "".join(_bar(row, number, at, (largest, step)) for number, row in enumerate(shown))
        for at, name in enumerate(names)
    )
    legend = "".join(
        f'<span><i style="background: var(--{"abc"[number]})"></i>{escape(label)}</span>'
        for number, (_, label) in enumerate(panel.keys)
    )
    height = len(names) * step
    label = escape(panel.title)
    return (
        f'<figure><figcaption>{label}</figcaption><svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">'
        f'{bars}</svg><div class="legend">{legend if len(shown) > 1 else ""}</div></figure>'
    )


def _bar(row: Row, number: int, at: int, sizes: tuple[float, int]) -> str:
    largest, step = sizes
    value: Spread | None = row.values[at]
    top = at * step + number * _BAR
    room = _WIDTH - _NAME - _VALUE
    length = 0.0 if value is None else max(value.mean / largest * room, 1.0)
    said = DASH if value is None else row.figure.show(value.mean)
    return (
        f'<rect class="bar{number}" x="{_NAME}" y="{top}" width="{length:.1f}" height="{_BAR - 1}" rx="1.5"/>'
        f'<text class="dim" x="{_NAME + length + 4:.1f}" y="{top + _BAR - 2}" font-size="9">{escape(said)}</text>'
    )
