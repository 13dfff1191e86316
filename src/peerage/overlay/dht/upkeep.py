"""Keeps one node's table in order: joining, and a little checking at every round of one stabilizer.

Invariant: one join runs at a time, and a round asks a fixed small number of peers, however large the table. Kademlia's
refresh of whole buckets is spread out: each round asks the contact that was silent longest who is nearest to it, and
one of the nearest who is nearest to this node, which checks both, brings news of newcomers, and shows how large the
network is.
"""

from __future__ import annotations

import asyncio
from typing import Final

from peerage.errors import LimitError, PeerageError
from peerage.identity.keys import PeerId
from peerage.overlay.dht.contacts import Contact, believable, number_of
from peerage.overlay.dht.messages import Look
from peerage.overlay.dht.node import DhtNode, Errand
from peerage.peer.connection import PeerConnection

_HOLD: Final = "dht"  # why links to the nearest are kept
_REJOIN_ROUNDS: Final = 5  # rounds until the first join is repeated: the rounds in between do most of it
_REJOIN: Final = 3.0  # each time that much longer after the join before
_REJOIN_MAX: Final = 3600.0
_NEAR: Final = 8  # nearest contacts of which one is asked at each round
_EXPIRE_ROUNDS: Final = 10
_FEW: Final = 4  # contacts below which every link that comes up may change the picture


class Upkeep:
    """The upkeep of one node."""

    def __init__(self, node: DhtNode) -> None:
        self._node = node
        self._rng = node.peer.rng
        self._joining: asyncio.Task[None] | None = None
        self._joined_at: float | None = None
        self._gap = _REJOIN_ROUNDS * node.rules.upkeep
        self._rounds = 0
        self._held: set[PeerId] = set()

    @property
    def joined(self) -> bool:
        """Whether a join has ended since the start."""
        return self._joined_at is not None

    def close(self) -> None:
        """Hold no links any more."""
        for peer_id in self._held:
            self._node.peer.release(peer_id, _HOLD)
        self._held.clear()

    # --- joining ----------------------------------------------------------------------------------------------------

    def linked(self, connection: PeerConnection) -> None:
        """A link came up: while few contacts are known it may lead to more."""
        if len(self._node.table) < _FEW and connection.peer_id not in self._node.table:
            self.join_soon()

    def join_soon(self) -> None:
        """Join a moment from now, if that is not under way."""
        if self._joining is not None and not self._joining.done():
            return  # links that come up while it walks are mostly its own
        try:
            self._joining = self._node.peer.spawn(self._join_after(self._node.rules.join_delay), "dht-join")
        except LimitError:
            self._node.peer.metrics.count("dht_joins", "refused")

    async def settle(self) -> None:
        """Join at once if no join has run since the last news, and wait for what is under way."""
        if self._joining is not None and not self._joining.done():
            await asyncio.wait([self._joining])
        elif not self.joined and self._node.peer.neighbours():
            await self.join()
        await self._node.quiet.wait()

    async def _join_after(self, delay: float) -> None:
        await asyncio.sleep(delay)
        await self.join()

    async def join(self) -> int:
        """Walk towards this node's own id, which makes it known to its neighbours; returns how many contacts it has."""
        node = self._node
        await node.walk(Errand(node.number, node.now() + node.rules.deadline))
        self._joined_at = node.now()
        node.peer.metrics.count("dht_joins")
        self._hold_nearest()
        node.on_contact()
        return len(node.table)

    # --- one round --------------------------------------------------------------------------------------------------

    async def round(self) -> None:
        """Look at what is due."""
        node = self._node
        self._rounds += 1
        if self._rounds % _EXPIRE_ROUNDS == 0:
            node.keeper.shelves.expire(node.peer.clock.time())
        if self._joined_at is None or not len(node.table):
            if node.peer.neighbours() or len(node.peer.table):
                await self.join()
            return
        if node.now() - self._joined_at >= self._gap:
            self._gap = min(_REJOIN_MAX, _REJOIN * self._gap)
            await self.join()
            return
        await self._ask_nearest()
        for _ in range(max(0, node.rules.checks - 1)):
            await self._check_one()
        self._hold_nearest()

    async def _ask_nearest(self) -> None:
        """Ask one of the nearest for this node itself."""
        node = self._node
        nearest = node.table.neighbours(node.rules.bucket)
        if nearest:
            node.measure_home()
            await self._ask(self._rng.choice(nearest[:_NEAR]), node.number)

    async def _check_one(self) -> None:
        """Check who was silent longest, or see whether a spare can be reached."""
        node = self._node
        spare = node.table.take_spare()
        if spare is not None and not node.is_banned(spare.peer_id):
            node.probe(spare)
            return
        contact = node.table.stalest(node.now(), node.rules.upkeep)
        if contact is not None:
            number = number_of(contact.peer_id)
            told = await self._ask(contact, number)
            node.size.note(sorted(number_of(each.peer_id) ^ number for each in told), node.now())

    async def _ask(self, contact: Contact, point: int) -> list[Contact]:
        node = self._node
        try:
            connection, seen = await node.caller.call(contact, Look(point.to_bytes(32, "big"), node.serving))
        except PeerageError as error:
            node.did_not_answer(contact, error)
            return []
        told = list(believable(seen.contacts, near=connection.remote.is_loopback))
        node.did_answer(contact, connection, seen, told)
        for each in told:
            node.consider(each)
        return told

    def _hold_nearest(self) -> None:
        """Keep links to the few nearest, who should notice first when this node goes, and it when they do."""
        node = self._node
        wanted = {each.peer_id for each in node.table.neighbours(node.rules.held)}
        for peer_id in self._held - wanted:
            node.peer.release(peer_id, _HOLD)
        for peer_id in wanted - self._held:
            node.peer.hold(peer_id, _HOLD)
        self._held = wanted
