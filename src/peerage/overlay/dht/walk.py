"""Drives one walk: asks whom lookup.py names, and tells it what came back.

Invariant: no question of a walk outlives it; it ends when the lookup has nobody left to ask, at its deadline, or when
whoever watches it has had enough. No rules are held here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from peerage.errors import PeerageError
from peerage.overlay.dht.contacts import Contact, believable
from peerage.overlay.dht.lookup import Lookup
from peerage.overlay.dht.messages import Look, Seen
from peerage.peer.connection import PeerConnection

if TYPE_CHECKING:
    from peerage.overlay.dht.node import DhtNode


class Watcher(Protocol):
    """Who pays for a walk, and reads what it finds."""

    def may_ask(self, message: Look) -> bool:
        """Pay for one more question; False ends the walk."""

    def answered(self, connection: PeerConnection, seen: Seen, hops: int) -> bool:
        """Take an answer; False ends the walk."""

    def unanswered(self) -> None:
        """A question that was paid for got no answer."""


class Nobody:
    """A watcher that pays for everything and wants nothing."""

    def may_ask(self, message: Look) -> bool:  # noqa: ARG002 -- a Watcher
        """Let everything pass."""
        return True

    def answered(self, connection: PeerConnection, seen: Seen, hops: int) -> bool:  # noqa: ARG002 -- a Watcher
        """Go on."""
        return True

    def unanswered(self) -> None:
        """Go on."""


class Walk:
    """One walk under way."""

    __slots__ = ("_group", "_lookup", "_message", "_node", "_over", "_tasks", "_watcher")

    def __init__(self, node: DhtNode, lookup: Lookup, message: Look, watcher: Watcher) -> None:
        self._node = node
        self._lookup = lookup
        self._message = message
        self._watcher = watcher
        self._tasks: set[asyncio.Task[None]] = set()
        self._group: asyncio.TaskGroup
        self._over: asyncio.Future[None]

    async def run(self, deadline: float) -> None:
        """Walk until it is over, or until `deadline` (loop time)."""
        self._over = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout_at(deadline), asyncio.TaskGroup() as self._group:
                self._advance()
                await self._over
                for task in self._tasks:
                    task.cancel()
        except TimeoutError:
            self._node.peer.metrics.count("dht_walks", "late")

    def _advance(self) -> None:
        """Ask whoever is to be asked now."""
        if self._over.done():
            return
        for contact in self._lookup.next(self._node.now()):
            if not self._watcher.may_ask(self._message):
                self._end()
                return
            task = self._group.create_task(self._ask(contact))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if not self._lookup.waiting:
            self._end()

    async def _ask(self, contact: Contact) -> None:
        try:
            connection, seen = await self._node.caller.call(contact, self._message)
        except PeerageError as error:
            self._node.did_not_answer(contact, error)
            self._lookup.failed(contact.peer_id)
            self._watcher.unanswered()
        else:
            self._take(contact, connection, seen)
        self._advance()

    def _take(self, contact: Contact, connection: PeerConnection, seen: Seen) -> None:
        news = self._lookup.unheard(seen.contacts)
        told = list(believable(news, near=connection.remote.is_loopback)) if news else []
        self._node.did_answer(contact, connection, seen, told)
        usable = [each for each in told if not self._node.is_banned(each.peer_id)]
        hops = self._lookup.answered(contact.peer_id, usable, serving=seen.serving)
        if not self._watcher.answered(connection, seen, hops):
            self._end()

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)
