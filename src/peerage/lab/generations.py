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

from peerage.catalogue.record_index import RecordIndex
from peerage.errors import LocalError
from peerage.identity.address import Address
from peerage.lab.host_cache import HostCache
from peerage.lab.member import Member
from peerage.lab.shelf_overlay import ShelfOverlay
from peerage.limits import LINK_IDLE, SEARCH_TTL
from peerage.overlay.base import Overlay
from peerage.overlay.dht import DhtOverlay, DhtRules
from peerage.overlay.flood import FloodOverlay
from peerage.overlay.flood.state import FloodRules
from peerage.overlay.index import IndexOverlay, IndexRules
from peerage.overlay.planner import Planner
from peerage.overlay.supernode import Setting, SupernodeOverlay, SupernodeRules
from peerage.peer.membership import Membership
from peerage.peer.reachability import Reachability

_UNBOUNDED: Final = 1e9
# Proofs of work cost the publisher's processor, not the network, and one processor has to do them for all nodes here.
CHEAP_STAMPS: Final = DhtRules(stamp_bits=1)
# Whoever has been there for a minute counts as steady: the whole world is a few minutes old.
YOUNG_WORLD: Final = SupernodeRules(uptime=30.0, steady=30.0, idle=60.0)


class Generation(ABC):
    """One way to build a network; one object serves all nodes of a world."""

    name: ClassVar[str]
    title: ClassVar[str]
    codes: ClassVar[frozenset[bytes]]  # messages that are query traffic; all others count as upkeep
    ttl: ClassVar[int] = SEARCH_TTL  # links that a question may travel, where that means something: as in a node
    settle: ClassVar[float] = 60.0  # seconds from the last join until the network is as it will stay
    servers: ClassVar[int] = 0  # how many seats, from the first, are index servers
    mesh: ClassVar[bool] = True  # whether open links are what holds the network together
    compared: ClassVar[bool] = True  # whether it is meant by "all"; others are for a question of their own

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
    ttl = 7  # whatever a node of today does
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


class Index1999(Generation):
    """Napster as the deck describes it: one index, which everybody believes and nobody can replace."""

    name = "index-1999"
    title = "one central index (Napster)"
    codes = frozenset({b"IXQR", b"IXSK"})
    settle = LINK_IDLE + 30.0  # links over which peers have registered are closed by then
    servers = 1
    mesh = False

    def overlay(self, member: Member) -> Overlay:
        """Return the index of 1999, used or served."""
        return self.index_overlay(member, IndexRules.classic_1999())

    async def equip(self, member: Member) -> None:
        """Mount nothing but the index: clients of 1999 did not know each other."""
        await self.open_index(member)
        await self.mount_overlay(member)

    async def open_index(self, member: Member) -> None:
        """Open the database of a server."""
        if member.seat < self.servers:
            member.index = await RecordIndex.open(None, member.node.peer.executor)
            member.node.stack.push_async_callback(member.index.close)

    def index_overlay(self, member: Member, rules: IndexRules) -> Overlay:
        """Return the overlay of a client that knows the servers, or of a server."""
        others = tuple(each for each in member.servers if each.peer_id != member.node.peer.peer_id)
        return IndexOverlay(member.shelf, serve=member.index, indexes=others, rules=rules)


class Index(Index1999):
    """Indexes that nobody has to believe or to rely on: four of them, each client uses several."""

    name = "index"
    title = "first generation, several indexes"
    servers = 4
    mesh = True

    def overlay(self, member: Member) -> Overlay:
        """Return the index overlay as a node has it."""
        return self.index_overlay(member, IndexRules())

    async def equip(self, member: Member) -> None:
        """Mount the membership, too, by which indexes are announced."""
        await self.open_index(member)
        await Generation.equip(self, member)


