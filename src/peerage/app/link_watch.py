"""Watches the links of a node: how fast each goes and how far away the others are, live for those who follow.

Invariant: while nobody follows, it counts a few numbers every two seconds and asks nobody anything; while somebody
does, each peer is pinged now and then, and a change that can be seen is told, of one peer at most every two seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from peerage.app.api.models import PeerEntry
from peerage.app.link_measures import LinkMeasures, Measure, Traffic, worth_telling
from peerage.errors import LimitError, PeerageError
from peerage.identity.keys import PeerId
from peerage.peer.connection import PeerConnection
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer

LOOK_SECONDS: Final = 2.0
"""Seconds between two looks, and so between two changes of one peer that are told."""

_PING_LOOKS: Final = 5  # looks between two pings of one peer: every ten seconds
_PING_SECONDS: Final = 1.0  # whoever asks for the list waits for the slowest


class LinkWatch(Service):
    """Measures the links; `followed` says whether anybody wants to hear of changes, `look` shows a peer as it is."""

    name = "link watch"

    def __init__(self, followed: Callable[[], bool]) -> None:
        self._followed = followed
        self._measures = LinkMeasures()
        self._told: dict[PeerId, PeerEntry] = {}  # of connected peers, as they were told last
        self._turn = 0
        self.look: Callable[[PeerId], PeerEntry | None] = lambda _peer_id: None
        self.watchers: list[Callable[[PeerId], None]] = []  # hear of peers that look different now

    def of(self, peer_id: PeerId) -> Measure:
        """Return what is known of the links to a peer."""
        return self._measures.of(peer_id)

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Return the look round."""
        return (Stabilizer(self._look_round, LOOK_SECONDS, jitter=0.0),)

    def peer_connected(self, connection: PeerConnection) -> None:
        """Begin with a peer."""
        self._measures.came(connection.peer_id, self.peer.clock.time())

    def peer_disconnected(self, connection: PeerConnection) -> None:
        """Forget it."""
        self._measures.left(connection.peer_id)
        self._told.pop(connection.peer_id, None)

    async def ping(self, connections: Iterable[PeerConnection]) -> None:
        """Ask these how far away they are, all at once; raises nothing."""
        await asyncio.gather(*map(self._ping, connections))

    # --- inside -------------------------------------------------------------------------------------------------

    def _look_round(self) -> None:
        now = asyncio.get_running_loop().time()
        self._measures.sample(now, map(_traffic_of, self.peer.connections()))
        if not self._followed():
            self._told.clear()
            return
        neighbours = self.peer.neighbours()
        self._ping_some(neighbours)
        for connection in neighbours:
            self._tell(connection.peer_id)

    def _tell(self, peer_id: PeerId) -> None:
        view = self.look(peer_id)
        if view is not None and worth_telling(self._told.get(peer_id), view):
            self._told[peer_id] = view
            for watcher in self.watchers:
                watcher(peer_id)

    def _ping_some(self, neighbours: list[PeerConnection]) -> None:
        """Ask a part of them, in turn, and those of whom nothing is known."""
        self._turn = (self._turn + 1) % _PING_LOOKS
        due = [
            connection
            for place, connection in enumerate(neighbours)
            if place % _PING_LOOKS == self._turn or self.of(connection.peer_id).latency is None
        ]
        if due:
            with suppress(LimitError):  # too busy: the next look asks
                self.peer.spawn(self.ping(due), "pings")

    async def _ping(self, connection: PeerConnection) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await connection.ping(_PING_SECONDS)
        except PeerageError:
            self._measures.pinged(connection.peer_id, None)
        else:
            self._measures.pinged(connection.peer_id, loop.time() - began)


def _traffic_of(connection: PeerConnection) -> Traffic:
    return Traffic(id(connection), connection.peer_id, connection.received, connection.sent)
