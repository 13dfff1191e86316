"""The log of a daemon: one JSON object a line, in the home folder, rotated before it grows too large.

Invariant: the log is private to its owner and bounded in size; secrets never reach a logger in the first place.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

import msgspec

from peerage.errors import ConfigError
from peerage.limits import MIB

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


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        trace = _FORMAT.formatException(record.exc_info) if record.exc_info else ""
        line = LogLine(record.created, record.levelname.lower(), record.name, record.getMessage(), trace)
        return msgspec.json.encode(line).decode()


class _PrivateFile(RotatingFileHandler):
    """A rotating file that is made with mode 0600."""

    def _open(self):  # type: ignore[no-untyped-def]  # noqa: ANN202 -- the hook that the class offers
        return open(self.baseFilename, "a", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600))


@contextmanager
def logging_to(path: Path, level: str) -> Iterator[None]:
    """Write what this process logs to a file for the duration of the block; raises ConfigError when that cannot be."""
    try:
        handler = _PrivateFile(path, maxBytes=_MAX_BYTES, backupCount=_KEPT)
    except OSError as error:
        raise ConfigError(f"cannot write the log {path}: {error.strerror}") from error
    handler.setFormatter(_JsonFormatter())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(level.upper())
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        handler.close()
