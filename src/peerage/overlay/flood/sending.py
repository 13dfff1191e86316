"""Sending over links that may be slow or gone, and counting what happens, under the name of the overlay.

Invariant: a message for a link that does not take it is dropped and counted; nobody waits for a slow link.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from peerage.errors import LimitError, LinkError
from peerage.identity.keys import PeerId
from peerage.limits import SLOW_LINK
from peerage.overlay.flood.messages import Family
from peerage.peer.connection import PeerConnection
from peerage.peer.peer import Peer

Links = Callable[[], Sequence[PeerConnection]]
"""To whom questions go, and from whom they are taken."""


class Sender:
    """Sends and counts for one overlay."""

    def __init__(self, peer: Peer, family: Family) -> None:
        self.family = family
        self._peer = peer
        self._metrics = peer.metrics
        self._names: dict[str, str] = {}  # of counters; fixed by the code
        self._dropped = f"{family.name}_dropped"
        self._refused = f"{family.name}_refused"

    def send(self, connection: PeerConnection, frame: bytes) -> bool:
        """Send an encoded message; False when the link does not take it."""
        try:
            if connection.unsent > SLOW_LINK:
                self.drop("slow-link")
                return False
            connection.send_encoded(frame)
        except (LinkError, LimitError):
            self.drop("lost")
            return False
        return True

    def give(self, peer_id: PeerId, frame: bytes) -> bool:
        """Send to a neighbour, if it is still there."""
        connection = self._peer.connection_to(peer_id)
        if connection is None:
            self.drop("lost")
            return False
        return self.send(connection, frame)

    def count(self, what: str, amount: int = 1) -> None:
        """Count something that went well."""
        name = self._names.get(what)
        if name is None:
            name = self._names[what] = f"{self.family.name}_{what}"
        self._metrics.count(name, "", amount)

    def drop(self, reason: str) -> None:
        """Count a message that goes no further."""
        self._metrics.count(self._dropped, reason)

    def refuse(self, reason: str) -> None:
        """Count something untrue, or not for this node."""
        self._metrics.count(self._refused, reason)