class Supernode(Generation):
    """FastTrack: nodes that are up to it elect themselves, and answer for the others."""

    name = "supernode"
    title = "elected supernodes (FastTrack)"
    codes = frozenset({b"SNAS", b"SNSE", b"SNQU", b"SNSK", b"SNHI", b"SNHE", *Flood2001.codes})
    settle = 180.0  # nodes are elected, leaves attach; what was too much steps down, and its leaves move
    rules = YOUNG_WORLD

    def overlay(self, member: Member) -> Overlay:
        """Return supernodes as a node has them."""
        return _supernode(member, self.rules)

    async def equip(self, member: Member) -> None:
        """Mount what says whether a node can be dialled, too."""
        await _mount_reachability(member)
        await super().equip(member)


class Dht(Generation):
    """Kademlia: who holds what stands with the peers whose ids are nearest to its key."""

    name = "dht"
    title = "hash table, Kademlia"
    codes = frozenset({b"LOOK"})
    settle = 240.0  # reachability has to be found out, then everything is published

    def overlay(self, member: Member) -> Overlay:
        """Return the table as a node has it."""
        return DhtOverlay(member.shelf, reachable=member.is_reachable, rules=CHEAP_STAMPS)

    async def equip(self, member: Member) -> None:
        """Mount what says whether a node can be dialled, too."""
        await _mount_reachability(member)
        await super().equip(member)


class Auto(Dht):
    """What a node does by itself: one search over all overlays, cheap ones first."""

    name = "auto"
    title = "all of them, by need"
    codes = Flood.codes | Index.codes | Supernode.codes | Dht.codes
    settle = max(Dht.settle, Supernode.settle)

    def overlay(self, member: Member) -> Overlay:
        """Return a planner over the overlays of a node, which are mounted with it."""
        assert member.membership is not None
        flood = FloodOverlay(member.shelf, links=member.membership.active)
        index = IndexOverlay(member.shelf)
        return Planner((flood, index, _supernode(member, YOUNG_WORLD), super().overlay(member)))

    async def mount_overlay(self, member: Member) -> None:
        """Mount the planner's overlays."""
        await _mount_planned(member, self.overlay(member))


class PlannedSupernode(Supernode):
    """What `peerage up --overlay supernode` does: a planner over its own shelf, its neighbours and supernodes."""

    name = "supernode-planner"
    title = "supernodes and neighbours, by need"
    compared = False

    def overlay(self, member: Member) -> Overlay:
        """Return a planner over the overlays of such a node, which are mounted with it."""
        assert member.membership is not None
        flood = FloodOverlay(member.shelf, links=member.membership.active)
        return Planner((ShelfOverlay(member.held), flood, super().overlay(member)))

    async def mount_overlay(self, member: Member) -> None:
        """Mount the planner's overlays."""
        await _mount_planned(member, self.overlay(member))


GENERATIONS: Final[dict[str, type[Generation]]] = {
    each.name: each for each in (Index1999, Index, Flood2001, Flood, Supernode, Dht, Auto, PlannedSupernode)
}
"""Every generation by name, in the order of history."""


def _supernode(member: Member, rules: SupernodeRules) -> Overlay:
    membership = member.membership
    assert membership is not None
    setting = Setting(reachable=member.is_reachable, crowd=lambda: membership.known, executor=member.node.peer.executor)
    return SupernodeOverlay(member.shelf, setting, rules)


async def _mount_planned(member: Member, planner: Overlay) -> None:
    assert isinstance(planner, Planner)
    for each in planner.overlays:
        await member.node.peer.mount(each)
    member.overlay = planner
    member.node.peer.start_pings()
    await planner.publish(member.held.records())


async def _mount_reachability(member: Member) -> None:
    member.reachability = Reachability()
    await member.node.peer.mount(member.reachability)


def chosen(names: str) -> list[str]:
    """Return the generations that `names` means: "all", or names with commas between them; LocalError lists them."""
    every = [name for name, generation in GENERATIONS.items() if generation.compared]
    wanted = every if names == "all" else [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in GENERATIONS]
    if unknown or not wanted:
        which = f"no overlay called {unknown[0]!r}" if unknown else "no overlay named"
        raise LocalError(f"{which}; choose from: all, {', '.join(GENERATIONS)}")
    return list(dict.fromkeys(wanted))
