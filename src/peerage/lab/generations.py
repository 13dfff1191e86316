"""The generations of peer-to-peer networks that the lab compares: for each, how a node is equipped and how it joins.

Invariant: an entry mounts the same classes as app/node.py does, with the same defaults; where it deviates, because a
baseline must be as it was, its docstring says so. To put an overlay of one's own into the lab, subclass Generation and
add it to GENERATIONS (docs/lab.md shows how).
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec

from peerage.errors import LocalError
from peerage.identity.address import Address
from peerage.lab.host_cache import HostCache
from peerage.lab.member import Member
from peerage.overlay.base import Overlay
from peerage.overlay.flood import FloodOverlay
from peerage.overlay.flood.state import FloodRules
from peerage.peer.membership import Membership

_UNBOUNDED: Final = 1e9


class Generation(ABC):
    """One way to build a network; one object serves all nodes of a world."""

    name: ClassVar[str]
    title: ClassVar[str]
    codes: ClassVar[frozenset[bytes]]  # messages that are query traffic; all others count as upkeep
    ttl: ClassVar[int] = 4  # links that a question may travel, where that means something
    settle: ClassVar[float] = 60.0  # seconds from the last join until the network is as it will stay
    servers: ClassVar[int] = 0  # how many seats, from the first, are index servers

    @classmethod
    def most_queries(cls, peers: int) -> int:  # noqa: ARG003 -- subclasses look at it
        """Return how many queries of a workload are worth running in a world of this size."""
        return sys.maxsize

    @abstractmethod
    def overlay(self, member: Member) -> Overlay:
        """Return the overlay of a node, not yet mounted."""

    async def equip(self, member: Member) -> None:
        """Mount everything on a node that knows nobody yet."""
        member.membership = Membership()
        await member.node.peer.mount(member.membership)
        await self.mount_overlay(member)

    async def mount_overlay(self, member: Member) -> None:
        """Mount the overlay and publish what the node holds."""
        member.overlay = self.overlay(member)
        await member.node.peer.mount(member.overlay)
        member.node.peer.start_pings()
        await member.overlay.publish(member.held.records())

    async def join(self, member: Member, known: Sequence[Address]) -> None:
        """Connect a node; `known` are a few addresses of nodes that are there."""
        if member.membership is not None:
            await member.membership.join(known)


class Flood2001(Generation):
    """Gnutella 0.4 as the deck describes it: every question goes to everybody within seven links.

    A client keeps four links (Ripeanu, Foster, Iamnitchi 2002 measured 3.4 on average), found in a host cache, and
    relays without a rate; PING flooding, which made half of the traffic then, is left out.
    """

    name = "flood-2001"
    title = "plain flooding, ttl 7 (Gnutella 0.4)"
    codes = frozenset({b"QUER", b"HITS", b"SEEK", b"HELD"})
    ttl = 7
    _links: ClassVar[int] = 2  # dialled by each side, so that a node has four
    _messages: ClassVar[int] = 3_000_000  # of all queries together: minutes of work, and more than enough for a mean

    def __init__(self) -> None:
        self._caches: dict[int, HostCache] = {}

    @classmethod
    def most_queries(cls, peers: int) -> int:
        """Return how many are worth running: each costs about three messages a peer."""
        return max(cls._messages // (3 * peers), 60)

    def overlay(self, member: Member) -> Overlay:
        """Return plain flooding without bounds on its rate."""
        rules = msgspec.structs.replace(
            FloodRules.classic_2001(),
            incoming_rate=_UNBOUNDED,
            incoming_burst=_UNBOUNDED,
            relayed_rate=_UNBOUNDED,
            relayed_burst=_UNBOUNDED,
        )
        return FloodOverlay(member.shelf, rules)

    async def equip(self, member: Member) -> None:
        """Mount the host cache instead of the membership."""
        cache = HostCache(self._links)
        await member.node.peer.mount(cache)
        await self.mount_overlay(member)
        self._caches[member.seat] = cache

    async def join(self, member: Member, known: Sequence[Address]) -> None:
        """Dial addresses of the list."""
        await self._caches[member.seat].join(known)


class Flood(Generation):
    """Gnutella as it ended up: a well-knit mesh, keyword tables for the last hop, dynamic querying."""

    name = "flood"
    title = "second generation, Gnutella"
    codes = Flood2001.codes

    def overlay(self, member: Member) -> Overlay:
        """Return flooding as a node has it: over the links of the mesh."""
        membership = member.membership
        assert membership is not None
        return FloodOverlay(member.shelf, links=membership.active)


GENERATIONS: Final[dict[str, type[Generation]]] = {each.name: each for each in (Flood2001, Flood)}
"""Every generation by name, in the order of history."""


def chosen(names: str) -> list[str]:
    """Return the generations that `names` means: "all", or names with commas between them; LocalError lists them."""
    wanted = list(GENERATIONS) if names == "all" else [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in GENERATIONS]
    if unknown or not wanted:
        which = f"no overlay called {unknown[0]!r}" if unknown else "no overlay named"
        raise LocalError(f"{which}; choose from: all, {', '.join(GENERATIONS)}")
    return list(dict.fromkeys(wanted))
