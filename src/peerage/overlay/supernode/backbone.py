"""The links of supernodes among each other: whom to link with, whom to take, who gives way.

Invariant: never more than `degree` and a few to spare, of one subnet no more than a few; who has far fewer links than
others is not refused, and takes the place of a random one if there is none, so that newcomers get in and nobody stays
alone. Whom one links with is chosen by chance, which keeps the whole in one piece. Pure: time and random source are
arguments.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.limits import SUPERNODE_SPARE
from peerage.overlay.supernode.messages import Load
from peerage.overlay.supernode.rules import SupernodeRules
from peerage.peer.subnet import subnet_of, subnets_of

_LEAST_TOLD = 16  # before that says anything
_FADE = 96  # after which older ones count half: what was told in two minutes


class Backbone:
    """The linked supernodes of one supernode, with what each last told of its load."""

    def __init__(self, rules: SupernodeRules, rng: random.Random) -> None:
        self._rules = rules
        self._rng = rng
        self._loads: dict[PeerId, Load] = {}
        self._homes: dict[PeerId, str] = {}
        self._told = 0.0  # supernodes that others told of, of late
        self._linked = 0.0  # of them, those that are linked here
        self._chances = 0.0  # for each of them, how many it could have been that are linked here

    def __len__(self) -> int:
        return len(self._loads)

    def __contains__(self, peer_id: PeerId) -> bool:
        return peer_id in self._loads

    @property
    def peers(self) -> Iterable[PeerId]:
        """Who is linked."""
        return self._loads

    @property
    def missing(self) -> int:
        """How many links more are sought."""
        return max(0, self._rules.degree - len(self._loads))

    @property
    def size(self) -> int:
        """About how many supernodes there are: as many as there were links, times how seldom one told of is linked.

        The links of the time count, not those of now: a supernode that has just begun has few.
        """
        if self._told < _LEAST_TOLD:
            return len(self._loads) + 1
        others = round(self._chances / max(1.0, self._linked))
        return max(len(self._loads) + 1, others + 2)  # whoever tells, who is linked, and this one are not told of

    def note_told(self, told: Iterable[PeerId]) -> None:
        """A linked supernode tells of some that it is linked with, chosen by chance."""
        links = max(0, len(self._loads) - 1)
        for peer_id in told:
            self._told += 1
            self._chances += links
            self._linked += peer_id in self._loads
        if self._told > _FADE:
            self._told, self._linked, self._chances = self._told / 2, self._linked / 2, self._chances / 2

    def suits(self, addresses: Iterable[Address]) -> bool:
        """Whether there are not too many of that subnet already."""
        homes = set(subnets_of(addresses))
        near = sum(home in homes for home in self._homes.values()) if homes else 0
        return near < self._rules.per_subnet

    def take(self, peer_id: PeerId, remote: Address, load: Load) -> tuple[bool, PeerId | None]:
        """Judge one that wants to be linked: whether it is taken, and who gives way to it."""
        if peer_id in self._loads:
            self._loads[peer_id] = load
            return True, None
        if not self.suits((remote,)):
            return False, None
        if len(self._loads) < self._rules.degree + SUPERNODE_SPARE:
            self.add(peer_id, remote, load)
            return True, None
        if load.links * 2 >= self._rules.degree:
            return False, None
        out = self._rng.choice(sorted(self._loads))
        self.remove(out)
        self.add(peer_id, remote, load)
        return True, out

    def add(self, peer_id: PeerId, remote: Address, load: Load) -> None:
        """A link between supernodes begins."""
        self._loads[peer_id] = load
        self._homes[peer_id] = subnet_of(remote.host)

    def remove(self, peer_id: PeerId) -> bool:
        """It ends; whether there was one."""
        self._homes.pop(peer_id, None)
        return self._loads.pop(peer_id, None) is not None

    def note(self, peer_id: PeerId, load: Load) -> None:
        """A linked supernode tells of its load."""
        if peer_id in self._loads:
            self._loads[peer_id] = load

    def larger(self, own_id: PeerId, leaves: int) -> int:
        """Return how many linked supernodes have more leaves than this one, and room for some."""
        mine = (leaves, own_id)
        return sum((load.leaves, peer_id) > mine and load.room > 0 for peer_id, load in self._loads.items())

    def with_room(self) -> list[PeerId]:
        """Return linked supernodes that take leaves, in any order."""
        found = sorted(peer_id for peer_id, load in self._loads.items() if load.room > 0)
        self._rng.shuffle(found)
        return found
