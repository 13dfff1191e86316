"""What the parts of a supernode overlay share: the peer, the rules, whom one knows, and the ways to reach them.

Invariant: what others tell of supernodes comes in only here, at a bounded rate, and only addresses that can be dialled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable
from typing import Final

from peerage.errors import DialError, LimitError, LinkError
from peerage.identity.keys import PeerId
from peerage.limits import SUPERNODE_NEWS_BURST, SUPERNODE_NEWS_RATE, SUPERNODES_TOLD
from peerage.overlay.paces import Paces
from peerage.overlay.reach import reachable, told_addresses
from peerage.overlay.supernode.known import KnownSupernodes
from peerage.overlay.supernode.messages import SupernodeAt
from peerage.overlay.supernode.rules import SupernodeRules
from peerage.peer.connection import PeerConnection
from peerage.peer.messages import Addresses
from peerage.peer.peer import Peer
from peerage.peer.subnet import sayable
from peerage.wire.message import Message

_TELLERS: Final = 512  # links whose news are counted


class Surroundings:
    """The surroundings of one overlay."""

    def __init__(self, peer: Peer, rules: SupernodeRules) -> None:
        self.peer = peer
        self.rules = rules
        self.serves = False  # whether this node is one
        self.known = KnownSupernodes(peer.peer_id, per_subnet=rules.per_subnet)
        self._tellers = Paces(SUPERNODE_NEWS_RATE, SUPERNODE_NEWS_BURST, _TELLERS)

    @property
    def own_addresses(self) -> Addresses:
        """What to tell others about where this node listens."""
        return told_addresses(self.peer.addresses)

    def now(self) -> float:
        """Return the time of the event loop in seconds."""
        return asyncio.get_running_loop().time()

    def hear(self, connection: PeerConnection, told: Iterable[SupernodeAt]) -> int:
        """Take note of what a peer tells, unless it tells too often; returns how many are new."""
        if not self._tellers.take(connection.peer_id, 1, self.now()):
            self.peer.metrics.count("supernode_news_dropped")
            return 0
        news = 0
        for each in told:
            itself = each.peer_id == connection.peer_id
            dialable = reachable(each.addresses, connection.remote, first_hop=itself)
            if not self.is_banned(each.peer_id):
                news += self.known.hear(SupernodeAt(each.peer_id, sayable(dialable, connection.remote)))
        return news

    def met(self, connection: PeerConnection, told: Addresses = ()) -> None:
        """The peer at the other end is a supernode; `told` is where it says it listens."""
        known = self.peer.table.get(connection.peer_id)
        addresses = reachable(told, connection.remote, first_hop=True)
        self.known.met(SupernodeAt(connection.peer_id, (*addresses, *(known.addresses if known else ()))[:8]))

    def to_tell(self, connection: PeerConnection, among: Container[PeerId] | None = None) -> tuple[SupernodeAt, ...]:
        """Return supernodes of which the peer at the other end can be told, this node first if it is one."""
        some = self.known.to_tell(self.peer.rng, self.now(), among)
        checked = ((each.peer_id, sayable(each.addresses, connection.remote)) for each in some)
        others = [SupernodeAt(peer_id, kept) for peer_id, kept in checked if kept and peer_id != connection.peer_id]
        own = [SupernodeAt(self.peer.peer_id, self.own_addresses)] if self.serves else []
        return (*own, *others)[:SUPERNODES_TOLD]

    def is_banned(self, peer_id: PeerId) -> bool:
        """Whether the owner of this node wants nothing of a peer."""
        known = self.peer.table.get(peer_id)
        return known is not None and known.banned

    async def reach(self, peer_id: PeerId) -> PeerConnection:
        """Return a link to a known supernode: the one there is, or a new one; raises LinkError or LimitError."""
        connection = self.peer.connection_to(peer_id)
        if connection is not None:
            return connection
        known = self.known.get(peer_id)
        error: LinkError | LimitError = DialError("it is not known where that supernode is")
        for address in known.addresses if known else ():
            try:
                return await self.peer.connect(address, peer_id)
            except LinkError as failure:
                error = failure
        raise error

    def send(self, peer_id: PeerId, message: Message) -> None:
        """Send something to a linked peer, if it is still there and takes it."""
        connection = self.peer.connection_to(peer_id)
        if connection is not None:
            self.tell(connection, message)

    def tell(self, connection: PeerConnection, message: Message) -> None:
        """Send over a link, if it takes it."""
        try:
            connection.send(message)
        except (LinkError, LimitError):
            self.peer.metrics.count("supernode_messages_lost")
