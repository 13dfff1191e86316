"""All downloads of a node: begun, queued, kept across restarts, and served while they run and after.

Invariant: a content is downloaded once at a time, and no two downloads have one target; who runs is judged by `turns`,
who is before whom by `line`. What rests costs nothing but its place in the list: each turn looks at those that run, and
at what was noted since the last. How one download goes is its own business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from peerage.content.buffers import BufferPool
from peerage.content.download import Download
from peerage.content.exchange import ContentExchange
from peerage.content.holding import Holding
from peerage.content.line import Where
from peerage.content.messages import HavePieces, Queued, Unqueued
from peerage.content.noting import Noting, entry_of, fresh_entry, taken_up
from peerage.content.picker import Priority
from peerage.content.rate import RateLimit
from peerage.content.resting import Inside, amount_of, inside_at_rest
from peerage.content.roster import Roster
from peerage.content.serving import Serving
from peerage.content.source import Source, SourceLink
from peerage.content.starting import Starting
from peerage.content.status import ENDED, DownloadState, Terms, Wanted
from peerage.content.surroundings import Locate, Surroundings
from peerage.content.transfer_book import TransferBook
from peerage.errors import LimitError, LocalError, RefusedError, StoreError
from peerage.limits import MAX_DOWNLOADS
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer
from peerage.wire.message import ErrorCode, Message

log = logging.getLogger("peerage.content")

_DONE: Final = DownloadState.DONE
_TURN: Final = 0.25  # seconds between two looks at what has ended
_NOTE_INTERVAL: Final = 10.0  # seconds between two notes of how running downloads stand


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
        self._roster = Roster()
        self._starting = Starting(self._roster, self.rate)
        self._due: dict[bytes, None] = {}  # to be written down soon
        self._next_notes = 0.0
        self.served = Serving(self._roster, self._book)

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
        self._noting = Noting(self.peer, self._roster, self._book)
        for entry in await self.peer.in_thread(self._book.load):
            target, visibility = Path(entry.target), entry.visibility
            wanted = Wanted(
                content=entry.content, target=target, only=entry.only, size=entry.size, visibility=visibility
            )
            self._roster.put(taken_up(entry, wanted, self._surroundings), entry)
        self._exchange.finders.append(self.find)
        self._exchange.listeners.append(self._heard_want)

    async def stop(self) -> None:
        """Stop all downloads in order; what they have is kept."""
        self._exchange.finders.remove(self.find)
        self._exchange.listeners.remove(self._heard_want)
        await asyncio.gather(*(download.close() for download in list(self._roster.running.values())))
        for content in self._roster.downloads:
            await self._noting.note(content)
        self.served.close()

    # --- for people ---------------------------------------------------------------------------------------------

    async def add(self, wanted: Wanted, sources: Sequence[Source] = (), level: int = 0) -> Download:
        """Begin a download, or return the one that is under way; an ended one begins again.

        Raises LocalError when the content or the target is taken by another download, LimitError when there are too
        many, StoreError when it cannot be noted.
        """
        download = self._roster.downloads.get(wanted.content)
        if download is None or download.state in ENDED:
            download = await self._begin(wanted, (*sources, *(download.swarm.sources if download else ())), level)
        elif (download.wanted.target, download.wanted.only) != (wanted.target, wanted.only):
            raise LocalError(f"this content is being downloaded to {download.wanted.target} already; cancel that first")
        for source in sources:
            download.add_source(source)
        return download

    def all(self) -> list[Download]:
        """Return every listed download, the oldest first."""
        return list(self._roster.downloads.values())

    def get(self, content: bytes) -> Download:
        """Return one download; raises LocalError when there is none."""
        return self._roster.get(content)

    def listed(self, content: bytes) -> Download | None:
        """Return one download, None when there is none."""
        return self._roster.downloads.get(content)

    @property
    def unfinished(self) -> int:
        """How many have not ended."""
        return self._roster.unfinished

    async def pause(self, content: bytes) -> None:
        """Stop one, and keep what it has."""
        await self.get(content).pause()
        await self._note(content)
        self._starting.begin()

    async def resume(self, content: bytes) -> None:
        """Go on with one that was paused or failed."""
        download = self.get(content)
        if download.state in {DownloadState.PAUSED, DownloadState.FAILED}:
            download.enqueue()
            self._starting.begin()
            await self._note(content)

    async def cancel(self, content: bytes) -> None:
        """Give one up and remove what is unfinished; a finished one only leaves the list.

        It leaves the list in any case; StoreError says that something of it could not be removed.
        """
        download = self.get(content)
        try:
            await download.cancel()
        finally:
            if self._roster.downloads.get(content) is download:
                await self._forget([content])
                self._starting.begin()

    async def forget(self, content: bytes) -> None:
        """Take one that has ended off the list; whatever there is of it on the disk stays."""
        download = self.get(content)
        if download.state not in ENDED:
            raise LocalError(f"{download.wanted.target.name} has not ended; cancel it first")
        await self._forget([content])

    async def forget_finished(self) -> int:
        """Take all that are complete off the list; returns how many they were."""
        done = [content for content, each in self._roster.downloads.items() if each.state is _DONE]
        await self._forget(done)
        return len(done)

    async def look_inside(self, content: bytes) -> Inside | None:
        """Return the files and pieces of a download, also of one that rests; None while they are not known."""
        download = self.get(content)
        if download.scheduler is not None and download.plan is not None:
            return Inside(download.plan, download.rules, download.scheduler.states())
        encoded = await self.peer.in_thread(self._book.manifest, content)
        if not encoded:
            return None
        return await self.peer.in_thread(inside_at_rest, encoded, download.wanted, download.rules, download.state)

    # --- the owner's order ------------------------------------------------------------------------------------------

    @property
    def at_once(self) -> int:
        """How many run at once, 0: as many as MAX_ACTIVE_DOWNLOADS; the others wait in line."""
        return self._starting.at_once

    @at_once.setter
    def at_once(self, count: int) -> None:
        self._starting.at_once = count

    async def move(self, content: bytes, where: Where) -> None:
        """Let one stand elsewhere in line; what runs out of turn then waits. Raises LocalError for a finished one."""
        self.get(content)
        changed = self._roster.line.move(content, where)
        self._roster.place(changed)
        await self._reorder(content, changed)

    async def set_level(self, content: bytes, level: int) -> None:
        """Let one begin sooner (higher) or later, behind those of its level; raises LocalError for a finished one."""
        download = self.get(content)
        if content not in self._roster.line:
            raise LocalError(f"{download.wanted.target.name} is complete, so nothing of it can come sooner")
        download.set_terms(msgspec.structs.replace(download.terms, level=level))
        await self._reorder(content, self._roster.join(content, level))

    async def set_limit(self, content: bytes, limit: int) -> None:
        """Limit the speed of one, in bytes a second; 0 is no limit but that of all."""
        download = self.get(content)
        download.set_terms(msgspec.structs.replace(download.terms, limit=limit))
        self._starting.share_room()
        await self.keep(content)

    async def set_levels(self, content: bytes, changes: Mapping[int, Priority]) -> None:
        """Fetch files of one, by their numbers, sooner, later or not at all; raises LocalError when that cannot be."""
        inside = await self.look_inside(content)
        if inside is None:
            raise LocalError("it is not known yet what it consists of; wait until somebody was found")
        download = self.get(content)
        download.set_levels(inside.plan, changes)
        if download.scheduler is None:
            download.amount = amount_of(inside, download.rules)
        await self.keep(content)

    async def keep(self, content: bytes) -> None:
        """Write down how one stands, now rather than soon."""
        await self._note(content)

    def set_limits(self, down: int, up: int) -> None:
        """Limit the speed of all downloads and uploads, in bytes a second; 0 is no limit."""
        now = asyncio.get_running_loop().time()
        self.rate.change(down, now)
        self._exchange.rate.change(up, now)
        self._starting.share_room()

    # --- for the exchange -----------------------------------------------------------------------------------------

    async def find(self, content: bytes) -> Holding | None:
        """Return what can be served of a content that is being, or was, downloaded."""
        return await self.served.find(self.peer, content)

    def holds(self, content: bytes) -> bool:
        """Say whether some of a content can be had from here because it is, or was, downloaded."""
        return content in self.served

    def _noted(self, content: bytes) -> None:
        self._roster.noted(content)
        download = self._roster.downloads.get(content)
        if download is not None and download.state in ENDED and not download.is_active:
            self._due[content] = None
        for watcher in self.watchers:
            watcher(content)

    def _serve_anew(self, content: bytes) -> None:
        try:
            self.peer.spawn(self._exchange.refresh(content), "refresh")
        except LimitError:
            log.info("too busy to tell others what can be had from here now; they will ask again")

    def _heard_want(self, connection: PeerConnection, content: bytes) -> None:
        """Somebody else wants what is being downloaded here: so it will have some of it, too."""
        download = self._roster.running.get(content)
        known = self.peer.table.get(connection.peer_id)
        if download is not None and known is not None and known.addresses:
            download.add_source(Source(connection.peer_id, known.addresses))

    # --- what sources say -----------------------------------------------------------------------------------------

    def _on_have(self, connection: PeerConnection, message: HavePieces) -> None:
        download = self._roster.running.get(message.content)
        link = download.swarm.link(connection.peer_id) if download else None
        if link is not None and link.connection is connection:
            link.gained(message.indices)

    def _on_queued(self, connection: PeerConnection, _message: Queued) -> None:
        self._source_link(connection).queued()

    def _on_unqueued(self, connection: PeerConnection, _message: Unqueued) -> None:
        self._source_link(connection).unqueued()

    def _source_link(self, connection: PeerConnection) -> SourceLink:
        for download in self._roster.running.values():
            link = download.swarm.link(connection.peer_id)
            if link is not None and link.connection is connection:
                return link
        raise RefusedError(ErrorCode.BAD_REQUEST, "nothing is asked of you here")

    # --- beginning ------------------------------------------------------------------------------------------------

    async def _begin(self, wanted: Wanted, sources: Sequence[Source], level: int) -> Download:
        """List a new download, in the place of an ended one of the same content."""
        if self._roster.takes(wanted.target):
            raise LocalError(f"another download goes to {wanted.target} already; choose another folder")
        if wanted.content not in self._roster.downloads and len(self._roster.downloads) >= MAX_DOWNLOADS:
            raise LimitError("MAX_DOWNLOADS", "ours", f"{MAX_DOWNLOADS} downloads are listed; remove finished ones")
        now = self.peer.clock.time()
        download = Download(wanted, self._surroundings, terms=Terms(level=level, added=now))
        for source in sources:
            download.add_source(source)
        self._roster.put(download, fresh_entry(wanted, now, level, download.swarm.sources))
        entry = entry_of(download, self._roster.entries[wanted.content])
        self._roster.entries[wanted.content] = entry
        self._noted(wanted.content)
        try:
            await self.peer.in_thread(self._book.save, entry)
        except StoreError:
            if self._roster.downloads.get(wanted.content) is download:
                self._roster.remove(wanted.content)
                self._noted(wanted.content)
            raise
        self._starting.begin()
        return download

    async def _reorder(self, content: bytes, changed: Sequence[bytes]) -> None:
        """Let the new order be used, and write it down: at once for the one that was meant."""
        self._due.update(dict.fromkeys(changed))
        self._starting.reorder()
        self._starting.begin()
        await self._note(content)

    # --- the book -------------------------------------------------------------------------------------------------

    async def _turn(self) -> None:
        """Write down what has changed since the last turn, and now and then what runs; let whose turn it is begin."""
        now = asyncio.get_running_loop().time()
        due, self._due = self._due, {}
        if now >= self._next_notes:
            self._next_notes = now + _NOTE_INTERVAL
            due |= dict.fromkeys(self._roster.running)
        for content in due:
            await self._note(content)
        for content in await self._starting.stop_some():
            await self._note(content)
        self._starting.begin()

    async def _note(self, content: bytes) -> None:
        if await self._noting.note(content):
            self._serve_anew(content)

    async def _forget(self, contents: Sequence[bytes]) -> None:
        for content in contents:
            self._roster.remove(content)
            self._noted(content)
        self._exchange.forget(contents)
        await self.peer.in_thread(self._book.remove_all, contents)
