"""Routers: the next hop towards a peer id.

Invariant: a router only says where to go next; it sends nothing. Several may be present; they are asked in the order in
which they were added and the first that knows a way decides.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.peer.table import PeerTable


class NextHop(msgspec.Struct, frozen=True):
    """The peer to hand a message to, and where it may be dialled if there is no link to it yet."""

    peer_id: PeerId
    addresses: tuple[Address, ...] = ()


Router = Callable[[PeerId], NextHop | None]


def neighbour_router(table: PeerTable) -> Router:
    """Return the router that knows every known peer as its own next hop (the 2007 SimpleRouter)."""

    def route(peer_id: PeerId) -> NextHop | None:
        known = table.get(peer_id)
        return None if known is None else NextHop(peer_id, known.addresses)

    return route
