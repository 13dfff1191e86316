"""From what a share consists of to the signed records about it.

Invariant: when `update` returns, the own records in the database are those that the entries of all shares call for,
each with the most open visibility that any share gives it; what is unchanged keeps its record. The work is done in
portions; after a crash between two, the share is still CHANGING, and then `republish` looks at every record again. What
is on the disk is not looked at here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final, TypeVar

import msgspec

from peerage.catalogue import share_table
from peerage.catalogue.database import Database, Tables
from peerage.catalogue.record import Description, Record, Visibility, description_of
from peerage.catalogue.shares import Change, Entry
from peerage.identity.keys import PeerKey
from peerage.transport.base import Clock

ItemT = TypeVar("ItemT")

_PORTION: Final = 1000  # entries of one transaction, and records signed in one go: 50 ms


class Item(msgspec.Struct, frozen=True, gc=False):
    """An entry and what its record should say; the visibility in the description is not looked at."""

    entry: Entry
    description: Description


class _Due(msgspec.Struct, frozen=True):
    """What one portion comes to: records to be signed, and records that (some) others must no longer see."""

    wanted: list[Description]
    withdrawn: list[Record]


class Publisher:
    """Keeps entries and records in step, and tells `on_change` what came and went."""

    def __init__(
        self, database: Database, key: PeerKey, clock: Clock, executor: Executor, on_change: Callable[[Change], None]
    ) -> None:
        self._database = database
        self._key = key
        self._clock = clock
        self._executor = executor
        self._on_change = on_change

    async def update(self, share: int, old: Sequence[Entry], new: Sequence[Item], *, republish: bool) -> None:
        """Replace the entries of a share; `old` are those that the database has now.

        `republish`: compare the records of unchanged entries, too, for their visibility may have changed.
        """
        kept = {(item.entry.relative, item.entry.content, item.entry.slot) for item in new}
        await self.withdraw(share, [one for one in old if (one.relative, one.content, one.slot) not in kept])
        known = frozenset() if republish else frozenset(old)
        changed = [item for item in new if item.entry not in known]
        changed.sort(key=lambda item: not item.entry.relative)  # a folder comes after its files
        for portion in _portions(changed):
            await self._settle(await self._database.write(partial(_put, share, portion, self._key.public_key)))

    async def withdraw(self, share: int, entries: Sequence[Entry], *, keep_entries: bool = False) -> None:
        """Take entries back; records that another share calls for, too, stay, perhaps to be seen by fewer.

        `keep_entries`: the share has only vanished for now, and the caller has noted so.
        """
        for portion in _portions(entries):
            await self._settle(await self._database.write(partial(_take_back, share, portion, keep_entries)))

    async def _settle(self, due: _Due) -> None:
        """Sign and store what is wanted, then tell what came and went."""
        issued = int(self._clock.time())
        loop = asyncio.get_running_loop()
        records = await loop.run_in_executor(self._executor, _sign, self._key, due.wanted, issued)
        await self._database.add_own(records)
        if records or due.withdrawn:
            self._on_change(Change(tuple(records), tuple(due.withdrawn)))


def _sign(key: PeerKey, descriptions: Sequence[Description], issued: int) -> list[Record]:
    return [Record.sign(key, description, issued) for description in descriptions]


def _put(share: int, items: Sequence[Item], holder: bytes, tables: Tables) -> _Due:
    """Put entries in place, in the database's thread, and find which records are missing or say something else."""
    due = _Due([], [])
    share_table.put_entries(tables.connection, share, [item.entry for item in items])
    for item in items:
        _compare(tables, item.description, Record.draft(holder, item.description), due)
    return due


def _take_back(share: int, entries: Sequence[Entry], keep_entries: bool, tables: Tables) -> _Due:  # noqa: FBT001
    """Remove entries, in the database's thread, with the records that nothing else calls for."""
    due = _Due([], [])
    if not keep_entries:
        share_table.drop_entries(tables.connection, share, entries)
    for entry in entries:
        record = tables.finder.at(entry.content, entry.slot)
        if record is None:
            continue
        if share_table.visibility_of(tables.connection, entry.content, entry.slot) is None:
            due.withdrawn.append(record)
            tables.records.remove_slots([(entry.content, entry.slot)])
        else:
            _compare(tables, description_of(record), record, due)
    return due


def _compare(tables: Tables, description: Description, draft: Record, due: _Due) -> None:
    """Find out whether the record that the draft should become exists already."""
    slot = draft.slot()
    visibility = share_table.visibility_of(tables.connection, draft.content, slot) or Visibility.PUBLIC
    existing = tables.finder.at(draft.content, slot)
    if existing is not None:
        if description_of(existing) == msgspec.structs.replace(description_of(draft), visibility=visibility):
            return
        if existing.visibility < visibility:
            due.withdrawn.append(existing)
    due.wanted.append(msgspec.structs.replace(description, visibility=visibility))


def _portions(items: Sequence[ItemT]) -> Iterator[Sequence[ItemT]]:
    return (items[start : start + _PORTION] for start in range(0, len(items), _PORTION))
