"""From a path on the disk to the items that a share consists of.

Invariant: an item's content and `FileStat` belong together: they come from one reading of the file, now or earlier.
Files that give nothing are listed as skipped, and the folder is made of the others. What is done with the items is not
known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from peerage.catalogue import share_table
from peerage.catalogue.database import Database, Tables
from peerage.catalogue.hash_pool import HashPool, ProgressCallback
from peerage.catalogue.hashing import FileStat, FolderEntry, Found, Hashed, HashedContent, Skipped
from peerage.catalogue.media_type import FOLDER_MIME, mime_of
from peerage.catalogue.publisher import Item
from peerage.catalogue.record import Description, Kind, Record
from peerage.catalogue.share_table import KnownHash
from peerage.catalogue.shares import Entry
from peerage.catalogue.walk import Scan, scan
from peerage.errors import StoreError

_PORTION: Final = 2000  # manifests read from the database in one go


class Taken(msgspec.Struct, frozen=True):
    """What a shared path consists of: an item for each file, and one for the folder itself with relative path ""."""

    items: list[Item]
    kind: Kind
    content: bytes
    size: int  # bytes of all files
    files: int
    skipped: tuple[Skipped, ...]
    skipped_count: int


class Intake:
    """Takes in shared paths; `holder` is the public key that the records will carry."""

    def __init__(self, database: Database, pool: HashPool, holder: bytes) -> None:
        self._database = database
        self._pool = pool
        self._holder = holder

    async def take(self, scanned: Scan, root: Path, old: Sequence[Entry], progress: ProgressCallback | None) -> Taken:
        """Hash what is not known yet, and put it together. `old` are the entries that the share has now.

        Raises StoreError when a single file cannot be read, and what the database and the hasher raise.
        """
        known = await self._database.read(lambda tables: share_table.known_hashes(tables.connection, str(root)))
        fresh = [one for one in scanned.files if one.path not in known or known[one.path].stat != one.stat]
        for one in fresh:
            known.pop(one.path, None)

        async def keep(hashed: list[Hashed]) -> None:
            await self._database.write(lambda tables: share_table.put_hashes(tables.connection, hashed))
            for one in hashed:
                known[one.found.path] = KnownHash(one.content.content, one.found.stat, one.meta)

        skipped = await self._pool.hash_files(fresh, keep, progress)
        usable = [one for one in scanned.files if one.path in known]
        items = [self._file_item(root, one, known[one.path]) for one in usable]
        if not scanned.folder:
            if not items:
                raise StoreError(f"cannot share {root}: {skipped[0].reason if skipped else 'it cannot be read'}")
            only = items[0].entry
            return Taken(items, Kind.FILE, only.content, only.stat.size, 1, (), 0)
        folder = await self._folder_item(root, items, old)
        return Taken(
            [*items, folder],
            Kind.FOLDER,
            folder.entry.content,
            folder.description.size,
            len(items),
            (*scanned.skipped, *skipped),
            scanned.skipped_count + len(skipped),
        )

    def _file_item(self, root: Path, found: Found, known: KnownHash) -> Item:
        *folders, name = (root.name, *found.relative.split("/")) if found.relative else (root.name,)
        description = Description(
            content=known.content,
            name=name,
            size=known.stat.size,
            mime=mime_of(name),
            path=tuple(folders),
            meta=known.meta,
        )
        return self._item(description, found.relative, found.path, known.stat)

    async def _folder_item(self, root: Path, items: Sequence[Item], old: Sequence[Entry]) -> Item:
        """Return the item of the folder itself; it is only put together anew when a file in it changed."""
        size = sum(item.entry.stat.size for item in items)
        files = [(item.entry.relative, item.entry.content) for item in items]
        before = next((entry for entry in old if not entry.relative and entry.kind is Kind.FOLDER), None)
        if before is not None and files == [(entry.relative, entry.content) for entry in old if entry.relative]:
            content = before.content
        else:
            content = (await self._combine(items)).content
        description = Description(content=content, kind=Kind.FOLDER, name=root.name, size=size, mime=FOLDER_MIME)
        return self._item(description, "", str(root), FileStat(size, 0, 0, 0))

    async def _combine(self, items: Sequence[Item]) -> HashedContent:
        manifests: dict[bytes, bytes] = {}
        for portion in _portions([item.entry.content for item in items]):
            manifests |= await self._database.read(partial(_manifests, portion))
        entries = [
            FolderEntry(entry.relative, HashedContent(entry.content, entry.stat.size, manifests[entry.content]))
            for entry in (item.entry for item in items)
        ]
        folder = await self._pool.combine(entries)
        await self._database.write(lambda tables: share_table.put_manifests(tables.connection, [folder]))
        return folder

    def _item(self, description: Description, relative: str, path: str, stat: FileStat) -> Item:
        slot = Record.draft(self._holder, description).slot()
        return Item(Entry(relative, path, description.kind, description.content, slot, stat), description)


def _manifests(contents: Sequence[bytes], tables: Tables) -> dict[bytes, bytes]:
    return share_table.manifests_of(tables.connection, contents)


def _portions(contents: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (contents[start : start + _PORTION] for start in range(0, len(contents), _PORTION))


async def scan_in(executor: Executor, root: Path, private: Path | None) -> Scan:
    """Look through a path in a thread; raises what `walk.scan` raises."""
    return await asyncio.get_running_loop().run_in_executor(executor, scan, root, private)
