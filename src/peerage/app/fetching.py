"""Downloading, as a person does it: by a link, a hit, the number of a hit, or an id; into a folder.

Invariant: a name from elsewhere becomes a path only through content/names.py. What is not known of a content (its
sources, its size) is looked for by the download itself.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final, NamedTuple

from peerage.app import old_hits, views
from peerage.app.api import models
from peerage.app.api.event_models import EventsBegan, EventsReload
from peerage.app.classic_port import ClassicPort
from peerage.app.events import EventHub, Numbered
from peerage.app.naming import Named, UnknownNameError, find
from peerage.app.recent import RecentHits
from peerage.catalogue.library import Library
from peerage.classic.downloads import OldDownload
from peerage.classic.links import OldLink, is_old_link, parse_old_link
from peerage.content.download import ENDED, Download, DownloadState, Wanted
from peerage.content.names import safe_name
from peerage.content.source import Source
from peerage.content.transfers import Transfers
from peerage.errors import AddressError, LocalError, StoreError, TargetExistsError
from peerage.identity.address import Address
from peerage.identity.keys import ID_CHARS, PeerId, format_id, parse_id
from peerage.identity.link import ContentLink, LinkSource, is_link, parse_link
from peerage.overlay.base import LocateRequest
from peerage.overlay.planner import Planner
from peerage.peer.peer import Peer

RESTING: Final = frozenset({"done", "failed", "paused", "cancelled"})


class FetchParts(NamedTuple):
    """What downloading needs: `folder` is where downloads go, `myself` how a link names this node.

    `meet` is told of the peers that links name: they may become neighbours.
    """

    peer: Peer
    transfers: Transfers
    library: Library
    recent: RecentHits
    folder: Callable[[], Path]
    myself: Callable[[], tuple[LinkSource, ...]]
    meet: Callable[[PeerId, tuple[Address, ...]], None]
    classic: ClassicPort
    events: EventHub


AnyDownload = Download | OldDownload
"""From peers, or from a peer of 2007."""


class Fetching:
    """The downloads of this node."""

    def __init__(self, parts: FetchParts) -> None:
        self._parts = parts
        self._transfers = parts.transfers
        self._shown: dict[bytes, models.Transfer] = {}  # those that rest, until they change
        self._shown_for: tuple[LinkSource, ...] = ()
        self._transfers.watchers.append(self._changed)

    async def get(
        self, target: str | models.Hit, into: str | Path | None = None, only: str | None = None
    ) -> AnyDownload:
        """Begin a download, or go on with the one that is listed; see `models.GetBody` for what a target can be."""
        link = self._meant(target)
        if isinstance(link, OldLink):
            folder = _absolute(into) if into is not None else self._parts.folder()
            await self._parts.peer.in_thread(_check_folder, folder)
            return self._parts.classic.get(link, folder)
        listed = self._transfers.listed(link.content)
        if listed is not None and into is None and only in {None, listed.wanted.only}:
            return await self._again(listed, link)
        await self._check_not_mine(link)
        folder = _absolute(into) if into is not None else self._parts.folder()
        path = folder / safe_name(link.name or format_id(link.content)[:16])
        wanted = Wanted(content=link.content, target=path, only=only or "", size=link.size)
        if listed is None:
            await self._parts.peer.in_thread(_check_folder, folder)
        return await self._transfers.add(wanted, self._sources(link))

    async def pause(self, said: str) -> AnyDownload:
        """Stop a download and keep what it has; raises LocalError when it has ended."""
        download = self.find(said)
        if isinstance(download, OldDownload):
            if download.state in ENDED:
                raise LocalError(f"{download.target.name} is {download.state.value}; there is nothing to pause")
            await self._parts.classic.downloads.stop_one(download, DownloadState.PAUSED)
            return download
        if download.state in {DownloadState.DONE, DownloadState.FAILED, DownloadState.CANCELLED}:
            raise LocalError(f"{download.status().name} is {download.state.value}; there is nothing to pause")
        await self._transfers.pause(download.content_id)
        return download

    async def resume(self, said: str) -> AnyDownload:
        """Go on with a download that was paused or failed; one that runs is left alone."""
        download = self.find(said)
        if isinstance(download, OldDownload):
            self._parts.classic.downloads.resume(download)
            return download
        if download.state is DownloadState.DONE:
            raise LocalError(f"{download.status().name} is complete already: {download.status().path}")
        await self._transfers.resume(download.content_id)
        return download

    async def cancel(self, said: str) -> AnyDownload:
        """Give a download up and delete what is unfinished; a finished one only leaves the list."""
        download = self.find(said)
        if isinstance(download, OldDownload):
            await self._parts.classic.downloads.stop_one(download, DownloadState.CANCELLED)
            return download
        await self._transfers.cancel(download.content_id)
        return download

    def named(self, said: str) -> tuple[bytes, str]:
        """Return the content id and the name of the download that somebody means; raises LocalError."""
        download = self.find(said)
        if isinstance(download, OldDownload):
            raise LocalError("it comes from an old peer, and nobody else knows it")
        return download.content_id, download.status().name

    def find(self, said: str) -> AnyDownload:
        """Return the download that a link, an id, its beginning or a name means; raises LocalError."""
        old = self._parts.classic.downloads.all()
        if is_old_link(said):
            said = format_id(parse_old_link(said).place_id)
        if is_link(said):
            return self._transfers.get(parse_link(said).content)
        if len(said) == ID_CHARS and (listed := self._listed(_id_or_nothing(said))) is not None:
            return listed  # as programs say it: nothing else is looked at
        items: list[tuple[Named, AnyDownload]] = [
            (Named(format_id(each.content_id), each.wanted.target.name), each) for each in self._transfers.all()
        ]
        items += [(Named(format_id(each.content_id), each.target.name), each) for each in old]
        return find(said, items, "transfer")

    @property
    def unfinished(self) -> int:
        """How many downloads have not ended."""
        old = self._parts.classic.downloads.all()
        return self._transfers.unfinished + sum(each.state not in ENDED for each in old)

    def view(self, download: AnyDownload) -> models.Transfer:
        """Show a download."""
        if isinstance(download, OldDownload):
            return old_hits.transfer_view(download)
        if (myself := self._parts.myself()) != self._shown_for:
            self._shown_for = myself
            self._shown.clear()
        shown = self._shown.get(download.content_id)
        if shown is None:
            shown = views.transfer_view(download, self._shown_for)
            if not download.is_active and self._transfers.listed(download.content_id) is download:
                self._shown[download.content_id] = shown
        return shown

    def views(self) -> list[models.Transfer]:
        """Show all downloads, the oldest first."""
        return [*map(self.view, self._transfers.all()), *map(self.view, self._parts.classic.downloads.all())]

    async def progress(self, download: AnyDownload) -> AsyncGenerator[models.TransferEvent | None, None]:
        """Show a download whenever it has changed, until it rests; None now and then while nothing changes."""
        async with aclosing(self._parts.events.follow(["transfers"])) as changes:
            async for change in changes:
                view = self._view_after(change, download)
                if change is None or view is not None:
                    yield view
                if self._listed(download.content_id) is not download or (view and view.transfer.state in RESTING):
                    return

    def look(self, content: bytes) -> models.Transfer | None:
        """Show the download of a content; None when there is none."""
        download = self._listed(content)
        return self.view(download) if download is not None else None

    # --- inside -------------------------------------------------------------------------------------------------

    def _changed(self, content: bytes) -> None:
        self._shown.pop(content, None)

    def _listed(self, content: bytes) -> AnyDownload | None:
        old = (each for each in self._parts.classic.downloads.all() if each.content_id == content)
        return self._transfers.listed(content) or next(old, None)

    def _view_after(self, change: Numbered | None, download: AnyDownload) -> models.TransferEvent | None:
        """Show a download at the beginning, and behind a change of its own."""
        event = change.event if change is not None else None
        if isinstance(event, EventsBegan | EventsReload):
            return models.TransferEvent(transfer=self.view(download))
        if isinstance(event, models.TransferEvent) and event.transfer.content_id == format_id(download.content_id):
            return event
        return None

    def _meant(self, target: str | models.Hit) -> ContentLink | OldLink:
        if isinstance(target, models.Hit):
            latest = self._parts.recent.of_content(target.content_id)
            return _parsed((latest or target).link)
        if is_link(target) or is_old_link(target):
            return _parsed(target)
        said = target.strip()
        if said.isascii() and said.isdigit():
            return self._numbered(int(said) if len(said) < 6 else 0)
        return self._said(said)

    def _numbered(self, number: int) -> ContentLink | OldLink:
        hit = self._parts.recent.get(number)
        if hit is None:
            raise LocalError(f"the last search has no hit {number}; search again, or use a link")
        return _parsed(hit.link)

    def _said(self, said: str) -> ContentLink | OldLink:
        """Take an id, its beginning or a name: of a hit, or of a download that is listed."""
        try:
            return _parsed(self._parts.recent.find(said).link)
        except UnknownNameError:
            pass
        try:
            return _parsed(self.view(self.find(said)).link)
        except UnknownNameError:
            pass
        if len(said) == ID_CHARS:
            return ContentLink(content=parse_id(said))
        raise AddressError(f"{said[:100]!r} is neither a link nor a content id nor a hit of the last search")

    async def _again(self, listed: Download, link: ContentLink) -> Download:
        for source in self._sources(link):
            listed.add_source(source)
        if listed.state in {DownloadState.PAUSED, DownloadState.FAILED}:
            await self._transfers.resume(listed.content_id)
        return listed

    async def _check_not_mine(self, link: ContentLink) -> None:
        shared = await self._parts.library.locate(link.content)
        if shared is not None and shared.files:
            raise LocalError(f"this node shares that itself: {shared.files[0].path}")

    def _sources(self, link: ContentLink) -> Sequence[Source]:
        """Return the peers a link names, each with all addresses known of it, and without the banned ones."""
        places: dict[PeerId, list[Address]] = {}
        for source in link.sources:
            places.setdefault(source.peer_id, []).append(source.address)
        sources = []
        for peer_id, named in places.items():
            known = self._parts.peer.table.get(peer_id)
            if known is None or not known.banned:
                self._parts.meet(peer_id, tuple(named))
                merged = (*named, *(known.addresses if known is not None else ()))
                sources.append(Source(peer_id, tuple(dict.fromkeys(merged))))
        return sources


def _parsed(link: str) -> ContentLink | OldLink:
    return parse_old_link(link) if is_old_link(link) else parse_link(link)


class Locator:
    """Where a content can be had, for downloads that need more sources: by need, as a search."""

    def __init__(self, peer: Peer, planner: Planner) -> None:
        self._peer = peer
        self._planner = planner

    async def __call__(self, content: bytes) -> AsyncIterator[Source]:
        """Find holders, each of them once."""
        async with self._planner.locate(LocateRequest(content_id=content)) as holders:
            async for holder in holders:
                known = self._peer.table.get(holder.peer_id)
                if holder.peer_id == self._peer.peer_id or (known is not None and known.banned):
                    continue
                yield Source(holder.peer_id, holder.addresses)


def _id_or_nothing(said: str) -> bytes:
    try:
        return parse_id(said)
    except AddressError:
        return b""


def _absolute(folder: str | Path) -> Path:
    return Path(folder).expanduser().absolute()


def _check_folder(folder: Path) -> None:
    """Make the folder of a new download, or say at once why it cannot be used; blocks."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise TargetExistsError(f"{folder} is a file; choose a folder with --into") from error
    except OSError as error:
        raise StoreError(f"cannot use the folder {folder}: {error.strerror}") from error
