"""The sources of one download: found, dialled, tried again, or used no more.

Invariant: there is at most one link to a source at a time; a banned source is not used again by this download; the
number of sources is bounded, and one that never answers gives way to a new one. What is ordered from whom is the
scheduler's judgement.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from peerage.content.bitmap import Bitmap
from peerage.content.scheduler import Scheduler
from peerage.content.signal import Signal
from peerage.content.source import Source, SourceLink
from peerage.content.surroundings import Locate
from peerage.errors import ForgedError, LinkLostError, PeerageError, ProtocolError
from peerage.identity.keys import PeerId, format_id
from peerage.limits import (
    LOCATE_INTERVAL,
    MAX_BANNED,
    MAX_SOURCES,
    SOURCE_ADDRESSES,
    SOURCE_RETRY,
    SOURCE_RETRY_MAX,
)
from peerage.peer.tasks import TaskScope

if TYPE_CHECKING:
    from peerage.content.download import Download

log = logging.getLogger("peerage.content")

_DOUBLINGS: Final = 10  # of a pause: more than lead to the longest
_QUIET: Final = 10.0  # seconds without a byte after which a person is told


class Contact:
    """One source, and how it has gone with it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.link: SourceLink | None = None
        self.failures = 0  # tries in a row that brought nothing
        self.received = 0  # bytes that were good
        self.changed = Signal()  # there is another address to try
        self.task: asyncio.Task[None] | None = None


