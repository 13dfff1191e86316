"""All downloads of a node: begun, queued, kept across restarts, and served while they run and after.

Invariant: a content is downloaded once at a time, and no two downloads have one target; at most MAX_ACTIVE_DOWNLOADS
run, the others wait by level and age. How one download goes is its own business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from peerage.content.buffers import BufferPool
from peerage.content.download import Download
from peerage.content.exchange import ContentExchange
from peerage.content.finished import FinishedHolding
from peerage.content.holding import Holding, HoldingCache
from peerage.content.messages import HavePieces, Queued, Unqueued
from peerage.content.rate import RateLimit
from peerage.content.reader import SharedFiles
from peerage.content.source import Source, SourceLink
from peerage.content.status import ENDED, Amount, DownloadState, Wanted
from peerage.content.surroundings import Locate, Surroundings
from peerage.content.transfer_book import BookEntry, TransferBook
from peerage.errors import LimitError, LocalError, RefusedError, StoreError
from peerage.limits import MAX_ACTIVE_DOWNLOADS, MAX_DOWNLOADS, MAX_IN_FLIGHT, MIB
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer
from peerage.wire.message import ErrorCode, Message

log = logging.getLogger("peerage.content")

_DONE: Final = DownloadState.DONE
_TURN: Final = 0.25  # seconds between two looks at what has ended
_NOTE_INTERVAL: Final = 10.0  # seconds between two notes of how running downloads stand
_LEAST_ROOM: Final = MIB  # bytes in flight of a download, however slow it is to be
_SLOW_SECONDS: Final = 4  # of a speed limit's worth are in flight, so that few sources do not wait for many


async def locate_nowhere(_content: bytes) -> AsyncIterator[Source]:
    """Know no further sources: what a node without overlays does."""
    nobody: tuple[Source, ...] = ()
    for source in nobody:
        yield source


class Transfers(Service):
    """The downloads of one node; `folder` keeps what a restart needs."""

    name = "transfers"

    def __init__(self, exchange: ContentExchange, folder: Path, locate: Locate = locate_nowhere) -> None:
        self.watchers: list[Callable[[bytes], None]] = []  # hear which download is new, has changed or is gone
        self.rate = RateLimit(0, 0.0)  # from the beginning: others measure it while a long list is still being read
        self._exchange = exchange
        self._book = TransferBook(folder)
        self._locate = locate
        self._downloads: dict[bytes, Download] = {}
        self._entries: dict[bytes, BookEntry] = {}
        self._reader = SharedFiles()
        self._finished = HoldingCache()
        self._next_notes = 0.0

    # --- service ------------------------------------------------------------------------------------------------

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Hear what sources say about their pieces and queues."""
        return ((HavePieces, self._on_have), (Queued, self._on_queued), (Unqueued, self._on_unqueued))

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Begin what waits, keep the book."""
        return (Stabilizer(self._turn, _TURN),)

    async def start(self) -> None:
        """Take up what the last run left."""
        self._surroundings = Surroundings(
            peer=self.peer,
            buffers=BufferPool(),
            rate=self.rate,
            locate=self._locate,
            load_manifest=self._book.manifest,
            save_manifest=self._book.save_manifest,
            changed=self._serve_anew,
            noted=self._noted,
        )
        for entry in await self.peer.in_thread(self._book.load):
            self._take_up(entry)
        self._exchange.finders.append(self.find)
        self._exchange.listeners.append(self._heard_want)

    async def stop(self) -> None:
        """Stop all downloads in order; what they have is kept."""
        self._exchange.finders.remove(self.find)
        self._exchange.listeners.remove(self._heard_want)
        await asyncio.gather(*(download.close() for download in self._downloads.values()))
        for content in self._downloads:
            await self._note(content)
        self._reader.close()

    # --- for people ---------------------------------------------------------------------------------------------

    async def add(self, wanted: Wanted, sources: Sequence[Source] = (), level: int = 0) -> Download:
        """Begin a download, or return the one that is under way; an ended one begins again.

        Raises LocalError when the content or the target is taken by another download, LimitError when there are too
        many, StoreError when it cannot be noted.
        """
        download = self._downloads.get(wanted.content)
        if download is None or download.state in ENDED:
            download = await self._begin(wanted, (*sources, *(download.swarm.sources if download else ())), level)
        elif (download.wanted.target, download.wanted.only) != (wanted.target, wanted.only):
            raise LocalError(f"this content is being downloaded to {download.wanted.target} already; cancel that first")
        for source in sources:
            download.add_source(source)
        return download

    def all(self) -> list[Download]:
        """Return every listed download, the oldest first."""
        return list(self._downloads.values())

    def get(self, content: bytes) -> Download:
        """Return one download; raises LocalError when there is none."""
        download = self._downloads.get(content)
        if download is None:
            raise LocalError("no such download; see: peerage transfers")
        return download

    def listed(self, content: bytes) -> Download | None:
        """Return one download, None when there is none."""
        return self._downloads.get(content)

    async def pause(self, content: bytes) -> None:
        """Stop one, and keep what it has."""
        await self.get(content).pause()
        await self._note(content)
        self._begin_waiting()

    async def resume(self, content: bytes) -> None:
        """Go on with one that was paused or failed."""
        download = self.get(content)
        if download.state in {DownloadState.PAUSED, DownloadState.FAILED}:
            download.enqueue()
            self._begin_waiting()
            await self._note(content)

    async def cancel(self, content: bytes) -> None:
        """Give one up and remove what is unfinished; a finished one only leaves the list.

        It leaves the list in any case; StoreError says that something of it could not be removed.
        """
        download = self.get(content)
        try:
            await download.cancel()
        finally:
            if self._downloads.get(content) is download:
                del self._downloads[content], self._entries[content]
                self._noted(content)
                self._exchange.forget([content])
                self._begin_waiting()
                await self.peer.in_thread(self._book.remove, content)

    def set_level(self, content: bytes, level: int) -> None:
        """Let one begin sooner (higher) or later."""
        self.get(content)
        self._entries[content] = msgspec.structs.replace(self._entries[content], level=level)
        self._begin_waiting()

    def set_limits(self, down: int, up: int) -> None:
        """Limit the speed of all downloads and uploads, in bytes a second; 0 is no limit."""
        now = asyncio.get_running_loop().time()
        self.rate.change(down, now)
        self._exchange.rate.change(up, now)
        self._share_room()

    # --- for the exchange -----------------------------------------------------------------------------------------

    async def find(self, content: bytes) -> Holding | None:
        """Return what can be served of a content that is being, or was, downloaded."""
        download = self._downloads.get(content)
        running = download.holding() if download is not None else None
        entry = self._entries.get(content)
        files = (download.placed if download is not None else ()) or (entry.files if entry is not None else ())
        if running is not None or entry is None or not files or download is None or download.state is not _DONE:
            return running
        known = self._finished.get(content, files)
        if known is not None:
            return known
        manifest = await self.peer.in_thread(self._book.manifest, content)
        if not manifest:
            return None
        place = (content, manifest, files, self._reader, entry.visibility)
        made = await self.peer.in_thread(FinishedHolding, *place)
        self._finished.put(content, files, made)
        return made

    def holds(self, content: bytes) -> bool:
        """Say whether some of a content can be had from here because it is, or was, downloaded."""
        download = self._downloads.get(content)
        entry = self._entries.get(content)
        return (download is not None and download.holding() is not None) or (entry is not None and entry.done)

    def _noted(self, content: bytes) -> None:
        for watcher in self.watchers:
            watcher(content)

    def _serve_anew(self, content: bytes) -> None:
        try:
            self.peer.spawn(self._exchange.refresh(content), "refresh")
        except LimitError:
            log.info("too busy to tell others what can be had from here now; they will ask again")

    def _heard_want(self, connection: PeerConnection, content: bytes) -> None:
        """Somebody else wants what is being downloaded here: so it will have some of it, too."""
        download = self._downloads.get(content)
        known = self.peer.table.get(connection.peer_id)
        if download is not None and download.is_active and known is not None and known.addresses:
            download.add_source(Source(connection.peer_id, known.addresses))

    # --- what sources say -----------------------------------------------------------------------------------------

    def _on_have(self, connection: PeerConnection, message: HavePieces) -> None:
        download = self._downloads.get(message.content)
        link = download.swarm.link(connection.peer_id) if download else None
        if link is not None and link.connection is connection:
            link.gained(message.indices)

    def _on_queued(self, connection: PeerConnection, _message: Queued) -> None:
        self._source_link(connection).queued()

    def _on_unqueued(self, connection: PeerConnection, _message: Unqueued) -> None:
        self._source_link(connection).unqueued()

    def _source_link(self, connection: PeerConnection) -> SourceLink:
        for download in self._downloads.values():
            link = download.swarm.link(connection.peer_id)
            if link is not None and link.connection is connection:
                return link
        raise RefusedError(ErrorCode.BAD_REQUEST, "nothing is asked of you here")

    # --- beginning ------------------------------------------------------------------------------------------------

    async def _begin(self, wanted: Wanted, sources: Sequence[Source], level: int) -> Download:
        """List a new download, in the place of an ended one of the same content."""
        if any(each.wanted.target == wanted.target and each.state not in ENDED for each in self._downloads.values()):
            raise LocalError(f"another download goes to {wanted.target} already; choose another folder")
        if wanted.content not in self._downloads and len(self._downloads) >= MAX_DOWNLOADS:
            raise LimitError("MAX_DOWNLOADS", "ours", f"{MAX_DOWNLOADS} downloads are listed; remove finished ones")
        download = self._downloads[wanted.content] = Download(wanted, self._surroundings)
        self._noted(wanted.content)
        for source in sources:
            download.add_source(source)
        entry = self._entries[wanted.content] = BookEntry(
            content=wanted.content,
            target=str(wanted.target),
            only=wanted.only,
            size=wanted.size,
            visibility=wanted.visibility,
            added=self.peer.clock.time(),
            level=level,
            sources=download.swarm.sources,
        )
        try:
            await self.peer.in_thread(self._book.save, entry)
        except StoreError:
            if self._downloads.get(wanted.content) is download:
                del self._downloads[wanted.content], self._entries[wanted.content]
                self._noted(wanted.content)
            raise
        self._begin_waiting()
        return download

    def _take_up(self, entry: BookEntry) -> None:
        target, visibility = Path(entry.target), entry.visibility
        wanted = Wanted(content=entry.content, target=target, only=entry.only, size=entry.size, visibility=visibility)
        download = Download(wanted, self._surroundings, entry.rules)
        download.amount = Amount(entry.wanted if entry.wanted is not None else entry.size, entry.got)
        for source in entry.sources:
            download.add_source(source)
        if entry.done:
            download.restore(DownloadState.DONE)
        elif entry.error:
            download.restore(DownloadState.FAILED, StoreError(entry.error))
        elif entry.paused:
            download.restore(DownloadState.PAUSED)
        self._downloads[entry.content] = download
        self._entries[entry.content] = entry

    def _begin_waiting(self) -> None:
        """Start downloads while there is room, the most urgent first."""
        active = sum(download.is_active for download in self._downloads.values())
        waiting = [
            each for each in self._downloads.values() if each.state is DownloadState.QUEUED and not each.is_active
        ]
        waiting.sort(key=lambda each: -self._entries[each.content_id].level)
        for download in waiting[: max(0, MAX_ACTIVE_DOWNLOADS - active)]:
            try:
                download.start()
            except LimitError as error:
                log.info("%s waits: %s", download.wanted.target.name, error)
        self._share_room()

    def _share_room(self) -> None:
        """Divide the memory for pieces in flight among the downloads that run."""
        active = [download for download in self._downloads.values() if download.is_active]
        room = MAX_IN_FLIGHT // max(len(active), 1)
        if self.rate.rate:
            room = min(room, max(_SLOW_SECONDS * self.rate.rate // max(len(active), 1), _LEAST_ROOM))
        for download in active:
            download.set_room(room)

    # --- the book -------------------------------------------------------------------------------------------------

    async def _turn(self) -> None:
        """Note downloads that have ended since the last look, now and then the others too, and begin what waits."""
        now = asyncio.get_running_loop().time()
        all_of_them = now >= self._next_notes
        if all_of_them:
            self._next_notes = now + _NOTE_INTERVAL
        for content, download in list(self._downloads.items()):
            entry = self._entries[content]
            ended = download.state in ENDED and not download.is_active and not entry.done and not entry.error
            if ended or (all_of_them and download.is_active):
                await self._note(content)
        self._begin_waiting()

    async def _note(self, content: bytes) -> None:
        """Write down how a download stands."""
        download, entry = self._downloads.get(content), self._entries.get(content)
        if download is None or entry is None:
            return
        noted = _entry_of(download, entry)
        if noted == entry:
            return
        self._entries[content] = noted
        try:
            await self.peer.in_thread(self._book.save, noted)
        except StoreError as error:
            log.warning("how %s stands could not be noted: %s", download.wanted.target.name, error)
        if content not in self._entries:  # it was cancelled meanwhile
            await self.peer.in_thread(self._book.remove, content)
        if noted.done and not entry.done:
            self._serve_anew(content)


def _entry_of(download: Download, entry: BookEntry) -> BookEntry:
    """Return what is to be kept of a download."""
    resting = not download.is_active
    amount = download.measure() if resting else Amount(entry.wanted, entry.got)
    return msgspec.structs.replace(
        entry,
        size=download.space.size if download.space is not None else entry.size,
        rules=download.rules,
        wanted=amount.wanted,
        got=amount.done,
        paused=download.state is DownloadState.PAUSED,
        error=str(download.error) if download.state is DownloadState.FAILED else "",
        sources=download.swarm.sources,
        done=download.state is DownloadState.DONE,
        files=download.placed or entry.files,
    )
