"""Numbers and names as a person reads them on the command line, and the numbers a person types.

Invariant: whatever leaves `clean` or `json_line` cannot move the cursor, colour the screen or turn the reading
direction of a terminal, whoever wrote it. Units are decimal, as in queries (`size:>10MB`); `MiB` is read, too.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from peerage.catalogue.text import is_showable, showable
from peerage.errors import LocalError

_MAX_SHOWN_BYTES: Final = 8192  # of one cell: a link with eight addresses has about 600
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_AMOUNT: Final = re.compile(r"(\d{1,15}(?:\.\d{1,6})?) ?([kmgt]?)(i?)b?(?:/s)?", re.IGNORECASE | re.ASCII)
_UNLIMITED: Final = frozenset({"0", "off", "none", "unlimited"})


def clean(text: str) -> str:
    """Return text from anywhere, safe to show on a terminal, in one line."""
    return showable(text, _MAX_SHOWN_BYTES)


def json_line(value: object) -> str:
    """Return a value as JSON in one line; what a terminal could obey is escaped, so nothing is lost."""
    text = msgspec.json.encode(value).decode()
    if is_showable(text):
        return text
    return "".join(character if is_showable(character) else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def size(count: float) -> str:
    """Show a number of bytes: 999 B, 1.5 kB, 64.0 MB."""
    if count < 1000:
        return f"{int(count)} B"
    power = 0
    while count >= 999.95 and power < len(_UNITS) - 1:
        count /= 1000
        power += 1
    return f"{count:.1f} {_UNITS[power]}"


def speed(rate: float) -> str:
    """Show bytes a second: 12.5 MB/s."""
    return f"{size(rate)}/s"


def limit(rate: float) -> str:
    """Show a speed limit in bytes a second; 0 stands for none."""
    return speed(rate) if rate else "unlimited"


def duration(seconds: float | None) -> str:
    """Show seconds as a person says them: 0.4 s, 12 s, 3:05 min, 2:07 h, 3 d 4 h; None, which is unknown, as "?"."""
    if seconds is None or seconds != seconds:  # noqa: PLR0124  # the one number that does not equal itself
        return "?"
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(min(seconds, 1e11))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    if whole < 86_400:
        return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def percent(done: int, whole: int) -> str:
    """Show a share of a whole, rounded down, so that 100 % means all of it."""
    return f"{100 * done // whole if whole else 100} %"


def count(number: int, one: str, many: str = "") -> str:
    """Show "1 file", "2 files"; `many` is given where adding an s is wrong."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def short_id(text: str) -> str:
    """Show enough of an id to tell it from the others on the same screen."""
    return f"{text[:10]}…" if len(text) > 10 else text


def parse_rate(text: str) -> int:
    """Read a speed limit, "5MB", "800 kB/s", "2MiB" or "off", as bytes a second (0: none); raises LocalError."""
    if text.strip().lower() in _UNLIMITED:
        return 0
    rate = _amount(text)
    if not rate:
        raise LocalError(f"{text!r} is not a speed: write 5MB, 800kB or 2MiB (a second), or off")
    return rate


def parse_size(text: str) -> int:
    """Read a size, "500kB" or "2MiB", as bytes; raises LocalError."""
    size = _amount(text)
    if not size:
        raise LocalError(f"{text!r} is not a size: write 500kB, 5MB or 2MiB")
    return size


def _amount(text: str) -> int:
    """Return the bytes that a text means, 0 when it means none."""
    match = _AMOUNT.fullmatch(text.strip())
    if not match:
        return 0
    number, unit, binary = match.groups()
    factor: int = (1024 if binary else 1000) ** _POWERS[unit.lower()]
    return round(float(number) * factor)
