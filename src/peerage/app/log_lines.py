"""The lines of a log as text, as JSON, and read back from either.

Invariant: one event is one line, whoever wrote what stands in it; as text, only the lines of a traceback follow,
indented, so that nobody can forge a line by a name with a line break. Text and JSON may be mixed in one file: the form
can change while a node runs. It reads and writes no files itself.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec

from peerage.catalogue.text import is_showable
from peerage.limits import MAX_LOG_CHARS

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
"""What a line can be, the least important first."""

_INDENT: Final = "    "
_TEXT: Final = re.compile(rf"(\d{{4}}-\S{{1,40}}) ({'|'.join(LEVELS)}) +(\S{{1,200}}): (.*)")


class LogLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the log."""

    time: float  # seconds since 1970
    level: str
    logger: str
    message: str
    trace: str = ""


def as_json(line: LogLine) -> str:
    """Return a line as one JSON object."""
    return msgspec.json.encode(line).decode()


def as_text(line: LogLine) -> str:
    """Return a line as a person reads it, with the time of this computer; a traceback follows, indented."""
    when = datetime.fromtimestamp(line.time, UTC).astimezone().isoformat(timespec="milliseconds")
    first = f"{when} {line.level:<7} {line.logger}: {_escaped(line.message)}"
    return "\n".join([first, *(_INDENT + _escaped(below) for below in line.trace.splitlines())])


def matters(line: LogLine, level: str) -> bool:
    """Whether a line is of at least this level; one of a level nobody knows is."""
    return line.level not in LEVELS or LEVELS.index(line.level) >= LEVELS.index(level)


def last_lines(texts: Iterable[str], count: int, level: str = "debug") -> list[LogLine]:
    """Return the last lines of at least this level out of the lines of a log file; what is no line is left out."""
    found: deque[LogLine] = deque(maxlen=count)
    kept = False  # whether what follows belongs to the last line found
    for text in texts:
        if text.startswith(_INDENT):
            if kept:
                found[-1] = _with_trace(found[-1], text.removeprefix(_INDENT).rstrip("\n"))
            continue
        line = _read(text.rstrip("\n"))
        kept = line is not None and matters(line, level)
        if line is not None and kept:
            found.append(line)
    return list(found)


def _read(text: str) -> LogLine | None:
    if text.startswith("{"):
        try:
            return msgspec.json.decode(text, type=LogLine)
        except msgspec.DecodeError:
            return None
    if (found := _TEXT.fullmatch(text)) is None:
        return None
    try:
        when = datetime.fromisoformat(found[1])
    except ValueError:
        return None
    return LogLine(when.timestamp(), found[2], found[3], found[4])


def _with_trace(line: LogLine, below: str) -> LogLine:
    trace = f"{line.trace}\n{below}" if line.trace else below
    return msgspec.structs.replace(line, trace=trace[-MAX_LOG_CHARS:])


def _escaped(text: str) -> str:
    """Return text in one line, with nothing in it that a terminal obeys."""
    if is_showable(text):
        return text
    return "".join(char if is_showable(char) else char.encode("unicode_escape").decode() for char in text)
