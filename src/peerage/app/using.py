"""Puts settings to use in a node: those of the start, and those that are changed while it runs.

Invariant: a setting that is used at once is used in full, or the change is refused before; for every other setting the
node goes on as it was started. What the configuration of the running node says (`node.config`) is what is in use.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final

from peerage.app import logs
from peerage.app.config import Config, value_of, with_value
from peerage.app.lan import Lan
from peerage.app.overlays import named_indexes
from peerage.app.starting import addresses_to_join
from peerage.identity.address import Address, parse_address

if TYPE_CHECKING:
    from peerage.app.node import Node

_LOOKED_AT: Final = ("downloads", "folders")  # read whenever they are needed
_AT_ONCE: Final = ("limits.", "schedule.", "log.")


class Using:
    """What is in use in one node."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def at_once(self, name: str) -> bool:
        """Whether a change of this setting is used without a restart."""
        if name == "index":
            return self._node.overlays.has_index
        if name == "classic_connect":
            return self._node.classic.address is not None
        return name.startswith(_AT_ONCE) or name in {*_LOOKED_AT, "browse", "connect", "lan"}

    async def begin(self) -> None:
        """Begin to look for peers, as the settings say."""
        self._join(addresses_to_join(self._node.config))
        await self._look_on_lan(wanted=self._node.config.lan)

    async def use(self, wanted: Config, names: Collection[str]) -> None:
        """Use what `wanted` says of these settings; those that need a restart are passed over."""
        node, before = self._node, self._node.config
        for name in filter(self.at_once, names):
            node.config = with_value(node.config, name, value_of(wanted, name))
        now = node.config
        node.throttle.use(now.limits, now.schedule)
        if now.log != before.log:
            logs.adjust(now.log)
        if now.browse != before.browse:
            node.shelves.admit(now.browse)
        if now.classic_connect != before.classic_connect:
            node.classic.use(tuple(map(parse_address, now.classic_connect)))
        if (now.connect, now.index) != (before.connect, before.index):
            self._meet(before, now)
        await self._look_on_lan(wanted=now.lan)

    async def refresh(self) -> list[str]:
        """Read again what settings name, and return whose content is another now; raises ConfigError."""
        certificate = self._node.certificate
        if certificate is not None and await self._node.peer.in_thread(certificate.renew):
            return ["remote.certificate"]
        return []

    # --- inside -------------------------------------------------------------------------------------------------

    def _meet(self, before: Config, now: Config) -> None:
        """Connect to whom the settings name now, and let go of whom they name no more."""
        node, wanted = self._node, addresses_to_join(now)
        left = [address for address in addresses_to_join(before) if address not in wanted]
        node.membership.leave(left)
        self._each_linked(left, node.peer.release)
        node.overlays.use_indexes(named_indexes(now)[0])
        self._join([address for address in wanted if address not in addresses_to_join(before)])

    def _join(self, addresses: Sequence[Address]) -> None:
        async def join() -> None:
            await self._node.membership.join(addresses)
            self._each_linked(addresses, self._node.peer.hold)

        if addresses:
            self._node.peer.spawn(join(), "join")

    def _each_linked(self, addresses: Collection[Address], do: Callable[..., None]) -> None:
        """Hold, or release, the links that were dialled at these addresses."""
        for connection in self._node.peer.neighbours():
            if connection.dialled in addresses:
                do(connection.peer_id, "user")

    async def _look_on_lan(self, *, wanted: bool) -> None:
        node = self._node
        if wanted and node.lan is None:
            node.lan = Lan(node.places.reachable_at, node.found)
            await node.peer.mount(node.lan)
        elif not wanted and node.lan is not None:
            lan, node.lan = node.lan, None
            await node.peer.unmount(lan)
