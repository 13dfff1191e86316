"""The log of a daemon: one JSON object a line, in the home folder, rotated before it grows too large.

Invariant: the log is private to its owner and bounded in size; secrets never reach a logger in the first place.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

import msgspec

from peerage.errors import ConfigError
from peerage.limits import LOGS_KEPT, MAX_LOG_CHARS, MIB

_MAX_BYTES: Final = 4 * MIB
_KEPT: Final = 3
_CHATTY: Final = ("uvicorn.error", "watchfiles", "zeroconf")  # libraries whose everyday news nobody needs
_FORMAT: Final = logging.Formatter()  # only to write out tracebacks


class LogLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the log."""

    time: float  # seconds since 1970
    level: str
    logger: str
    message: str
    trace: str = ""


def _line_of(record: logging.LogRecord) -> LogLine:
    trace = _FORMAT.formatException(record.exc_info) if record.exc_info else ""
    return LogLine(record.created, record.levelname.lower(), record.name, record.getMessage(), trace)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return msgspec.json.encode(_line_of(record)).decode()


class RecentLines(logging.Handler):
    """The last lines of the log, in memory; a line is kept as long as there are not LOGS_KEPT later ones."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[LogLine] = deque(maxlen=LOGS_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line."""
        line = _line_of(record)
        message, trace = line.message[:MAX_LOG_CHARS], line.trace[-MAX_LOG_CHARS:]
        self._lines.append(msgspec.structs.replace(line, message=message, trace=trace))

    def last(self, count: int, level: str = "debug") -> list[LogLine]:
        """Return the last lines of at least this level, the oldest first."""
        least = logging.getLevelName(level.upper())
        fitting = (line for line in reversed(self._lines.copy()) if logging.getLevelName(line.level.upper()) >= least)
        return list(islice(fitting, count))[::-1]


class _PrivateFile(RotatingFileHandler):
    """A rotating file that is made with mode 0600."""

    def _open(self):  # type: ignore[no-untyped-def]  # noqa: ANN202 -- the hook that the class offers
        return open(self.baseFilename, "a", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600))


@contextmanager
def logging_to(path: Path, level: str) -> Iterator[RecentLines]:
    """Write what this process logs to a file for the duration of the block, and give the last lines of it.

    Raises ConfigError when that cannot be.
    """
    try:
        handler = _PrivateFile(path, maxBytes=_MAX_BYTES, backupCount=_KEPT)
    except OSError as error:
        raise ConfigError(f"cannot write the log {path}: {error.strerror}") from error
    handler.setFormatter(_JsonFormatter())
    root = logging.getLogger()
    before = root.level
    recent = RecentLines()
    root.addHandler(handler)
    root.addHandler(recent)
    root.setLevel(level.upper())
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        yield recent
    finally:
        root.removeHandler(handler)
        root.removeHandler(recent)
        root.setLevel(before)
        handler.close()
