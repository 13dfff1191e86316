"""The list of shared paths, in a small file beside the database.

Invariant: the file holds either the old list or the new one, whole. It is read only when the database knows of no
share, as after a damaged one was moved aside: all else can be hashed again, but nobody could guess what was shared.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from peerage.catalogue.record import Visibility
from peerage.errors import StoreError
from peerage.whole_file import write_whole

_log = logging.getLogger(__name__)


class ListedShare(msgspec.Struct, frozen=True):
    """A shared path and who may see it."""

    path: str
    visibility: Visibility


def list_path(database: Path) -> Path:
    """Return where the list of a database is kept."""
    return database.with_name(database.name + ".shares.json")


def read_list(path: Path) -> list[ListedShare]:
    """Return the listed shares; nothing when there is no list, or none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[ListedShare])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as error:
        _log.warning("the list of shares %s cannot be read: %s", path, error)
        return []


def write_list(path: Path, shares: Sequence[ListedShare]) -> None:
    """Replace the list; raises StoreError when the disk refuses."""
    try:
        write_whole(path, msgspec.json.format(msgspec.json.encode(shares), indent=1))
    except OSError as error:
        raise StoreError(f"cannot write the list of shares {path}: {error.strerror or error}") from error
