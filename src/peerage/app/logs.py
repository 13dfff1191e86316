"""The log of a daemon: lines of text or JSON in the home folder, rotated before it grows too large.

Invariant: the log is private to its owner and bounded in size; secrets never reach a logger in the first place. What a
line looks like, and how it is read back, is in `log_lines`.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

import msgspec

from peerage.app.config import LogSettings
from peerage.app.log_lines import LogLine, as_json, as_text, last_lines, matters
from peerage.errors import ConfigError
from peerage.limits import LOGS_KEPT, MAX_LOG_CHARS, MIB

_MAX_BYTES: Final = 4 * MIB
_KEPT: Final = 3
_CHATTY: Final = ("httpx", "uvicorn.error", "watchfiles", "zeroconf")  # libraries whose everyday news nobody needs
_FORMAT: Final = logging.Formatter()  # only to write out tracebacks
_FORMS: Final[dict[str, Callable[[LogLine], str]]] = {"text": as_text, "json": as_json}


def _line_of(record: logging.LogRecord) -> LogLine:
    trace = _FORMAT.formatException(record.exc_info) if record.exc_info else ""
    return LogLine(record.created, record.levelname.lower(), record.name, record.getMessage(), trace)


class _Formatter(logging.Formatter):
    """Writes lines in the form that holds now."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form

    def format(self, record: logging.LogRecord) -> str:
        return _FORMS[self.form](_line_of(record))


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
        fitting = (line for line in reversed(self._lines.copy()) if matters(line, level))
        return list(islice(fitting, count))[::-1]


class _PrivateFile(RotatingFileHandler):
    """A rotating file that is made with mode 0600."""

    def _open(self):  # type: ignore[no-untyped-def]  # noqa: ANN202 -- the hook that the class offers
        return open(self.baseFilename, "a", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600))


@contextmanager
def logging_to(path: Path, settings: LogSettings, *, also_stderr: bool = False) -> Iterator[RecentLines]:
    """Write what this process logs to a file for the duration of the block, and give the last lines of it.

    `also_stderr`: to standard error, too, for a journal or a container. Raises ConfigError when that cannot be.
    """
    try:
        file = _PrivateFile(path, maxBytes=_MAX_BYTES, backupCount=_KEPT)
    except OSError as error:
        raise ConfigError(f"cannot write the log {path}: {error.strerror}") from error
    root, recent = logging.getLogger(), RecentLines()
    standard = [logging.StreamHandler(sys.stderr)] if also_stderr else []
    with ExitStack() as stack:
        stack.callback(file.close)
        stack.callback(root.setLevel, root.level)
        for handler in (file, recent, *standard):
            root.addHandler(handler)
            stack.callback(root.removeHandler, handler)
            handler.setFormatter(_Formatter(settings.format))
        for chatty in _CHATTY:
            logging.getLogger(chatty).setLevel(logging.WARNING)
        adjust(settings)
        yield recent


def adjust(settings: LogSettings) -> None:
    """Go on with other settings, in the process that has a log."""
    root = logging.getLogger()
    root.setLevel(settings.level.upper())
    for handler in root.handlers:
        if isinstance(handler.formatter, _Formatter):
            handler.formatter.form = settings.format


def read_log(path: Path, count: int, level: str = "debug") -> list[LogLine]:
    """Return the last lines that a node wrote, also of its last file but one; empty where there is none."""
    files = [path.with_name(f"{path.name}.1"), path]
    with ExitStack() as stack:
        opened = [stack.enter_context(each.open(encoding="utf-8", errors="replace")) for each in files if each.exists()]
        return last_lines(chain.from_iterable(opened), count, level)
