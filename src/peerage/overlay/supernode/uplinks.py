"""The supernodes of one leaf, and how far each is in knowing what the leaf shares.

Invariant: never more than the rules say, of one subnet no more than the rules say; an uplink that is bad is given up,
and avoided. Pure: time is an argument (seconds of the event loop).
"""

from __future__ import annotations

from collections.abc import Iterator

from peerage.catalogue.index_table import Held
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.supernode.comparison import Reputation
from peerage.overlay.supernode.rules import SupernodeRules
from peerage.peer.subnet import subnet_of


class Uplink:
    """One supernode of this leaf."""

    __slots__ = ("cursor", "home", "peer_id", "renew_at", "reputation", "told")

    def __init__(self, peer_id: PeerId, home: str, renew_at: float) -> None:
        self.peer_id = peer_id
        self.home = home
        self.renew_at = renew_at
        self.cursor = 0  # all changes up to here were handed over
        self.told: Held | None = None  # what it said it had then
        self.reputation = Reputation()


class Uplinks:
    """All of them."""

    def __init__(self, rules: SupernodeRules) -> None:
        self._rules = rules
        self._uplinks: dict[PeerId, Uplink] = {}

    def __len__(self) -> int:
        return len(self._uplinks)

    def __iter__(self) -> Iterator[Uplink]:
        return iter(tuple(self._uplinks.values()))

    def __contains__(self, peer_id: PeerId) -> bool:
        return peer_id in self._uplinks

    @property
    def missing(self) -> int:
        """How many more are sought."""
        return max(0, self._rules.uplinks - len(self._uplinks))

    def get(self, peer_id: PeerId) -> Uplink | None:
        """Return one of them."""
        return self._uplinks.get(peer_id)

    def suits(self, remote: Address) -> bool:
        """Whether there are not too many of that subnet already."""
        home = subnet_of(remote.host)
        return not home or sum(each.home == home for each in self) < self._rules.per_subnet

    def add(self, peer_id: PeerId, remote: Address, now: float) -> Uplink:
        """It has taken this leaf."""
        uplink = Uplink(peer_id, subnet_of(remote.host), now + self._rules.renew)
        self._uplinks[peer_id] = uplink
        return uplink

    def remove(self, peer_id: PeerId) -> bool:
        """It is one no more; whether it was."""
        return self._uplinks.pop(peer_id, None) is not None
