"""Keeps neighbours up: remembered peers, those that others tell of, and the addresses it was given to begin with.

Invariant: never more dials at once than DIALS_AT_ONCE, none to a banned peer or to this node itself; a peer that does
not answer is tried more and more seldom. Only peers that this node has met itself are told to others, and what others
tell stays hearsay until its key was proved on a link.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from peerage.errors import PeerageError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.limits import (
    DIAL_PAUSE,
    DIAL_PAUSE_MAX,
    DIALS_AT_ONCE,
    EXCHANGE_INTERVAL,
    MAX_ANCHORS,
    MEET_INTERVAL,
    NEIGHBOURS_WANTED,
)
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.peer.messages import MAX_LISTED_PEERS, Listed, ListedPeer, ListPeers
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer
from peerage.peer.table import PeerInfo
from peerage.wire.message import Message

log = logging.getLogger("peerage.peer")


class Membership(Service):
    """Dials until there are enough neighbours, and keeps hearing of others."""

    name = "membership"

    def __init__(self, wanted: int = NEIGHBOURS_WANTED) -> None:
        self.wanted = wanted
        self._anchors: dict[Address, None] = {}
        self._not_before: dict[PeerId, float] = {}  # known peers that did not answer, and when to try again

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Tell of peers."""
        return ((ListPeers, self._on_list),)

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Look after the neighbours, and ask them for more."""
        return (
            Stabilizer(self.meet, MEET_INTERVAL, at_once=True),
            Stabilizer(self.exchange, EXCHANGE_INTERVAL),
        )

    def heard_of(self, peer_id: PeerId, *addresses: Address) -> None:
        """Remember a peer that somebody told of, and dial it soon if neighbours are wanted."""
        if self.peer.add_peer(peer_id, *addresses) and self._missing() > 0:
            self.peer.spawn(self._dial_known([peer_id]), "meet")

    async def join(self, addresses: Sequence[Address]) -> int:
        """Connect to these addresses, and again while there are too few neighbours; returns how many answer."""
        for address in addresses:
            if len(self._anchors) < MAX_ANCHORS:
                self._anchors[address] = None
        return await self._dial_anchors(addresses)

    async def meet(self) -> None:
        """Dial the most useful peers that are known, the anchors, and whom the neighbours tell of."""
        if self._missing() <= 0:
            return
        await self._dial_known(self._candidates())
        if self._missing() > 0 and self._anchors:
            await self._dial_anchors(list(self._anchors))
        if self._missing() > 0 and await self.exchange():
            await self._dial_known(self._candidates())

    async def exchange(self) -> int:
        """Ask a neighbour which peers it knows; returns how many were new."""
        neighbours = self.peer.neighbours()
        if not neighbours:
            return 0
        neighbour = self.peer.rng.choice(neighbours)
        try:
            listed = await neighbour.request(ListPeers())
        except PeerageError as error:
            log.info("%r told of no peers: %s", neighbour, error)
            return 0
        near = neighbour.remote.is_loopback
        return sum(self.peer.add_peer(each.peer_id, *_tellable(each.addresses, near=near)) for each in listed.peers)

    # --- inside -------------------------------------------------------------------------------------------------

    def _on_list(self, connection: PeerConnection, _message: ListPeers) -> Listed:
        """Tell a sample of the peers that this node has met, those seen last first."""
        near = connection.remote.is_loopback
        met = [each for each in self.peer.table.best() if each.proved and each.peer_id != connection.peer_id]
        sample = met[: 4 * MAX_LISTED_PEERS]
        self.peer.rng.shuffle(sample)
        listed = (ListedPeer(each.peer_id, _tellable(each.addresses, near=near)) for each in sample)
        return Listed(tuple(each for each in listed if each.addresses)[:MAX_LISTED_PEERS])

    def _missing(self) -> int:
        return self.wanted - len(self.peer.neighbours())

    def _candidates(self) -> list[PeerId]:
        """Return whom to dial now, the most useful first."""
        now = asyncio.get_running_loop().time()
        self._not_before = {
            peer_id: at for peer_id, at in self._not_before.items() if self.peer.table.get(peer_id) is not None
        }
        return [each.peer_id for each in self.peer.table.best() if self._may_dial(each, now)][: 2 * self._missing()]

    def _may_dial(self, info: PeerInfo, now: float) -> bool:
        waiting = self._not_before.get(info.peer_id, 0.0) > now
        return not waiting and self.peer.connection_to(info.peer_id) is None

    async def _dial_known(self, peer_ids: Sequence[PeerId]) -> None:
        for start in range(0, len(peer_ids), DIALS_AT_ONCE):
            if self._missing() <= 0:
                return
            await asyncio.gather(*(self._dial_one(each) for each in peer_ids[start : start + DIALS_AT_ONCE]))

    async def _dial_one(self, peer_id: PeerId) -> None:
        try:
            await self.peer.connect_to(peer_id)
        except PeerageError as error:
            log.info("a known peer cannot be reached: %s", error)
            known = self.peer.table.get(peer_id)
            pause = min(DIAL_PAUSE * 2 ** min(known.failures if known else 1, 10), DIAL_PAUSE_MAX)
            self._not_before[peer_id] = asyncio.get_running_loop().time() + pause * self.peer.rng.uniform(0.8, 1.2)
        else:
            self._not_before.pop(peer_id, None)

    async def _dial_anchors(self, addresses: Sequence[Address]) -> int:
        answered = 0
        for start in range(0, len(addresses), DIALS_AT_ONCE):
            some = addresses[start : start + DIALS_AT_ONCE]
            answered += sum(await asyncio.gather(*(self._dial_anchor(each) for each in some)))
        return answered

    async def _dial_anchor(self, address: Address) -> bool:
        try:
            await self.peer.connect(address)
        except PeerageError as error:
            log.info("%s", error)
            return False
        return True


def _tellable(addresses: Sequence[Address], *, near: bool) -> tuple[Address, ...]:
    """Leave out what only this computer can dial, unless the other side is on it too."""
    return tuple(each for each in addresses if each.is_dialable and (near or not each.is_loopback))
