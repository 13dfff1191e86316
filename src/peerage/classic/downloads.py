"""Files fetched from old peers by FGET.

Invariant: at most CLASSIC_DOWNLOADS_AT_ONCE run, each with one chunk in memory; a file that is listed as done was read
to its last byte. It is verified only when its content id was known before; otherwise it is what the old peer sent, and
says so. The wire knows no ranges: what is stopped begins anew. The list is not kept for the next start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from peerage.classic.links import OldLink
from peerage.classic.part_file import PartFile
from peerage.content.status import ENDED, DownloadState
from peerage.errors import LimitError, LinkLostError, LocalError, PeerageError, RefusedError
from peerage.limits import (
    CLASSIC_CHUNK,
    CLASSIC_DOWNLOADS,
    CLASSIC_DOWNLOADS_AT_ONCE,
    CLASSIC_FILE_PATIENCE,
    MAX_REASON_CHARS,
)
from peerage.peer.service import Service
from peerage.peer.tasks import TaskScope
from peerage.transport.clear import Channel, ClearTransport
from peerage.wire import classic
from peerage.wire.classic import FileRequest

Spend = Callable[[int, float], float]
"""Takes bytes and the time, returns the seconds to wait: a speed limit."""

_RATE_SECONDS: Final = 2.0


class OldDownload:
    """One file; sizes in bytes. `content` is its content id, once it is known."""

    def __init__(self, link: OldLink, target: Path, noted: Callable[[bytes], None] = lambda _: None) -> None:
        self._noted = noted
        self.link = link
        self.target = target
        self.content_id = link.place_id
        self.state = DownloadState.QUEUED
        self.size: int | None = None
        self.done = 0
        self.content: bytes | None = None
        self.error: PeerageError | None = None
        self.task: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._began = (0.0, 0)

    def changed(self) -> None:
        """Tell those who watch."""
        self._noted(self.content_id)

    @property
    def verified(self) -> bool:
        """Whether the file is known to be what was asked for."""
        return self.state is DownloadState.DONE and self.link.content is not None

    @property
    def rate(self) -> float:
        """Bytes a second since it began."""
        seconds = _now() - self._began[0]
        return self.done / max(seconds, _RATE_SECONDS) if self.state is DownloadState.RUNNING else 0.0

    async def wait(self) -> Path:
        """Wait for the end and return where the file is; raises what went wrong."""
        await self._ended.wait()
        if self.error is not None:
            raise self.error
        return self.target

    def begin(self) -> None:
        """Wait for a turn, from nothing."""
        self.state, self.error, self.done = DownloadState.QUEUED, None, 0
        self._ended.clear()
        self.changed()

    def running(self) -> None:
        """Note that its turn has come."""
        self.state = DownloadState.RUNNING
        self._began = (_now(), 0)
        self.changed()

    def end(self, state: DownloadState, error: PeerageError | None = None) -> None:
        """Note how it ended."""
        self.state, self.error = state, error
        self._ended.set()
        self.changed()


class OldDownloads(Service):
    """All of one node; `spend` is the speed limit for downloads."""

    name = "old-downloads"

    def __init__(self, transport: ClearTransport, spend: Spend) -> None:
        self.watchers: list[Callable[[bytes], None]] = []  # hear which one is new, has changed or is gone
        self._transport = transport
        self._spend = spend
        self._turns = asyncio.Semaphore(CLASSIC_DOWNLOADS_AT_ONCE)
        self._listed: dict[bytes, OldDownload] = {}

    async def start(self) -> None:
        """Take downloads."""
        self._tasks = TaskScope(self.peer.metrics, CLASSIC_DOWNLOADS, "old downloads")

    async def stop(self) -> None:
        """Give up what is under way."""
        await self._tasks.close()

    def all(self) -> list[OldDownload]:
        """Return those that are listed, the oldest first."""
        return list(self._listed.values())

    def add(self, link: OldLink, target: Path) -> OldDownload:
        """Begin a download, or return the one that is under way; raises LocalError or LimitError."""
        known = self._listed.get(link.place_id)
        if known is not None and known.state not in {*ENDED, DownloadState.PAUSED}:
            return known
        if any(
            each.target == target and each.state not in ENDED for each in self._listed.values() if each is not known
        ):
            raise LocalError(f"another download goes to {target} already; choose another folder with --into")
        if known is None and len(self._listed) >= CLASSIC_DOWNLOADS and not self._forget_one():
            raise LimitError("CLASSIC_DOWNLOADS", "ours", "too many downloads from old peers; cancel some")
        download = self._listed[link.place_id] = OldDownload(link, target, self._note)
        self._note(link.place_id)
        self._begin(download)
        return download

    def resume(self, download: OldDownload) -> None:
        """Begin one again that was stopped or failed."""
        if download.state in {DownloadState.PAUSED, DownloadState.FAILED}:
            download.begin()
            self._begin(download)

    async def stop_one(self, download: OldDownload, state: DownloadState) -> None:
        """Stop one that is under way; a cancelled one leaves the list."""
        if download.state not in ENDED:
            if download.task is not None:
                download.task.cancel()
                await asyncio.gather(download.task, return_exceptions=True)
            if download.state is not DownloadState.DONE:
                download.end(state, LocalError(f"the download was {state.value}"))
        if state is DownloadState.CANCELLED:
            self._listed.pop(download.content_id, None)
            download.changed()

    # --- inside -------------------------------------------------------------------------------------------------

    def _note(self, content_id: bytes) -> None:
        for watcher in self.watchers:
            watcher(content_id)

    def _begin(self, download: OldDownload) -> None:
        download.task = self._tasks.start(self._run(download))

    def _forget_one(self) -> bool:
        oldest = next((each for each in self._listed.values() if each.state in ENDED), None)
        return oldest is not None and self._listed.pop(oldest.content_id) is oldest

    async def _run(self, download: OldDownload) -> None:
        async with self._turns:
            download.running()
            try:
                await self._fetch(download)
            except TimeoutError:
                silent = LinkLostError(
                    f"{download.link.holder} has sent nothing for {CLASSIC_FILE_PATIENCE:.0f} seconds"
                )
                download.end(DownloadState.FAILED, silent)
            except PeerageError as error:
                download.end(DownloadState.FAILED, error)
            else:
                download.end(DownloadState.DONE)

    async def _fetch(self, download: OldDownload) -> None:
        channel = await self._transport.dial(download.link.holder)
        try:
            await channel.write(FileRequest(download.link.wire_name).frame().encode())
            incoming = _Incoming(channel)
            head = classic.decode_head(await incoming.exactly(classic.HEADER_BYTES))
            if head.code.upper() != classic.REPL:
                said = await incoming.exactly(min(head.length, MAX_REASON_CHARS))
                words = classic.printable(classic.text_of(said))
                raise RefusedError("not-found", f"the old peer at {download.link.holder} refuses: {words}")
            download.size = head.length
            await self._receive(download, incoming)
        finally:
            channel.abort()

    async def _receive(self, download: OldDownload, incoming: _Incoming) -> None:
        size = download.size or 0
        file = PartFile(download.target, download.content_id, size)
        try:
            await self.peer.in_thread(file.open)
            while download.done < size:
                data = await incoming.some(size - download.done)
                await self.peer.in_thread(file.take, data)
                download.done += len(data)
                download.changed()
                pause = self._spend(len(data), _now())
                if pause:
                    await asyncio.sleep(pause)
            download.content = await self.peer.in_thread(file.finish, download.link.content)
        finally:
            file.close()


class _Incoming:
    """What comes over a channel, byte by byte in order, each wait with an end."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._rest = b""

    async def some(self, most: int) -> bytes:
        """Return at least one byte; raises LinkLostError at the end."""
        if not self._rest:
            async with asyncio.timeout(CLASSIC_FILE_PATIENCE):
                self._rest = await self._channel.read(CLASSIC_CHUNK)
            if not self._rest:
                raise LinkLostError("the old peer closed before all had come")
        data, self._rest = self._rest[:most], self._rest[most:]
        return data

    async def exactly(self, count: int) -> bytes:
        """Return so many bytes."""
        data = b""
        while len(data) < count:
            data += await self.some(count - len(data))
        return data


def _now() -> float:
    return asyncio.get_running_loop().time()
