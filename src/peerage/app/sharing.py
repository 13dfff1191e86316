"""Sharing, as a person does it: by paths and names, with links to hand on.

Invariant: a link names this node as a source only where others can dial it. What is shared, and its hashing, are the
library's business.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Final, Self

import msgspec

from peerage.app import views
from peerage.app.api import models
from peerage.app.naming import Named, UnknownNameError, find
from peerage.catalogue import share_table
from peerage.catalogue.database import Database, Tables
from peerage.catalogue.hash_pool import ProgressCallback
from peerage.catalogue.library import Library
from peerage.catalogue.record import Record, Visibility
from peerage.catalogue.shares import Entry, Progress, Shared
from peerage.errors import AddressError, LocalError, PeerageError
from peerage.identity.keys import ID_CHARS, format_id, parse_id
from peerage.identity.link import ContentLink, LinkSource

_PROGRESS_INTERVAL: Final = 0.2  # seconds between two reports about hashing


class Sharing:
    """What this node shares; `myself` returns how a link names this node."""

    def __init__(self, library: Library, database: Database, myself: Callable[[], tuple[LinkSource, ...]]) -> None:
        self._library = library
        self._database = database
        self._myself = myself
        self.watchers: list[Callable[[], None]] = []  # hear when shares came, changed or went
        library.subscribe(lambda _: self._changed())

    async def share(
        self, path: str | Path, visibility: models.VisibilityName = "public", progress: ProgressCallback | None = None
    ) -> models.Share:
        """Share a file or folder; raises what Library.share does."""
        try:
            return self._view(await self._library.share(Path(path), views.visibility_of(visibility), progress))
        finally:
            self._changed()

    async def share_all(
        self, paths: Sequence[str], visibility: models.VisibilityName
    ) -> AsyncGenerator[models.ShareEvent, None]:
        """Share paths one after the other, and tell how it goes; what cannot be shared does not stop the rest."""
        for path in paths:
            async with _Work(self._library, path, views.visibility_of(visibility)) as work:
                while not work.done:
                    await work.wait(_PROGRESS_INTERVAL)
                    yield _progress(path, work.progress)
                self._changed()
                yield self._outcome(path, work)

    @property
    def count(self) -> int:
        """How many files and folders are shared."""
        return self._library.count

    async def shares(self) -> list[models.Share]:
        """Return what is shared, in the order in which it was."""
        return [self._view(shared) for shared in await self._library.shares()]

    async def unshare(self, said: str) -> models.Share:
        """Stop sharing what a path, a content id, its beginning or a name means; raises LocalError."""
        return (await self.unshare_all([said]))[0]

    async def unshare_all(self, said: Sequence[str]) -> list[models.Share]:
        """Stop sharing all of these, or none when one of them is not shared."""
        found = {shared.path: shared for shared in [await self._find(each) for each in said]}
        try:
            return [self._view(await self._library.unshare(Path(path))) for path in found]
        finally:
            self._changed()

    def _changed(self) -> None:
        for watcher in self.watchers:
            watcher()

    async def link(self, said: str) -> models.ContentLink:
        """Return a link to a share, or to a file inside one; raises LocalError when nothing of the kind is shared."""
        try:
            shared = await self._find(said)
        except UnknownNameError:
            return await self._link_inside(said)
        if shared.content is None:
            raise LocalError(f"{shared.path} is being read; its link is known when that is done")
        return self._link_to(shared.content, shared.name, shared.size)

    async def _find(self, said: str) -> Shared:
        shares = await self._library.shares()
        path = _absolute(said)
        for shared in shares:
            if shared.path in {said, path}:
                return shared
        return find(said, [(_named(shared), shared) for shared in shares], "share")

    async def _link_inside(self, said: str) -> models.ContentLink:
        if len(said) == ID_CHARS and (record := await self._own_record(said)) is not None:
            return self._link_to(record.content, record.name, record.size)
        path = _absolute(said)
        entry = await self._database.read(lambda tables: _entry_at(tables, path))
        if entry is None:
            raise UnknownNameError(f"{said[:200]!r} is not shared; share it with: peerage share PATH")
        return self._link_to(entry.content, Path(entry.path).name, entry.stat.size)

    async def _own_record(self, content_id: str) -> Record | None:
        try:
            content = parse_id(content_id)
        except AddressError:
            return None
        if await self._library.locate(content) is None:
            return None
        return next(iter(await self._database.by_content(content)), None)

    def _link_to(self, content: bytes, name: str, size: int) -> models.ContentLink:
        link = ContentLink(content=content, name=name, size=size, sources=self._myself())
        return models.ContentLink(link=str(link), content_id=format_id(content), name=name, size=size)

    def _outcome(self, path: str, work: _Work) -> models.ShareEvent:
        try:
            shared = work.result()
        except PeerageError as error:
            return models.ShareFailed(path=path, error=str(error))
        return models.Shared(share=self._view(shared), skipped=views.skipped_view(shared))

    def _view(self, shared: Shared) -> models.Share:
        return views.share_view(shared, self._myself())


class _Work:
    """One path being hashed; leaving the block early stops it."""

    def __init__(self, library: Library, path: str, visibility: Visibility) -> None:
        self._library = library
        self._path = path
        self._visibility = visibility
        self.progress = Progress(0, 0, 0, 0)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._library.share(Path(self._path), self._visibility, self._note))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    def _note(self, progress: Progress) -> None:
        self.progress = progress

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._task.done()

    async def wait(self, seconds: float) -> None:
        """Wait for the end, but not for ever."""
        await asyncio.wait([self._task], timeout=seconds)

    def result(self) -> Shared:
        """Return what is shared now, or raise why not."""
        return self._task.result()


def _progress(path: str, progress: Progress) -> models.ShareProgress:
    return models.ShareProgress(path=path, **msgspec.structs.asdict(progress))


def _named(shared: Shared) -> Named:
    return Named(format_id(shared.content) if shared.content else shared.path, shared.name)


def _absolute(said: str) -> str:
    return os.path.abspath(os.path.expanduser(said))  # noqa: PTH100, PTH111 -- links are kept as they are


def _entry_at(tables: Tables, path: str) -> Entry | None:
    """Look for a file inside the shares; runs in the database's thread."""
    for share in share_table.all_shares(tables.connection):
        if path.startswith(share.path + os.sep):
            for entry in share_table.entries_of(tables.connection, share.id):
                if entry.path == path:
                    return entry
    return None
