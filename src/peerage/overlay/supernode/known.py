"""Which supernodes this node knows, and what became of each: kept on disk for the next start, passed on to others.

Invariant: never more than `maximum`, and of one subnet no more than a few, but for those that this node uses. What
others say makes a supernode a candidate only, and never displaces one that was met; it is passed on after it was met
here. One that failed is left in peace for a while, one that lied for an hour. Pure: time is an argument (seconds of the
event loop).
"""

from __future__ import annotations

import random
from collections.abc import Container, Iterable

from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.limits import (
    MAX_ADDRESSES,
    SUPERNODE_AVOID,
    SUPERNODE_RETRY,
    SUPERNODE_RETRY_MAX,
    SUPERNODES_KNOWN,
    SUPERNODES_PER_SUBNET,
    SUPERNODES_TOLD,
)
from peerage.overlay.supernode.messages import SupernodeAt
from peerage.peer.subnet import subnets_of

_MOST_DOUBLINGS = 10


class KnownSupernode:
    """One of them; `met`: a link has proved that it is one."""

    __slots__ = ("addresses", "failures", "homes", "met", "peer_id", "retry_at")

    def __init__(self, peer_id: PeerId, addresses: tuple[Address, ...]) -> None:
        self.peer_id = peer_id
        self.move(addresses)
        self.met = False
        self.failures = 0  # in a row
        self.retry_at = 0.0

    def move(self, addresses: Iterable[Address]) -> None:
        """It can be dialled there."""
        self.addresses = tuple(dict.fromkeys(addresses))[:MAX_ADDRESSES]
        self.homes = subnets_of(self.addresses)


class KnownSupernodes:
    """All of them; `maximum` and `per_subnet` can be changed at any time."""

    def __init__(
        self, own_id: PeerId, maximum: int = SUPERNODES_KNOWN, per_subnet: int = SUPERNODES_PER_SUBNET
    ) -> None:
        self.maximum = maximum
        self.per_subnet = per_subnet
        self._own_id = own_id
        self._known: dict[PeerId, KnownSupernode] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, peer_id: PeerId) -> bool:
        return peer_id in self._known

    def get(self, peer_id: PeerId) -> KnownSupernode | None:
        """Return what is known of one."""
        return self._known.get(peer_id)

    def hear(self, told: SupernodeAt) -> bool:
        """Take note of hearsay; returns whether that is a new candidate."""
        if told.peer_id == self._own_id or not told.addresses or told.peer_id in self._known:
            return False
        if self._is_crowded(told.addresses) or not self._make_room(met=False):
            return False
        self._known[told.peer_id] = KnownSupernode(told.peer_id, told.addresses)
        return True

    def met(self, told: SupernodeAt) -> None:
        """It has shown itself to be a supernode."""
        if told.peer_id == self._own_id:
            return
        known = self._known.get(told.peer_id)
        if known is None:
            if not self._make_room(met=True):
                return
            known = self._known[told.peer_id] = KnownSupernode(told.peer_id, ())
        if told.addresses != known.addresses[: len(told.addresses)]:
            known.move((*told.addresses, *known.addresses))
        known.met, known.failures, known.retry_at = True, 0, 0.0

    def failed(self, peer_id: PeerId, now: float) -> None:
        """It could not be reached, or is none any more: it is left in peace, in the end forgotten."""
        known = self._known.get(peer_id)
        if known is None:
            return
        known.failures += 1
        known.retry_at = now + min(
            SUPERNODE_RETRY * 2.0 ** min(known.failures - 1, _MOST_DOUBLINGS), SUPERNODE_RETRY_MAX
        )
        if not known.met:
            del self._known[peer_id]

    def is_full(self, peer_id: PeerId, now: float) -> None:
        """It has no room at present."""
        known = self._known.get(peer_id)
        if known is not None:
            known.retry_at = now + SUPERNODE_RETRY

    def lied(self, peer_id: PeerId, now: float) -> None:
        """It hides or invents: it is used and passed on no more for a while."""
        known = self._known.get(peer_id)
        if known is not None:
            known.met, known.retry_at = False, now + SUPERNODE_AVOID

    def usable(self, now: float, rng: random.Random) -> list[KnownSupernode]:
        """Return those that may be tried now, in any order but those first that were met and have not failed."""
        ready = [each for each in self._known.values() if each.retry_at <= now and each.addresses]
        rng.shuffle(ready)
        good = [each for each in ready if each.met and not each.failures]
        told = [each for each in ready if not each.met and not each.failures]
        bad = [each for each in ready if each.failures]  # as a rule few, so that next to nothing is sorted
        return good + told + sorted(bad, key=lambda each: (each.failures, not each.met))

    def to_tell(
        self, rng: random.Random, now: float, among: Container[PeerId] | None = None
    ) -> tuple[SupernodeAt, ...]:
        """Return some to pass on, each time others; only `among` these, if such are given."""
        good = [each for each in self._known.values() if each.met and not each.failures and each.retry_at <= now]
        good = [each for each in good if among is None or each.peer_id in among]
        some = rng.sample(good, min(SUPERNODES_TOLD, len(good)))
        return tuple(SupernodeAt(each.peer_id, each.addresses) for each in some if each.addresses)

    def to_keep(self) -> tuple[SupernodeAt, ...]:
        """Return those to begin with at the next start, the best first."""
        good = sorted(
            (each for each in self._known.values() if each.met and each.addresses), key=lambda each: each.failures
        )
        return tuple(SupernodeAt(each.peer_id, each.addresses) for each in good)

    def restore(self, kept: Iterable[SupernodeAt]) -> None:
        """Begin with what was kept; it counts as hearsay until it was met again."""
        for each in kept:
            self.hear(each)

    # --- room -------------------------------------------------------------------------------------------------------

    def _is_crowded(self, addresses: Iterable[Address]) -> bool:
        """Whether enough of a subnet are known already."""
        homes = set(subnets_of(addresses))
        if not homes:
            return False
        near = sum(not homes.isdisjoint(each.homes) for each in self._known.values())
        return near >= self.per_subnet

    def _make_room(self, *, met: bool) -> bool:
        """Let the least useful one go if there is no room; hearsay gives way to what was met, failures to anybody."""
        if len(self._known) < self.maximum:
            return True
        spare = [each for each in self._known.values() if each.failures or (met and not each.met)]
        if not spare:
            return False
        worst = max(spare, key=lambda each: (each.failures, not each.met))
        del self._known[worst.peer_id]
        return True