class Swarm:
    """Who may have the content, and the links to those who do."""

    def __init__(self, download: Download, locate: Locate) -> None:
        self._download = download
        self._locate = locate
        self._contacts: dict[PeerId, Contact] = {}
        self._banned: dict[PeerId, None] = {}
        self._tasks: TaskScope | None = None
        self._loop = asyncio.get_running_loop()
        self.last_byte = 0.0  # when something came
        self.trouble: PeerageError | None = None  # why the last link ended, or came to nothing

    @property
    def sources(self) -> tuple[Source, ...]:
        """Who may have it."""
        return tuple(contact.source for contact in self._contacts.values())

    @property
    def attached(self) -> int:
        """How many sources can be asked now."""
        return sum(link.attached for link in self.links())

    def contacts(self) -> list[Contact]:
        """Return those who may have it, and how it has gone with them."""
        return list(self._contacts.values())

    def credit(self, peer_id: PeerId, count: int) -> None:
        """Note good bytes of a source."""
        if (contact := self._contacts.get(peer_id)) is not None:
            contact.received += count

    def links(self) -> Iterator[SourceLink]:
        """Yield the links there are, up or not."""
        for contact in self._contacts.values():
            if contact.link is not None:
                yield contact.link

    def start(self, tasks: TaskScope) -> None:
        """Begin to dial, and to look for more; all of it ends with `tasks`."""
        self._tasks, self.last_byte = tasks, self._loop.time()
        for contact in list(self._contacts.values()):
            contact.failures = 0
            self._begin(contact)
        tasks.start(self._keep_locating())

    def add(self, source: Source) -> None:
        """Use one more source, or learn more addresses of one."""
        if source.peer_id in self._banned or source.peer_id == self._download.peer.peer_id:
            return
        contact = self._contacts.get(source.peer_id)
        if contact is None:
            if len(self._contacts) >= MAX_SOURCES and not self._make_room():
                return
            fresh = tuple(dict.fromkeys(source.addresses))[:SOURCE_ADDRESSES]
            kept = source if fresh == source.addresses else Source(source.peer_id, fresh)
            contact = self._contacts[source.peer_id] = Contact(kept)
            self._begin(contact)
        elif not set(source.addresses) <= set(contact.source.addresses):
            merged = tuple(dict.fromkeys((*source.addresses, *contact.source.addresses)))[:SOURCE_ADDRESSES]
            contact.source = Source(source.peer_id, merged)
            contact.changed.set()

    def ban(self, peer_id: PeerId, error: PeerageError) -> None:
        """Use a source no more."""
        self._banned[peer_id] = None
        if len(self._banned) > MAX_BANNED:
            del self._banned[next(iter(self._banned))]
        contact = self._contacts.pop(peer_id, None)
        if contact is not None and contact.link is not None:
            contact.link.drop(error)

    def drop(self, peer_id: PeerId, error: PeerageError) -> None:
        """End the link to a source; it is tried again later."""
        link = self.link(peer_id)
        if link is not None:
            link.drop(error)

    def link(self, peer_id: PeerId) -> SourceLink | None:
        """Return the link to a source."""
        contact = self._contacts.get(peer_id)
        return contact.link if contact is not None else None

    def attach(self, link: SourceLink, has: Bitmap | None) -> None:
        """Let the scheduler use a source, which has these pieces (None: all)."""
        if self._download.scheduler is not None:
            self._download.scheduler.add_source(link.peer_id, has)
            link.attached = True

    def detach(self, link: SourceLink) -> None:
        """Use it no more."""
        if link.attached and self._download.scheduler is not None:
            self._download.scheduler.remove_source(link.peer_id)
            self.refill()
        link.attached = False

    def refill(self) -> None:
        """Let every source that may find something now order it."""
        if self._download.scheduler is not None:
            self.fill(self._download.scheduler.ready())

    def fill(self, ready: Iterable[PeerId]) -> None:
        """Let these sources order what they may."""
        for peer_id in ready:
            link = self.link(peer_id)
            if link is not None:
                link.fill()

    def cancel_order(self, peer_id: PeerId, index: int) -> None:
        """A piece need not come from there any more."""
        link = self.link(peer_id)
        if link is not None:
            link.cancel((index,))

    def look(self, scheduler: Scheduler, now: float) -> None:
        """Look at the clock: drop who owes and sends nothing, and let others have it."""
        for link in self.links():
            if link.is_braked:
                link.heard(0)  # it is this side that takes nothing
        tick = scheduler.tick(now)
        for peer_id in tick.stalled:
            self._download.peer.metrics.count("sources_stalled")
            self.drop(peer_id, LinkLostError("it owes pieces and sends nothing"))
        self.fill(tick.ready)

    def note(self) -> str:
        """Say why nothing comes, if nothing can."""
        links = list(self.links())
        reason = f" (the last: {self.trouble})" if self.trouble is not None else ""
        if not any(link.is_open for link in links):
            return f"no source is alive; looking for others{reason}" if reason or not links else ""
        waiting = sum(link.waits for link in links if link.attached)
        if waiting and waiting == self.attached:
            return "its sources are busy; waiting in their queue"
        quiet = self._loop.time() - self.last_byte > _QUIET and not any(link.is_braked for link in links)
        return f"nothing comes from its sources; looking for others{reason}" if quiet else ""

    # --- inside -------------------------------------------------------------------------------------------------

    def _begin(self, contact: Contact) -> None:
        if self._tasks is not None and not self._tasks.full:
            contact.task = self._tasks.start(self._keep(contact))

    def _make_room(self) -> bool:
        """Forget the source that has failed most often; False when all are of use, or new."""
        worst = max(self._contacts.values(), key=lambda contact: contact.failures)
        if worst.failures < 2 or (worst.link is not None and worst.link.attached):
            return False
        del self._contacts[worst.source.peer_id]
        if worst.task is not None:
            worst.task.cancel()
        return True

    async def _keep(self, contact: Contact) -> None:
        """Use a source again and again, with growing pauses, until it is banned or gives way."""
        peer_id = contact.source.peer_id
        try:
            while self._contacts.get(peer_id) is contact:
                contact.changed.clear()
                link = contact.link = SourceLink(self._download, contact.source)
                await self._use(link)
                contact.failures = 0 if link.useful else contact.failures + 1
                pause = min(SOURCE_RETRY * 2 ** min(max(contact.failures - 1, 0), _DOUBLINGS), SOURCE_RETRY_MAX)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause * self._download.peer.rng.uniform(0.8, 1.2)):
                        await contact.changed.wait()
        finally:
            contact.link = None

    async def _use(self, link: SourceLink) -> None:
        """Use a source until its link ends; one that lied is banned."""
        try:
            error = await link.run()
        except PeerageError as failure:
            error = failure
        self.trouble = error
        log.info("source %s: %s", format_id(link.peer_id)[:8], error)
        if isinstance(error, ForgedError | ProtocolError):
            self.ban(link.peer_id, error)

    async def _keep_locating(self) -> None:
        """Look for more sources now, and again every LOCATE_INTERVAL seconds."""
        while True:
            try:
                async for source in self._locate(self._download.content_id):
                    self.add(source)
            except PeerageError as error:
                log.info("looking for sources: %s", error)
            await asyncio.sleep(LOCATE_INTERVAL * self._download.peer.rng.uniform(0.8, 1.2))
