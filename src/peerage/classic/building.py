"""Building up a neighbourhood of old peers, hop by hop, as the buildpeers of 2007.

Invariant: each address is dialled once, a bounded number in all and for a bounded time, and none that a stranger told
and that lies nearer to this node than the stranger does. Depth first, in the order of the lists. A peer that does not
let this node in is known here all the same: it can be asked.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from peerage.classic.asking import Asking, one
from peerage.classic.peer_table import Joined, PeerTable
from peerage.classic.whereabouts import Whereabouts
from peerage.errors import DialError
from peerage.identity.address import Address
from peerage.limits import CLASSIC_BUILD_DIALS, CLASSIC_BUILD_SECONDS, CLASSIC_LIST_FOLLOWED
from peerage.wire.classic import Frame, JoinRequest

MAX_HOPS: Final = 8


class Building:
    """One build-up."""

    def __init__(self, asking: Asking, table: PeerTable, whereabouts: Whereabouts) -> None:
        self._asking = asking
        self._table = table
        self._whereabouts = whereabouts
        self._visited: set[Address] = set()
        self.ids: dict[Address, str] = {}  # of all who answered

    async def build(self, address: Address, hops: int) -> None:
        """Join whoever is there and, with hops to go, those it knows, as far as CLASSIC_BUILD_SECONDS reach."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLASSIC_BUILD_SECONDS):
                await self._build(address, min(hops, MAX_HOPS))

    async def _build(self, address: Address, hops: int) -> None:
        if len(self._visited) >= CLASSIC_BUILD_DIALS or address in self._visited or hops < 1:
            return
        self._visited.add(address)
        if not await self._meet(address) or hops == 1:
            return
        for told in await self._asking.listing(address, CLASSIC_LIST_FOLLOWED):
            place = Address(told.host, told.port)
            if self._whereabouts.may_follow(place, address) and not self._whereabouts.is_me(place):
                await self._build(place, hops - 1)

    async def join(self, address: Address) -> None:
        """Ask whoever is there to know this node; whatever it answers, it lives."""
        try:
            await self._asking.ask_as(address, self._join_request, one)
        except DialError:
            self._table.missed(address)

    async def _meet(self, address: Address) -> bool:
        peer_id = await self._asking.name(address)
        if peer_id is None:
            return False
        self.ids[address] = peer_id
        if self._table.met(peer_id, address, _now()) is not Joined.ADDED:
            return False
        await self.join(address)
        return True

    def _join_request(self, local: Address) -> Frame:
        me = self._whereabouts.address_at(local)
        return JoinRequest(str(me), me.host, me.port).frame()


def _now() -> float:
    return asyncio.get_running_loop().time()
