"""All downloads of a node: begun, queued, kept across restarts, and served while they run and after.

Invariant: a content is downloaded once at a time; at most MAX_ACTIVE_DOWNLOADS run, the others wait by level and age.
How one download goes is its own business.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from peerage.content.buffers import BufferPool
from peerage.content.download import ENDED, Download, DownloadState, Surroundings, Wanted
from peerage.content.exchange import ContentExchange
from peerage.content.finished import FinishedHolding, placed_files
from peerage.content.holding import Holding
from peerage.content.messages import HavePieces, Queued, Unqueued
from peerage.content.rate import RateLimit
from peerage.content.reader import SharedFiles
from peerage.content.source import Source
from peerage.content.swarm import Locate
from peerage.content.transfer_book import BookEntry, TransferBook
from peerage.errors import LimitError, LocalError, PeerageError, StoreError
from peerage.limits import MAX_ACTIVE_DOWNLOADS, MAX_DOWNLOADS
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer
from peerage.wire.message import Message


async def locate_nowhere(_content: bytes) -> AsyncIterator[Source]:
    """Know no further sources: what a node without overlays does."""
    nobody: tuple[Source, ...] = ()
    for source in nobody:
        yield source


class Transfers(Service):
    """The downloads of one node; `folder` keeps what a restart needs."""

    name = "transfers"

    def __init__(self, exchange: ContentExchange, folder: Path, locate: Locate = locate_nowhere) -> None:
        self._exchange = exchange
        self._book = TransferBook(folder)
        self._locate = locate
        self._downloads: dict[bytes, Download] = {}
        self._entries: dict[bytes, BookEntry] = {}
        self._reader = SharedFiles()
        self._noticed = asyncio.Event()

    # --- service ------------------------------------------------------------------------------------------------

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Hear what sources say about their pieces and queues."""
        return ((HavePieces, self._on_have), (Queued, self._on_queued), (Unqueued, self._on_unqueued))

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Begin what waits, keep the book."""
        return (Stabilizer(self._turn, 0.25),)

    async def start(self) -> None:
        """Take up what the last run left."""
        self.rate = RateLimit(0, asyncio.get_running_loop().time())
        self._surroundings = Surroundings(self.peer, BufferPool(), self.rate, self._locate, self._book.save_manifest)
        self._exchange.finders.append(self.find)
        for entry in await self.peer.in_thread(self._book.load):
            await self._take_up(entry)

    async def stop(self) -> None:
        """Stop all downloads in order; what they have is kept."""
        self._exchange.finders.remove(self.find)
        await asyncio.gather(*(download.close() for download in self._downloads.values()))
        for content in self._downloads:
            await self._note(content)
        self._reader.close()

    # --- for people ---------------------------------------------------------------------------------------------

    async def add(self, wanted: Wanted, sources: Sequence[Source] = (), level: int = 0) -> Download:
        """Begin a download, or return the one that is under way; an ended one begins again."""
        known = self._downloads.get(wanted.content)
        if known is not None and known.state not in ENDED:
            if (known.wanted.target, known.wanted.only) != (wanted.target, wanted.only):
                raise LocalError(
                    f"this content is being downloaded to {known.wanted.target} already; cancel that first"
                )
            for source in sources:
                known.add_source(source)
            return known
        if known is None and len(self._downloads) >= MAX_DOWNLOADS:
            raise LimitError("MAX_DOWNLOADS", "ours", f"{MAX_DOWNLOADS} downloads are listed; remove finished ones")
        manifest = await self.peer.in_thread(self._book.manifest, wanted.content)
        download = Download(wanted, self._surroundings, manifest)
        for source in sources:
            download.add_source(source)
        download.state = DownloadState.QUEUED
        self._downloads[wanted.content] = download
        self._entries[wanted.content] = BookEntry(
            content=wanted.content,
            target=str(wanted.target),
            only=wanted.only,
            size=wanted.size,
            added=self.peer.clock.time(),
            level=level,
            sources=download.swarm.sources,
        )
        await self.peer.in_thread(self._book.save, self._entries[wanted.content])
        self._begin_waiting()
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

    async def pause(self, content: bytes) -> None:
        """Stop one, and keep what it has."""
        await self.get(content).pause()
        await self._note(content)
        self._begin_waiting()

    async def resume(self, content: bytes) -> None:
        """Go on with one that was paused or failed."""
        download = self.get(content)
        if download.state in {DownloadState.PAUSED, DownloadState.FAILED}:
            download.state = DownloadState.QUEUED
            self._begin_waiting()
            await self._note(content)

    async def cancel(self, content: bytes) -> None:
        """Give one up and remove what is unfinished; a finished one only leaves the list."""
        download = self.get(content)
        await download.cancel()
        self._downloads.pop(content, None)
        self._entries.pop(content, None)
        await self.peer.in_thread(self._book.remove, content)
        self._exchange.forget([content])
        self._begin_waiting()

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
        for download in self._downloads.values():
            download.swarm.refill()

    # --- for the exchange -----------------------------------------------------------------------------------------

    async def find(self, content: bytes) -> Holding | None:
        """Return what can be served of a content that is being, or was, downloaded."""
        download = self._downloads.get(content)
        running = download.holding() if download is not None else None
        if running is not None:
            return running
        entry = self._entries.get(content)
        if entry is None or not entry.done or not entry.files:
            return None
        manifest = await self.peer.in_thread(self._book.manifest, content)
        if not manifest:
            return None
        return await self.peer.in_thread(FinishedHolding.of, content, manifest, entry.files, self._reader)

    def holds(self, content: bytes) -> bool:
        """Say whether some of a content can be had from here because it is, or was, downloaded."""
        download = self._downloads.get(content)
        entry = self._entries.get(content)
        return (download is not None and download.holding() is not None) or (entry is not None and entry.done)

    # --- what sources say -----------------------------------------------------------------------------------------

    def _on_have(self, connection: PeerConnection, message: HavePieces) -> None:
        download = self._downloads.get(message.content)
        link = download.swarm.link(connection.peer_id) if download else None
        if link is not None and link.connection is connection:
            link.gained(message.indices)

    def _on_queued(self, connection: PeerConnection, _message: Queued) -> None:
        for download in self._downloads.values():
            link = download.swarm.link(connection.peer_id)
            if link is not None and link.connection is connection:
                link.queued()

    def _on_unqueued(self, connection: PeerConnection, _message: Unqueued) -> None:
        for download in self._downloads.values():
            link = download.swarm.link(connection.peer_id)
            if link is not None and link.connection is connection:
                link.heard(0)

    # --- inside ---------------------------------------------------------------------------------------------------

    async def _take_up(self, entry: BookEntry) -> None:
        manifest = await self.peer.in_thread(self._book.manifest, entry.content)
        wanted = Wanted(content=entry.content, target=Path(entry.target), only=entry.only, size=entry.size)
        download = Download(wanted, self._surroundings, manifest)
        for source in entry.sources:
            download.add_source(source)
        if entry.done:
            download.restore_done()
        elif entry.error:
            download.state = DownloadState.FAILED
            download.error = StoreError(entry.error)
        else:
            download.state = DownloadState.PAUSED if entry.paused else DownloadState.QUEUED
        self._downloads[entry.content] = download
        self._entries[entry.content] = entry

    def _begin_waiting(self) -> None:
        """Start downloads while there is room, the most urgent first."""
        active = sum(download.is_active for download in self._downloads.values())
        waiting = [each for each in self._downloads.values() if each.state is DownloadState.QUEUED]
        waiting.sort(key=lambda each: -self._entries[each.content_id].level)
        for download in waiting[: max(0, MAX_ACTIVE_DOWNLOADS - active)]:
            download.start()

    async def _turn(self) -> None:
        """Note downloads that have ended since the last look, and begin others."""
        for content, download in list(self._downloads.items()):
            entry = self._entries[content]
            ended = download.state in ENDED and download.has_ended
            if ended and not entry.done and not entry.error:
                await self._note(content)
        self._begin_waiting()

    async def _note(self, content: bytes) -> None:
        """Write down how a download stands."""
        download, entry = self._downloads.get(content), self._entries.get(content)
        if download is None or entry is None:
            return
        done = download.state is DownloadState.DONE
        files = entry.files
        if done and not files and download.space is not None:
            files = await self.peer.in_thread(_look_at, download)
        noted = msgspec.structs.replace(
            entry,
            paused=download.state is DownloadState.PAUSED,
            error=str(download.error) if download.state is DownloadState.FAILED else "",
            sources=download.swarm.sources,
            done=done,
            files=files,
        )
        if noted != entry:
            self._entries[content] = noted
            await self.peer.in_thread(self._book.save, noted)


def _look_at(download: Download) -> Any:
    assert download.space is not None
    try:
        return placed_files(download.wanted.target, download.space, download.chosen_files())
    except (OSError, PeerageError):
        return ()  # moved away already: it is no longer served
