"""The peers a node remembers for the day when it loses neighbours: HyParView's passive view, with caps.

Invariant: never more than `size` peers; of hearsay, whose keys nobody here has proved, never more than two thirds, of
one teller never more than a fifth, and of one subnet never more than PEERS_PER_SUBNET in all. The third that was known
longest gives way to nobody. So one who answers every question with peers of his own gets his share and no more. Pure.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final, TypeVar

from peerage.identity.keys import PeerId
from peerage.limits import PEERS_PER_SUBNET, TOLD_SHARE
from peerage.peer.messages import Contact
from peerage.peer.subnet import subnets_of

KeyT = TypeVar("KeyT")

_KEPT: Final = 3  # one part in so many is for those known longest


class Remembered:
    """One entry."""

    __slots__ = ("contact", "not_before", "since", "subnets", "teller")

    def __init__(self, contact: Contact, teller: PeerId | None, since: float, subnets: tuple[str, ...]) -> None:
        self.contact = contact
        self.teller = teller  # None: this node has met it
        self.since = since  # when it was first met
        self.subnets = subnets
        self.not_before = 0.0  # when it may be asked again


class PassiveView:
    """Remembered peers by id; times are seconds of any clock that only goes forward."""

    def __init__(self, size: int, rng: random.Random) -> None:
        self.size = size
        self._rng = rng
        self._peers: dict[PeerId, Remembered] = {}
        self._told: dict[PeerId, Remembered] = {}  # those by hearsay, in the same order
        self._tellers: dict[PeerId, int] = {}  # how many each has told
        self._subnets: dict[str, int] = {}  # how many are in each

    def __len__(self) -> int:
        return len(self._peers)

    def __contains__(self, peer_id: PeerId) -> bool:
        return peer_id in self._peers

    def __iter__(self) -> Iterator[Remembered]:
        return iter(tuple(self._peers.values()))

    # --- adding ---------------------------------------------------------------------------------------------------

    def add_met(self, contact: Contact, now: float) -> bool:
        """Remember a peer whose key was proved on a link; False when there is no place for it."""
        if not contact.addresses:
            return False
        known = self.remove(contact.peer_id)
        subnets = subnets_of(contact.addresses)
        since = known.since if known is not None and known.teller is None else now
        if not self._fits_subnets(subnets, instead_of_hearsay=True) or not self._make_room(for_hearsay=False):
            return False
        entry = Remembered(contact, None, since, subnets)
        entry.not_before = known.not_before if known is not None else 0.0
        self._put(entry)
        return True

    def add_told(self, contact: Contact, teller: PeerId, now: float) -> bool:
        """Remember a peer by hearsay; False when it is known, or there is no place for it."""
        if contact.peer_id in self._peers or not contact.addresses:
            return False
        subnets = subnets_of(contact.addresses)
        if not self._fits_subnets(subnets, instead_of_hearsay=False):
            return False
        if self._tellers.get(teller, 0) >= max(1, self.size // TOLD_SHARE):
            told = [each for each in self._told.values() if each.teller == teller]
            self.remove(self._rng.choice(told).contact.peer_id)
        if not self._make_room(for_hearsay=True):
            return False
        self._put(Remembered(contact, teller, now, subnets))
        return True

    # --- taking ---------------------------------------------------------------------------------------------------

    def remove(self, peer_id: PeerId) -> Remembered | None:
        """Forget a peer."""
        entry = self._peers.pop(peer_id, None)
        if entry is not None:
            for subnet in entry.subnets:
                _count_down(self._subnets, subnet)
            if entry.teller is not None:
                del self._told[peer_id]
                _count_down(self._tellers, entry.teller)
        return entry

    def postpone(self, peer_id: PeerId, until: float) -> None:
        """Ask a peer no sooner."""
        entry = self._peers.get(peer_id)
        if entry is not None:
            entry.not_before = until

    def candidates(self, now: float) -> list[Remembered]:
        """Return who may be asked now: those that were met before those of hearsay, else in random order."""
        due = [each for each in self._peers.values() if each.not_before <= now]
        self._rng.shuffle(due)
        due.sort(key=_is_hearsay)
        return due

    def met(self) -> list[Contact]:
        """Return those that others may be told of."""
        return [each.contact for each in self._peers.values() if each.teller is None]

    # --- inside ---------------------------------------------------------------------------------------------------

    def _put(self, entry: Remembered) -> None:
        peer_id = entry.contact.peer_id
        self._peers[peer_id] = entry
        for subnet in entry.subnets:
            self._subnets[subnet] = self._subnets.get(subnet, 0) + 1
        if entry.teller is not None:
            self._told[peer_id] = entry
            self._tellers[entry.teller] = self._tellers.get(entry.teller, 0) + 1

    def _fits_subnets(self, subnets: tuple[str, ...], *, instead_of_hearsay: bool) -> bool:
        """Whether no subnet is full; one that was met takes the place of hearsay from there."""
        for subnet in subnets:
            if self._subnets.get(subnet, 0) < PEERS_PER_SUBNET:
                continue
            hearsay = [each for each in self._told.values() if subnet in each.subnets]
            if not hearsay or not instead_of_hearsay:
                return False
            self.remove(hearsay[0].contact.peer_id)
        return True

    def _make_room(self, *, for_hearsay: bool) -> bool:
        full = len(self._peers) >= self.size
        if self._told and (full or (for_hearsay and len(self._told) >= self.size - self.size // _KEPT)):
            self.remove(self._rng.choice(list(self._told)))
        elif full:
            met = sorted(self._peers.values(), key=_since)
            fresh = met[self.size // _KEPT :]
            if not fresh:
                return False
            self.remove(self._rng.choice(fresh).contact.peer_id)
        return True


def _count_down(counts: dict[KeyT, int], key: KeyT) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]


def _is_hearsay(entry: Remembered) -> bool:
    return entry.teller is not None


def _since(entry: Remembered) -> float:
    return entry.since
