"""The open connections of a peer.

Invariant: a connection is listed exactly from its hello to its end, and holds a place of the limiter for as long. A
peer counts as connected while at least one talk link to it is open; one that was set apart is no neighbour, and no
feature hears of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from peerage.identity.keys import PeerId
from peerage.peer.connection import PeerConnection
from peerage.peer.limiter import ConnectionLimiter
from peerage.peer.messages import LinkKind

Listener = Callable[[PeerConnection], None]

_TALK: Final = LinkKind.TALK  # members of an enum are slow to look up


class ConnectionSet:
    """Connections by peer; tells one listener about the first talk link of a peer and the end of its last."""

    def __init__(
        self,
        limiter: ConnectionLimiter,
        connected: Listener,
        disconnected: Listener,
        is_apart: Callable[[PeerId], bool] = lambda _peer_id: False,
    ) -> None:
        self._limiter = limiter
        self._is_apart = is_apart
        self._connected = connected
        self._disconnected = disconnected
        self._by_peer: dict[PeerId, list[PeerConnection]] = {}

    def __len__(self) -> int:
        return sum(len(each) for each in self._by_peer.values())

    def all(self) -> list[PeerConnection]:
        """Return every open connection."""
        return [connection for each in self._by_peer.values() for connection in each]

    def to(self, peer_id: PeerId) -> list[PeerConnection]:
        """Return every open connection to one peer."""
        return list(self._by_peer.get(peer_id, ()))

    def talk(self, peer_id: PeerId) -> PeerConnection | None:
        """Return the talk link to a peer; of two that were dialled at once, both ends choose the same."""
        links = self._by_peer.get(peer_id)
        if links is None:
            return None
        if len(links) == 1:  # as nearly always
            only = links[0]
            return only if only.kind is _TALK and only.is_open else None
        candidates = [each for each in links if each.kind is LinkKind.TALK and each.is_open]
        return min(candidates, key=lambda each: each.outgoing is (each.local_id > peer_id), default=None)

    def all_talk(self) -> list[PeerConnection]:
        """Return one talk link for each connected peer, also for those set apart, ordered by peer id."""
        found = (self.talk(peer_id) for peer_id in sorted(self._by_peer))
        return [connection for connection in found if connection is not None]

    def neighbours(self) -> list[PeerConnection]:
        """Return one talk link for each connected peer, ordered by peer id."""
        return [each for each in self.all_talk() if not self._is_apart(each.peer_id)]

    def apart(self) -> list[PeerConnection]:
        """Return one talk link for each connected peer that was set apart, ordered by peer id."""
        return [each for each in self.all_talk() if self._is_apart(each.peer_id)]

    def talk_links(self) -> list[PeerConnection]:
        """Return every open talk link, also a second one to the same peer, in the order of the peers' first links."""
        return [each for some in self._by_peer.values() for each in some if each.kind is LinkKind.TALK and each.is_open]

    def add(self, connection: PeerConnection) -> None:
        """List a connection whose hello has come."""
        first = connection.kind is LinkKind.TALK and self.talk(connection.peer_id) is None
        self._by_peer.setdefault(connection.peer_id, []).append(connection)
        if first and not self._is_apart(connection.peer_id):
            self._connected(connection)

    def remove(self, connection: PeerConnection) -> None:
        """Take a connection that has ended off the list; harmless if it never was on it."""
        mine = self._by_peer.get(connection.peer_id, [])
        if connection not in mine:
            return
        mine.remove(connection)
        if not mine:
            del self._by_peer[connection.peer_id]
        last = connection.kind is LinkKind.TALK and self.talk(connection.peer_id) is None
        if last and not self._is_apart(connection.peer_id):
            self._disconnected(connection)
