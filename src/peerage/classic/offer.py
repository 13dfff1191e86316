"""What this node offers to old peers: its public files, under names that the wire of 2007 can carry.

Invariant: only a file that is shared as public, and still is what was hashed, is ever opened; a name from the wire is
looked up among their names and never used as a path. Memory does not grow with the file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple, Protocol

from peerage.catalogue.public_files import PublicFile
from peerage.catalogue.shares import SharedFile
from peerage.classic.file_names import (
    MAX_WIRE_NAME,
    WireName,
    from_wire,
    is_sendable,
    short_id,
    to_wire,
    to_wire_with_id,
)
from peerage.content.reader import SharedFile as FileOnDisk
from peerage.content.reader import SharedFiles
from peerage.limits import CLASSIC_CHUNK

_MOST: Final = 2 * MAX_WIRE_NAME


class FileNames(Protocol):
    """Who knows the public files: catalogue.public_files."""

    async def containing(self, part: str, limit: int) -> Sequence[PublicFile]:
        """Return files whose name contains `part`."""

    async def named(self, name: str) -> Sequence[SharedFile]:
        """Return files of exactly this name."""


class Opened(NamedTuple):
    """A file that can be read, in chunks."""

    size: int
    read: Callable[[int, memoryview], None]  # fill a buffer from an offset; blocks, raises StoreError


class Offer:
    """The public files of one node."""

    def __init__(self, files: FileNames, reader: SharedFiles) -> None:
        self._files = files
        self._reader = reader
        self._look_up = asyncio.Semaphore(1)  # at a time: a search of the owner waits for no more than one of these

    async def names(self, key: str, limit: int) -> list[str]:
        """Return the wire names of at most `limit` files whose name contains the key, in upper or lower case."""
        async with self._look_up:
            found = await self._files.containing(from_wire(key).name, limit)
        names = (to_wire(each.name) if each.alone else to_wire_with_id(each.name, each.file.content) for each in found)
        return [name for name in names if is_sendable(name)]

    async def open(self, wire: str) -> Opened | None:
        """Return the file of a name on the wire, or of a name as it is here; None when there is none.

        Java sends blanks round it.
        """
        if len(wire) > _MOST:
            return None
        for wanted in dict.fromkeys((from_wire(wire), from_wire(wire.strip()), WireName(wire))):
            for file in await self._named(wanted.name):
                if not wanted.content or short_id(file.content) == wanted.content:
                    on_disk = FileOnDisk(file.path, file.stat)
                    return Opened(file.stat.size, partial(self._reader.read, on_disk))
        return None

    async def _named(self, name: str) -> Sequence[SharedFile]:
        if not name:
            return ()
        async with self._look_up:
            return await self._files.named(name)


def chunks_of(size: int) -> range:
    """Return the offsets of a file's chunks."""
    return range(0, size, CLASSIC_CHUNK)
