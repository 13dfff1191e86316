"""The supernodes of the last time, in a file of the home folder: the next start begins with them.

Invariant: a file that is missing or damaged means none; a new one replaces the old one whole.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from peerage.app.config import Config
from peerage.limits import SUPERNODES_KNOWN_BACKBONE, Limits
from peerage.overlay.supernode import Capacity, SupernodeAt
from peerage.whole_file import write_whole

if sys.platform != "win32":
    import resource

log = logging.getLogger("peerage.app")

_MOST_BYTES: Final = 256 * 1024  # of the file: far more than so many supernodes need


class SupernodeFile:
    """The file at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Sequence[SupernodeAt]:
        """Return what was saved."""
        try:
            if self._path.stat().st_size > _MOST_BYTES:
                return ()
            return msgspec.json.decode(self._path.read_bytes(), type=list[SupernodeAt])[:SUPERNODES_KNOWN_BACKBONE]
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("cannot read %s, so this start begins without: %s", self._path.name, error)
            return ()

    def save(self, known: Sequence[SupernodeAt]) -> None:
        """Replace what was saved; a disk that is full is no reason to stop."""
        try:
            write_whole(self._path, msgspec.json.encode(list(known)))
        except OSError as error:
            log.warning("cannot write %s: %s", self._path.name, error)


def capacity_of(config: Config, limits: Limits) -> Capacity:
    """Return what this node can give to others, as far as it is configured, and as the system allows."""
    return Capacity(upload=config.limits.up, connections=min(limits.connections, most_files() // 2))


def most_files() -> int:
    """Return how many files and links this process may have open."""
    if sys.platform == "win32":
        return sys.maxsize  # there is no such bound
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if files == resource.RLIM_INFINITY else files
