"""Pictures of a text that a phone can read: QR codes (ISO/IEC 18004), as SVG and for a terminal.

Invariant: the picture says the text and nothing else; it carries no script and refers to nothing. Dark modules are dark
on a light ground with a quiet zone round them, whatever the colours of the page or the terminal.
"""

from __future__ import annotations

import io
from typing import Final

import segno

from peerage.errors import LocalError
from peerage.limits import MAX_QR_BYTES

_QUIET: Final = 4  # modules of light ground on each side, as the standard wants it
_HALVES: Final = (" ", "\u2580", "\u2584", "\u2588")  # of two modules, one above the other: by which of them is dark


def svg(text: str) -> bytes:
    """Return a picture that fits whatever room it is given; raises LocalError for a text that is too long."""
    picture = io.BytesIO()
    _code(text).save(picture, kind="svg", border=_QUIET, light="#fff", xmldecl=False, omitsize=True)
    return picture.getvalue()


def terminal_lines(text: str) -> list[str]:
    """Return the lines of a picture of half blocks, to be shown black on white; raises what `svg` does."""
    rows = [list(map(bool, row)) for row in _code(text).matrix_iter(border=_QUIET)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return ["".join(_HALVES[above + 2 * below] for above, below in zip(*pair, strict=True)) for pair in pairs]


def _code(text: str) -> segno.QRCode:
    size = len(text.encode(errors="replace"))
    if not 0 < size <= MAX_QR_BYTES:
        raise LocalError(f"a text of {size} bytes; a picture that phones can read holds 1 to {MAX_QR_BYTES}")
    return segno.make_qr(text, error="l")
