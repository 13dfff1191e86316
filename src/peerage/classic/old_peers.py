"""The old peers that this node knows and uses: builds up with them, asks them, and looks whether they still live.

Invariant: what they say is a claim: hits are unverified, an address that one of them tells is dialled only while the
owner has the neighbourhood built up, a bounded number of times. A round of upkeep goes over a snapshot, so peers may
come and go meanwhile. Nothing here listens; without the classic port nobody could answer a search, so none is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from typing import Any, Final

from peerage.classic.asking import Asking
from peerage.classic.building import Building
from peerage.classic.peer_table import Joined, OldPeer, PeerTable
from peerage.classic.questions import OpenQuestions
from peerage.classic.searching import OldSearch
from peerage.classic.whereabouts import Whereabouts
from peerage.errors import DialError, LimitError, LocalError
from peerage.identity.address import Address
from peerage.limits import (
    CLASSIC_HOPS,
    CLASSIC_REJOIN_SECONDS,
    CLASSIC_SEARCH_SECONDS,
    CLASSIC_TASKS,
    CLASSIC_UPKEEP_INTERVAL,
    MAX_ANCHORS,
)
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer
from peerage.peer.tasks import TaskScope
from peerage.transport.clear import ClearTransport
from peerage.wire.classic import QueryRequest, QuitRequest

_GOODBYE_SECONDS: Final = 2.0


class OldPeers(Service):
    """The 2007 neighbourhood of one node."""

    name = "old-peers"

    def __init__(self, transport: ClearTransport, whereabouts: Whereabouts) -> None:
        self.whereabouts = whereabouts
        self.table = PeerTable()
        self.questions = OpenQuestions()
        self.asking = Asking(transport)
        self._anchors: dict[Address, float] = {}  # what the owner named, and when each may be tried again

    async def start(self) -> None:
        """Begin upkeep."""
        self._tasks = TaskScope(self.peer.metrics, CLASSIC_TASKS, "old peers")

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Look who lives, and come back to those whom the owner named."""
        return (Stabilizer(self.look_round, CLASSIC_UPKEEP_INTERVAL),)

    async def stop(self) -> None:
        """End what is under way."""
        await self._tasks.close()

    async def say_goodbye(self) -> None:
        """Send QUIT to all, in little time: whom it does not reach will notice."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS), asyncio.TaskGroup() as group:
                for each in self.table.all():
                    group.create_task(self._quit(each.address))

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Run work for old peers as a task; drops it when there is too much."""
        try:
            self._tasks.start(work)
        except LimitError:
            self.peer.metrics.count("classic_refused", "busy")

    # --- whom we know -------------------------------------------------------------------------------------------

    def joined(self, peer_id: str, address: Address) -> Joined:
        """Take up a peer that says it is there."""
        return self.table.join(peer_id, address, _now())

    def knows_host(self, host: str) -> bool:
        """Whether a peer that has answered us is at a host."""
        return any(each.answered and self.whereabouts.is_from(each.address.host, host) for each in self.table.all())

    async def connect(self, address: Address, hops: int = CLASSIC_HOPS) -> OldPeer:
        """Join an old peer and those it knows, `hops` far, as the buildpeers of 2007 did; comes back to it when lost.

        Raises LocalError without a classic port, DialError when no old peer answers there.
        """
        if self.whereabouts.listening is None:
            raise LocalError("old peers answer to the classic port only: start the node with up --classic HOST:PORT")
        if self.whereabouts.is_me(address):
            raise LocalError(f"{address} is this node's own classic port")
        building = Building(self.asking, self.table, self.whereabouts)
        await building.build(address, hops)
        peer = self.table.at(address) or self.table.by_id(building.ids.get(address, ""))  # known by another address
        if peer is None:
            raise DialError(f"no peer of 2007 answers at {address}, or there are too many already")
        if len(self._anchors) < MAX_ANCHORS:
            self._anchors[address] = 0.0
        return peer

    def keep(self, address: Address) -> None:
        """Come back to a peer that may not be up yet."""
        self._anchors.setdefault(address, 0.0)

    def leave(self, address: Address) -> None:
        """Come back there no more."""
        self._anchors.pop(address, None)

    async def look_round(self) -> None:
        """Ask every known peer whether it is still itself, and join it again: it may have crashed and forgotten us."""
        async with asyncio.TaskGroup() as group:
            for each in self.table.all():
                group.create_task(self._look_at(each))
        for address, due in list(self._anchors.items()):
            if self.table.at(address) is None and due <= _now() and self.whereabouts.listening is not None:
                self._anchors[address] = _now() + CLASSIC_REJOIN_SECONDS
                await Building(self.asking, self.table, self.whereabouts).build(address, CLASSIC_HOPS)

    async def _look_at(self, known: OldPeer) -> None:
        peer_id = await self.asking.name(known.address)
        if peer_id is None:
            self.table.missed(known.address)
            return
        if self.table.at(known.address) is None:
            return  # it has left meanwhile
        self.table.met(peer_id, known.address, _now())
        if self.whereabouts.listening is not None:
            await Building(self.asking, self.table, self.whereabouts).join(known.address)

    async def _quit(self, address: Address) -> None:
        with suppress(DialError):
            await self.asking.ask_as(address, lambda local: QuitRequest(self.whereabouts.id_at(local)).frame(), bool)

    # --- what they are asked ------------------------------------------------------------------------------------

    async def forward(self, query: QueryRequest, back: Address, source: str) -> None:
        """Pass a search of another on, but not to whom it is from."""
        senders = [each for each in self.table.all() if self.whereabouts.is_from(each.address.host, source)]
        passed_by = {back} | ({senders[0].address} if len(senders) == 1 else set())
        async with asyncio.TaskGroup() as group:
            for each in self.table.all():
                if each.address not in passed_by:
                    group.create_task(self._pass_on(each.address, query))

    async def _pass_on(self, address: Address, query: QueryRequest) -> None:
        if not await self.asking.tell(address, query.frame()):
            self.table.missed(address)

    def search(self, keys: tuple[str, ...], seconds: float = CLASSIC_SEARCH_SECONDS) -> OldSearch:
        """Return a search for names that contain one of the keys; enter it to have it begin, then iterate."""
        return OldSearch(self, keys, seconds)


def _now() -> float:
    return asyncio.get_running_loop().time()
