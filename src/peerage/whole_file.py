"""Small files that are replaced whole: what a node remembers is the old or the new, never half of either.

Invariant: at every moment, also after the end of the process, the path leads to all of the old bytes or to all of the
new ones. The new ones are written beside it, to a file that no other write of this process uses, and moved over it.
Which of two writers ought to be the last is not known here, and no other process is kept away.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_OWNER_ONLY: Final = 0o600
_ORDINARY: Final = 0o666  # less what the umask takes, as for every new file
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

_in_use: Final[set[Path]] = set()  # one for each write that runs now
_choosing: Final = threading.Lock()  # never held while the disk works


def write_whole(path: Path, data: bytes, *, private: bool = False, durable: bool = True) -> None:
    """Replace a file by a whole new one, or leave it as it was; blocks; raises OSError.

    A private file can be read by its owner only, from its first byte. Any other gets the permissions of the file that
    it replaces, less the umask. What is not durable does not wait for the disk: a power cut may leave it empty.
    """
    mode = _OWNER_ONLY if private else _mode_of(path)
    with _name_beside(path) as fresh:
        fresh.unlink(missing_ok=True)  # left by a crash, or a link that somebody laid: that goes, not what it leads to
        try:
            with os.fdopen(os.open(fresh, _NEW, mode), "wb") as file:
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            fresh.replace(path)
        except OSError:
            with suppress(OSError):
                fresh.unlink()
            raise


def _mode_of(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        return _ORDINARY


@contextmanager
def _name_beside(path: Path) -> Iterator[Path]:
    """Lend a name in the same folder: the same one each time, but for two threads that write one file at once."""
    names = (path.with_name(f"{path.name}{number or ''}.new") for number in itertools.count())
    with _choosing:
        name = next(each for each in names if each not in _in_use)
        _in_use.add(name)
    try:
        yield name
    finally:
        with _choosing:
            _in_use.remove(name)
