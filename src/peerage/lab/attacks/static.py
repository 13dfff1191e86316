"""Networks that look after nothing: links are made once, and what is lost stays lost: the bare side of some attacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from peerage.identity.address import Address
from peerage.lab.generations import Flood
from peerage.lab.host_cache import HostCache
from peerage.lab.member import Member
from peerage.overlay.base import Overlay
from peerage.overlay.flood import FloodOverlay

_DIALLED: Final = 3  # by each node, so that it has about as many links as the mesh gives it


class StaticFlood(Flood):
    """Flooding over links that nobody makes again."""

    def __init__(self) -> None:
        self._caches: dict[int, HostCache] = {}

    def overlay(self, member: Member) -> Overlay:
        """Return flooding over all links."""
        return FloodOverlay(member.shelf)

    async def equip(self, member: Member) -> None:
        """Mount a host cache that dials once."""
        cache = self._caches[member.seat] = HostCache(_DIALLED, redials=False)
        await member.node.peer.mount(cache)
        await self.mount_overlay(member)

    async def join(self, member: Member, known: Sequence[Address]) -> None:
        """Dial."""
        await self._caches[member.seat].join(known)
