"""Sybils: one attacker runs many nodes of the hash table, which know only each other and throw away what they keep.

Against it: a walk goes several disjoint ways, records are stored on a whole region, and a subnet counts only so often
(S/Kademlia; Cholez et al. and the NDSS 2024 study of eclipsed keys for the region).
"""

from __future__ import annotations

from typing import Final

import msgspec

from peerage.lab.attacks.attack import Attack
from peerage.lab.generations import CHEAP_STAMPS, Dht, Generation
from peerage.lab.member import Member
from peerage.overlay.base import Overlay
from peerage.overlay.dht import DhtOverlay, DhtRules
from peerage.overlay.dht.contacts import Contact, number_of
from peerage.overlay.dht.messages import Kept, Look, Outcome, Seen, Store, Verdict
from peerage.overlay.shelf import Shelf
from peerage.peer.connection import PeerConnection

# Kademlia as it was in 2002: one way, the eight nearest (BEP 5), and no look at where they come from.
PLAIN_KADEMLIA: Final = msgspec.structs.replace(
    CHEAP_STAMPS,
    paths=1,
    path_end=1,
    region=8,
    region_min=8,
    region_max=8,
    subnet_bucket=10_000,
    subnet_table=10_000,
    walk_subnet=10_000,
)


class SybilOverlay(DhtOverlay):
    """Names the Sybils that are nearest, keeps nothing, and says that it does."""

    def __init__(self, shelf: Shelf, ring: list[Contact], rules: DhtRules) -> None:
        super().__init__(shelf, reachable=lambda: True, rules=rules)
        self._ring = ring  # of all Sybils; shared

    def peer_connected(self, connection: PeerConnection) -> None:
        """Become known to the others once there is a link, and so an address."""
        super().peer_connected(connection)
        if all(each.peer_id != self.peer.peer_id for each in self._ring):
            self._ring.append(Contact(self.peer.peer_id, self.peer.addresses[:1]))

    def _on_look(self, connection: PeerConnection, message: Look) -> Seen:
        target = number_of(message.target)
        others = [each for each in self._ring if each.peer_id != connection.peer_id]
        nearest = sorted(others, key=lambda each: number_of(each.peer_id) ^ target)[: self.rules.bucket]
        return Seen(True, tuple(nearest), None)

    def _on_store(self, connection: PeerConnection, message: Store) -> Kept:
        del connection
        items = len(message.providers) + len(message.postings) + len(message.values) + len(message.drops)
        return Kept((Outcome(Verdict.STORED, 0),) * items)


class DhtWithSybils(Dht):
    """The hash table, of whose nodes some are Sybils."""

    def __init__(self, rules: DhtRules) -> None:
        self._rules = rules
        self._ring: list[Contact] = []

    def overlay(self, member: Member) -> Overlay:
        """Return an honest overlay, or a Sybil's."""
        if member.hostile:
            return SybilOverlay(member.shelf, self._ring, self._rules)
        return DhtOverlay(member.shelf, reachable=member.is_reachable, rules=self._rules)


class Sybil(Attack):
    """A fifth of the hash table's nodes belong to one attacker."""

    name = "sybil"
    about = "one attacker's nodes in the hash table name only each other and throw away what they are to keep"
    defence = "walks go four disjoint ways, and records are stored on a whole region"
    overlays = ("dht",)

    def make_generation(self) -> Generation:
        """Return the hash table with its defences, or plain Kademlia."""
        return DhtWithSybils(PLAIN_KADEMLIA if self.is_bare else CHEAP_STAMPS)

    def arm(self, member: Member) -> None:
        """Turn the members on the attackers' seats; in the calm run they are honest, and still nobody's choice."""
        member.hostile = member.seat in self.attackers and not self.is_calm
