"""The sources of one download: found, dialled, tried again, or used no more.

Invariant: there is at most one link to a source at a time; a banned source is not used again by this download; the
number of sources is bounded. What is ordered from whom is the scheduler's judgement.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Final

from peerage.content.source import Source, SourceLink
from peerage.errors import ForgedError, PeerageError, StoreError
from peerage.identity.keys import PeerId, format_id
from peerage.limits import LOCATE_INTERVAL, MAX_SOURCES, SOURCE_RETRY, SOURCE_RETRY_MAX
from peerage.peer.tasks import TaskScope

if TYPE_CHECKING:
    from peerage.content.download import Download

log = logging.getLogger("peerage.content")

Locate = Callable[[bytes], AsyncIterator[Source]]
_ADDRESSES: Final = 16  # kept of one source: its own and what others say


class Swarm:
    """Who may have the content, and the links to those who do."""

    def __init__(self, download: Download, locate: Locate) -> None:
        self._download = download
        self._locate = locate
        self._sources: dict[PeerId, Source] = {}
        self._links: dict[PeerId, SourceLink] = {}
        self._banned: set[PeerId] = set()
        self._tasks: TaskScope | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def sources(self) -> tuple[Source, ...]:
        """Who may have it."""
        return tuple(self._sources.values())

    @property
    def attached(self) -> int:
        """How many sources can be asked now."""
        return sum(link.attached for link in self._links.values())

    def start(self, tasks: TaskScope) -> None:
        """Begin to dial, and to look for more; all of it ends with `tasks`."""
        self._tasks = tasks
        for peer_id in self._sources:
            self._begin(peer_id)
        tasks.start(self._keep_locating())

    def add(self, source: Source) -> None:
        """Use one more source, or learn more addresses of one."""
        known = self._sources.get(source.peer_id)
        if source.peer_id in self._banned or source.peer_id == self._download.peer.peer_id:
            return
        if known is None and len(self._sources) >= MAX_SOURCES:
            return
        addresses = dict.fromkeys((*source.addresses, *(known.addresses if known else ())))
        self._sources[source.peer_id] = Source(source.peer_id, tuple(addresses)[:_ADDRESSES])
        self._begin(source.peer_id)

    def ban(self, peer_id: PeerId, error: PeerageError) -> None:
        """Use a source no more."""
        self._banned.add(peer_id)
        self._sources.pop(peer_id, None)
        self.drop(peer_id, error)

    def drop(self, peer_id: PeerId, error: PeerageError) -> None:
        """End the link to a source; it is tried again later."""
        link = self._links.get(peer_id)
        if link is not None:
            link.drop(error)

    def link(self, peer_id: PeerId) -> SourceLink | None:
        """Return the link to a source."""
        return self._links.get(peer_id)

    def attach(self, link: SourceLink) -> None:
        """Let the scheduler use a source."""
        if self._download.scheduler is not None:
            self._download.scheduler.add_source(link.peer_id, link.has)
            link.attached = True

    def detach(self, link: SourceLink) -> None:
        """Use it no more."""
        if link.attached and self._download.scheduler is not None:
            link.attached = False
            self._download.scheduler.remove_source(link.peer_id)
            self.refill()

    def refill(self) -> None:
        """Let every source that may find something now order it."""
        if self._download.scheduler is not None:
            self.fill(self._download.scheduler.ready())

    def fill(self, ready: Iterable[PeerId]) -> None:
        """Let these sources order what they may."""
        for peer_id in ready:
            link = self._links.get(peer_id)
            if link is not None:
                link.fill()

    def cancel_order(self, peer_id: PeerId, index: int) -> None:
        """A piece need not come from there any more."""
        link = self._links.get(peer_id)
        if link is not None:
            link.cancel(index)

    # --- inside -------------------------------------------------------------------------------------------------

    def _begin(self, peer_id: PeerId) -> None:
        if self._tasks is not None and peer_id not in self._links and not self._tasks.full:
            self._links[peer_id] = SourceLink(self._download, self._sources[peer_id])
            self._tasks.start(self._keep(peer_id))

    async def _keep(self, peer_id: PeerId) -> None:
        """Use a source again and again, with growing pauses, until it is banned."""
        pause = SOURCE_RETRY
        try:
            while peer_id in self._sources:
                link = self._links[peer_id] = SourceLink(self._download, self._sources[peer_id])
                began = self._loop.time()
                error = await self._use(link)
                if error is not None:
                    self.ban(peer_id, error)
                if self._loop.time() - began > SOURCE_RETRY_MAX:
                    pause = SOURCE_RETRY
                await asyncio.sleep(pause * self._download.peer.rng.uniform(0.8, 1.2))
                pause = min(2 * pause, SOURCE_RETRY_MAX)
        finally:
            self._links.pop(peer_id, None)

    async def _use(self, link: SourceLink) -> PeerageError | None:
        """Use a source until its link ends; returns the reason to ban it, if there is one."""
        try:
            error = await link.run()
        except StoreError as failure:
            self._download.fail(failure)
            return None
        except PeerageError as failure:
            error = failure
        log.info("source %s: %s", format_id(link.peer_id)[:8], error)
        return error if isinstance(error, ForgedError) else None

    async def _keep_locating(self) -> None:
        """Look for more sources now, and again every LOCATE_INTERVAL seconds."""
        while True:
            if len(self._sources) < MAX_SOURCES:
                try:
                    async for source in self._locate(self._download.content_id):
                        self.add(source)
                except PeerageError as error:
                    log.info("looking for sources: %s", error)
            await asyncio.sleep(LOCATE_INTERVAL * self._download.peer.rng.uniform(0.8, 1.2))
