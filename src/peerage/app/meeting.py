"""Keeps neighbours up: peers named in the configuration, remembered ones, and those the local network tells of.

Invariant: never more dials at once than there are places left, and none to a banned peer or to this node itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Final

from peerage.errors import PeerageError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer

log = logging.getLogger("peerage.app")

_WANTED: Final = 6
_ROUND: Final = 15.0


class Membership(Service):
    """Dials until there are enough neighbours."""

    name = "membership"

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Look after the neighbours."""
        return (Stabilizer(self._meet, _ROUND, at_once=True),)

    def heard_of(self, peer_id: PeerId | None, address: Address) -> None:
        """Remember an address that somebody told of."""
        if peer_id is not None:
            self.peer.add_peer(peer_id, address)

    async def join(self, addresses: Sequence[Address]) -> None:
        """Connect to these addresses; those that do not answer are passed over."""
        await asyncio.gather(*(self._dial(address) for address in addresses))

    async def _dial(self, address: Address) -> None:
        try:
            await self.peer.connect(address)
        except PeerageError as error:
            log.info("%s: %s", address, error)

    async def _meet(self) -> None:
        missing = _WANTED - len(self.peer.neighbours())
        for info in self.peer.table.best():
            if missing <= 0:
                return
            if self.peer.connection_to(info.peer_id) is None:
                missing -= 1
                try:
                    await self.peer.connect_to(info.peer_id)
                except PeerageError as error:
                    log.info("%s", error)
