"""Where this node is: what it listens at, and how links and others name it.

Invariant: it is looked at every minute, as this computer may move to another network; when it has, whoever was told to
hear of it hears.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from peerage.app import listening
from peerage.app.addresses import own_addresses
from peerage.app.config import Config
from peerage.app.views import sources_of
from peerage.identity.address import Address
from peerage.identity.link import LinkSource
from peerage.peer.peer import Peer
from peerage.peer.stabilizers import Stabilizer

_INTERFACES_SECONDS: Final = 60.0


class Places(NamedTuple):
    """Where a node listens, and where others are told to dial it."""

    listening: tuple[Address, ...]
    reachable_at: tuple[Address, ...]


class Whereabouts:
    """The places of one node; `moved` is called when they have changed."""

    def __init__(self, peer: Peer, moved: Callable[[], None]) -> None:
        self._peer = peer
        self._moved = moved
        self._listening: tuple[Address, ...] = ()
        self.myself: tuple[LinkSource, ...] = ()  # how a link names this node

    @property
    def places(self) -> Places:
        """Where this node listens, and how others are told to dial it."""
        return Places(self._listening, tuple(source.address for source in self.myself))

    async def listen(self, config: Config) -> str:
        """Listen as the configuration says, and return a notice or ""; raises what listening.listen does."""
        heard = await listening.listen(self._peer, config)
        self._listening = heard.addresses
        await self._look()
        self._peer.start_stabilizer(Stabilizer(self._look, _INTERFACES_SECONDS))
        return heard.notice

    async def _look(self) -> None:
        """Learn this computer's addresses."""
        places = await self._peer.in_thread(own_addresses, self._listening)
        before, self.myself = self.myself, sources_of([(self._peer.peer_id, places)])
        if before and before != self.myself:
            self._moved()
