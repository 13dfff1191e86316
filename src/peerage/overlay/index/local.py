"""Registers this node with the index that it serves itself: the same ledger, without a link.

Invariant: at most one task works, and none when there is nothing to do.
"""

from __future__ import annotations

import asyncio

from peerage.catalogue.index_table import Claim
from peerage.catalogue.record import decode
from peerage.errors import LimitError, RefusedError, StoreError
from peerage.identity.address import Address
from peerage.overlay.index.ledger import Ledger
from peerage.overlay.index.rules import IndexRules
from peerage.overlay.index.server import IndexServer
from peerage.overlay.index.signed import Term, make_lease, read_claim, read_lease
from peerage.overlay.reach import told_addresses
from peerage.peer.peer import Peer

_NOWHERE = Address("", 0)  # the gaps in this node's own addresses are filled by who asks


class LocalRegistration:
    """This node's records in its own index."""

    def __init__(self, peer: Peer, server: IndexServer, ledger: Ledger, rules: IndexRules) -> None:
        self._peer = peer
        self._server = server
        self._ledger = ledger
        self._rules = rules
        self._cursor = 0
        self._renew_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def idle(self) -> bool:
        """Whether the index knows all."""
        return self._task is None and not self._is_due()

    def wake(self) -> None:
        """Something has changed, or time has passed."""
        if self._task is None and not self._stopped and self._is_due():
            try:
                self._task = self._peer.spawn(self._work(), "own index registration")
            except LimitError:
                return  # the next round of upkeep tries again
            self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """End what runs; nobody is to be told of this node any more."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            await self._server.leave(self._peer.peer_id)
        except StoreError:
            self._peer.metrics.count("index_registrations_failed")

    def _is_due(self) -> bool:
        if not len(self._ledger) and not self._cursor:
            return False
        return self._cursor < self._ledger.number or self._renew_at <= asyncio.get_running_loop().time()

    def _ended(self, _task: asyncio.Task[None]) -> None:
        self._task = None

    async def _work(self) -> None:
        try:
            await self._enrol()
            while self._cursor < self._ledger.number:
                goal = self._ledger.number
                offers = self._ledger.since(self._cursor)
                await self._server.remove(self._peer.peer_id, self._ledger.removed_since(self._cursor))
                records = [decode(offer.body) for offer in offers if not offer.claim]
                claims = [(read_claim(offer.body), offer.body) for offer in offers if offer.claim]
                told = [Claim(claim.locator, claim.issued, body) for claim, body in claims]
                await self._server.put(self._peer.peer_id, records, told)
                self._cursor = goal
        except (StoreError, RefusedError):
            self._peer.metrics.count("index_registrations_failed")

    async def _enrol(self) -> None:
        """Log in; what is there from before this start is forgotten if it is not just the same."""
        now = int(self._peer.clock.time())
        term = Term(now, now + int(self._rules.lease))
        raw = make_lease(self._peer.key, told_addresses(self._peer.addresses), term, ())
        held = await self._server.enrol(read_lease(raw), raw, _NOWHERE, fresh=False)
        if held == self._ledger.held:
            self._cursor = self._ledger.number
        elif (not self._cursor and held.count) or self._cursor < self._ledger.floor:
            self._cursor = 0
            await self._server.enrol(read_lease(raw), raw, _NOWHERE, fresh=True)
        self._renew_at = asyncio.get_running_loop().time() + self._rules.lease / 2
