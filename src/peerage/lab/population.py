"""The people of an experiment: who sits on which seat, with which line, and where newcomers learn of others.

Invariant: a seat is held by one living member at most, and by somebody at all times but for the moment between leaving
and coming. Homes, lines and who can be dialled come from the world's random source.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from peerage.identity.address import Address
from peerage.lab.generations import Generation
from peerage.lab.geography import Earth
from peerage.lab.holdings import Holdings, Item
from peerage.lab.lines import draw, mix
from peerage.lab.member import Member
from peerage.lab.shelf import HeldShelf, Library
from peerage.lab.world import SimNode, World, WorldPlan
from peerage.limits import DEFAULT
from peerage.overlay.index import IndexAt

if TYPE_CHECKING:
    from peerage.lab.experiment import Spec

_KNOWN: Final = 2  # addresses that a newcomer begins with: one may be dead; each costs the others some dials
_SERVER: Final = msgspec.structs.replace(DEFAULT, connections=200_000, pending_handshakes=10_000)  # a machine to match
_OPEN: Final = 8  # the first seats can always be dialled: somebody has to


class Population:
    """Members by seat; `world` is theirs."""

    def __init__(
        self, rng: random.Random, spec: Spec, generation: Generation, arm: Callable[[Member], None] | None = None
    ) -> None:
        self._rng = rng
        self._arm = arm  # changes a member before it is equipped
        self._nat = spec.nat
        self._generation = generation
        self._lines = mix(spec.lines)
        self.places = Earth(rng, spec.nearest, spec.farthest)
        # What there is and who holds it is the same for every generation: it has a source of its own.
        self.holdings = Holdings(random.Random(f"holdings {spec.seed}"), spec.peers, spec.stock)  # noqa: S311
        holders: defaultdict[int, set[int]] = defaultdict(set)
        for seat, items in enumerate(self.holdings.seats):
            for item in items:
                holders[item.number].add(seat)
        self._holders = {number: frozenset(seats) for number, seats in holders.items()}
        self.library = Library(self.holdings.items)
        self.world = World(rng, WorldPlan(peers=0, traced=False, strangers=True), self._equip, self.places)
        self.members: dict[int, Member] = {}
        self.seeds: dict[int, bytes] = {}  # of keys that somebody has chosen
        self._coming = 0  # the seat of the node that is being made
        self._joined: list[int] = []

    async def add(self, seat: int) -> Member:
        """Make a node for a seat; it knows nobody yet."""
        self._coming = seat
        limits = _SERVER if seat < self._generation.servers else None
        await self.world.add(limits, self.seeds.get(seat))
        return self.members[seat]

    async def join(self, seat: int) -> None:
        """Let the node of a seat join those that have joined before."""
        known = self._known_to(seat)
        if seat not in self.members:
            return
        self._joined.append(seat)
        await self._generation.join(self.members[seat], known)

    async def leave(self, member: Member, *, silently: bool) -> None:
        """End the node of a member as a crash or a power cut does."""
        await self.world.kill(member.node, silently=silently)

    def living(self) -> list[Member]:
        """Return the members whose nodes run, by seat."""
        alive = {node.number for node in self.world.nodes}
        return [member for _, member in sorted(self.members.items()) if member.node.number in alive]

    def is_there(self, member: Member) -> bool:
        """Whether the node of a member still runs."""
        return member.node.host.up

    def is_honest(self, seat: int) -> bool:
        """Whether somebody sits there who lives and means no harm."""
        member = self.members[seat]
        return member.node.host.up and not member.hostile

    def holders(self, item: Item) -> frozenset[int]:
        """Return the seats that hold an item."""
        return self._holders[item.number]

    def servers(self) -> tuple[IndexAt, ...]:
        """Return the index servers, if this generation has any."""
        made = [self.members[seat].node for seat in range(self._generation.servers) if seat in self.members]
        return tuple(IndexAt(node.peer.peer_id, (node.address,)) for node in made)

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _equip(self, node: SimNode) -> None:
        seat = self._coming
        line = draw(self._lines, self._rng)
        node.host.set_bandwidth(line.up, line.down)
        node.host.reachable = seat < _OPEN or self._rng.random() >= self._nat
        shelf = HeldShelf(self.library, self.holdings.seats[seat], node.peer.key)
        member = self.members[seat] = Member(node, seat, shelf)
        member.servers = self.servers()
        if self._arm is not None:
            self._arm(member)
        await self._generation.equip(member)

    def _known_to(self, seat: int) -> list[Address]:
        """Choose addresses that a newcomer was told, of nodes that are there and can be dialled."""
        known: dict[Address, None] = {}
        for _ in range(8 * _KNOWN):
            if not self._joined or len(known) == _KNOWN:
                break
            other = self.members[self._rng.choice(self._joined)]
            if other.seat != seat and other.node.host.up and other.node.host.reachable:
                known[other.node.address] = None
        return list(known)
