"""Which links last: holds, the end of idle links, and room for newcomers.

Invariant: a link that anybody holds is never closed here, nor one on which somebody waits for something. The side that
dialled closes what has been idle for LINK_IDLE seconds, or fewer where it was made for a question or two; the side that
accepted closes only when its places run out, the least useful link first, and never one that was used in the last
moments. Pings are no use of a link.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from peerage.identity.keys import PeerId
from peerage.limits import LINK_IDLE, PRESSURE_GRACE, Limits
from peerage.peer.connection import PeerConnection
from peerage.peer.limiter import ConnectionLimiter
from peerage.peer.links import ConnectionSet
from peerage.peer.messages import LinkKind
from peerage.peer.metrics import Metrics
from peerage.peer.table import PeerTable

log = logging.getLogger("peerage.peer")

_LONG_LIVED: Final = 1800.0  # seconds after which a link has shown that it lasts
_GRAIN: Final = LINK_IDLE / 8  # seconds between two looks at the idle links at the least
_ROOM: Final = 16  # one place in so many is kept free under pressure


class LinkKeeper:
    """Holds by peer, and the rules for links that nobody holds; one timer, set only while such a link is open."""

    def __init__(self, links: ConnectionSet, limiter: ConnectionLimiter, table: PeerTable, metrics: Metrics) -> None:
        self._links = links
        self._limiter = limiter
        self._table = table
        self._metrics = metrics
        self._holds: dict[PeerId, set[str]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0  # when it rings

    # --- holds ----------------------------------------------------------------------------------------------------

    def hold(self, peer_id: PeerId, reason: str) -> None:
        """Keep links to this peer, now and later, until `release` with the same reason."""
        self._holds.setdefault(peer_id, set()).add(reason)

    def release(self, peer_id: PeerId, reason: str) -> None:
        """Take one reason back; harmless when it was not there."""
        reasons = self._holds.get(peer_id)
        if reasons is None:
            return
        reasons.discard(reason)
        if not reasons:
            del self._holds[peer_id]
            if self._links.talk(peer_id) is not None:
                self._look_in(LINK_IDLE)

    def is_held(self, peer_id: PeerId) -> bool:
        """Whether anybody wants links to this peer to last."""
        return peer_id in self._holds

    # --- idle links -----------------------------------------------------------------------------------------------

    def opened(self, connection: PeerConnection, limits: Limits) -> None:
        """A link came up: watch it if it may become idle, and make room for the next."""
        if connection.outgoing and connection.kind is LinkKind.TALK:
            self._look_in(LINK_IDLE)
        if self._limiter.total > limits.connections - max(1, limits.connections // _ROOM):
            self._make_room(connection)

    def soon(self, connection: PeerConnection, seconds: float) -> None:
        """Close a link that this side dialled as soon as it was idle for so long, if nobody holds it then."""
        connection.idle = min(connection.idle, seconds)
        self._look_in(seconds)

    def close(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + max(seconds, _GRAIN)
        if self._timer is not None:
            if due >= self._due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = loop.call_at(due, self._look)

    def _look(self) -> None:
        """Close what has been idle for long, and come back when the next link may be."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        watched = [each for each in self._links.talk_links() if each.outgoing and not self._lasts(each)]
        fresh = [each for each in watched if each.is_busy or now - each.last_used < each.idle]
        if fresh:
            self._look_in(min(each.last_used + each.idle for each in fresh) - now)
        for connection in watched:
            if not connection.is_busy and now - connection.last_used >= connection.idle:
                self._end(connection, "idle")

    def _lasts(self, connection: PeerConnection) -> bool:
        """Whether a link is held; of two to one peer only that which is used."""
        return self.is_held(connection.peer_id) and self._links.talk(connection.peer_id) is connection

    # --- room -----------------------------------------------------------------------------------------------------

    def _make_room(self, newcomer: PeerConnection) -> None:
        """Close the least useful link that others have made and nobody here holds, if there is one."""
        now = asyncio.get_running_loop().time()
        idle = [each for each in self._links.talk_links() if each is not newcomer and self._may_go(each, now)]
        if idle:
            self._end(min(idle, key=lambda each: self._worth(each, now)), "pressure")

    def _may_go(self, connection: PeerConnection, now: float) -> bool:
        if connection.outgoing or connection.is_busy or self.is_held(connection.peer_id):
            return False
        known = self._table.get(connection.peer_id)
        return now - connection.last_used >= PRESSURE_GRACE and not (known is not None and known.kept)

    def _worth(self, connection: PeerConnection, now: float) -> tuple[bool, bool, float]:
        known = self._table.get(connection.peer_id)
        useful = known is not None and known.useful
        return (useful, now - connection.opened >= _LONG_LIVED, connection.last_used)

    def _end(self, connection: PeerConnection, why: str) -> None:
        log.info("%r is closed: %s", connection, why)
        self._metrics.count("links_closed", why)
        connection.close(f"this side closed the link: {why}")
