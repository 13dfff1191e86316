"""Knows when somebody can be asked: a node that has just started has no neighbours yet.

Invariant: it waits only while the node is alone, and never longer than it is told.
"""

from __future__ import annotations

import asyncio

from peerage.peer.connection import PeerConnection
from peerage.peer.service import Service


class Arrivals(Service):
    """Notices the first neighbour."""

    name = "arrivals"

    def __init__(self) -> None:
        self._somebody = asyncio.Event()

    def peer_connected(self, connection: PeerConnection) -> None:
        """Let those who wait go on."""
        del connection
        self._somebody.set()

    def peer_disconnected(self, connection: PeerConnection) -> None:
        """Wait again, once the last one has gone."""
        if not any(each is not connection for each in self.peer.neighbours()):
            self._somebody.clear()

    async def wait(self, seconds: float) -> bool:
        """Wait for a neighbour when there is none but some are known to try; whether there is one now."""
        if not self._somebody.is_set() and self.peer.table.best():
            try:
                async with asyncio.timeout(seconds):
                    await self._somebody.wait()
            except TimeoutError:
                return False
        return self._somebody.is_set()
