"""Routers: the next hop towards a peer id.

Invariant: a router only says where to go next; it sends nothing. Several may be present; the one added last is asked
first, and the first that knows a way decides, so the built-in neighbour router is what remains.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from peerage.errors import LocalError, NoRouteError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, format_id
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


class RouterChain:
    """The routers of one peer."""

    def __init__(self, last: Router) -> None:
        self._routers: list[Router] = [last]

    def add(self, router: Router) -> None:
        """Ask this one before all others."""
        self._routers.insert(0, router)

    def remove(self, router: Router) -> None:
        """Ask it no more; LocalError when it was not there."""
        if router not in self._routers:
            raise LocalError("that router was never added")
        self._routers.remove(router)

    def next_hop(self, peer_id: PeerId) -> NextHop:
        """Return the first answer; raises NoRouteError when none knows a way."""
        for router in self._routers:
            hop = router(peer_id)
            if hop is not None:
                return hop
        raise NoRouteError(f"no way to {format_id(peer_id)} is known")
