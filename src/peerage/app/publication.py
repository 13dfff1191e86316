"""Carries what the library shares to the overlays, in order and in the background.

Invariant: the overlays have heard of every own record after a start, and of each change after it, in the order in which
they happened; what was withdrawn is served no more before anybody is told. What waits is bounded by what is shared.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable

from peerage.catalogue.database import Database
from peerage.catalogue.library import Library
from peerage.catalogue.shares import Change
from peerage.content.exchange import ContentExchange
from peerage.errors import PeerageError
from peerage.overlay.base import Overlay
from peerage.peer.service import Service

log = logging.getLogger("peerage.app")


class Publication(Service):
    """Starts the library, follows the disk, and tells the overlays through `overlay`, which stands for all of them."""

    name = "publication"

    def __init__(self, library: Library, database: Database, exchange: ContentExchange, overlay: Overlay) -> None:
        self._library = library
        self._database = database
        self._exchange = exchange
        self._overlay = overlay
        self._changes: deque[Change] = deque()
        self._more = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.settled = asyncio.Event()  # the shares were looked at once since the start

    async def start(self) -> None:
        """Begin in the background: a large library takes its time."""
        self._library.subscribe(self._note)
        self._tasks = [
            self.peer.spawn(self._publish(), "publication"),
            self.peer.spawn(self._follow(), "library"),
        ]

    async def stop(self) -> None:
        """End what runs; a hashing under way goes on where it was at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _note(self, change: Change) -> None:
        self._exchange.forget({record.content for record in change.withdrawn})
        self._changes.append(change)
        self._more.set()

    async def _follow(self) -> None:
        try:
            await self._library.start()
        except PeerageError as error:
            log.error("the shares could not be looked at: %s", error)  # noqa: TRY400 -- the sentence says it all
        self.settled.set()
        await self._library.watch()

    async def _publish(self) -> None:
        async for page in self._database.own():
            await self._tell(self._overlay.publish(page))
        while True:
            await self._more.wait()
            self._more.clear()
            while self._changes:
                change = self._changes.popleft()
                await self._tell(self._overlay.withdraw(change.withdrawn))
                await self._tell(self._overlay.publish(change.published))

    async def _tell(self, telling: Awaitable[None]) -> None:
        """Tell the overlays; one that is in trouble does not keep later changes from the others."""
        try:
            await telling
        except PeerageError as error:
            log.warning("not every overlay heard of a change of the shares: %s", error)
