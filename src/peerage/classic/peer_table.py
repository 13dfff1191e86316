"""The old peers that are known, and what is believed of what they say about themselves.

Invariant: one place (host and port) is one entry; the table and the share of one host in it are bounded; nobody removes
an entry that belongs to another host; an id in the form `host:port` belongs to that place alone. Who is really where is
decided by whereabouts.py, before anything gets here. Pure: the time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import msgspec

from peerage.identity.address import Address
from peerage.limits import CLASSIC_MISSES, CLASSIC_PEERS, CLASSIC_PEERS_PER_HOST


class OldPeer(msgspec.Struct, frozen=True):
    """One of them. `answered`: it has answered at its place, so it is no mere claim."""

    peer_id: str
    address: Address
    answered: bool
    seen: float  # when it was last heard of, in seconds of the event loop
    misses: int = 0


class Joined(Enum):
    """What came of a JOIN."""

    ADDED = "added"
    KNOWN = "known"  # the id belongs to somebody else
    FULL = "full"


class PeerTable:
    """Old peers by their place."""

    def __init__(self, maximum: int = CLASSIC_PEERS, per_host: int = CLASSIC_PEERS_PER_HOST) -> None:
        self._maximum = maximum
        self._per_host = per_host
        self._peers: dict[Address, OldPeer] = {}

    def __len__(self) -> int:
        return len(self._peers)

    def all(self) -> tuple[OldPeer, ...]:
        """Return a snapshot: the table may change while somebody goes through it."""
        return tuple(self._peers.values())

    def at(self, address: Address) -> OldPeer | None:
        """Return who is at a place."""
        return self._peers.get(address)

    def by_id(self, peer_id: str) -> OldPeer | None:
        """Return who has an id."""
        return next((each for each in self._peers.values() if each.peer_id == peer_id), None)

    def join(self, peer_id: str, address: Address, now: float) -> Joined:
        """Take up whoever says to be there; whoever comes back after a crash is welcome again."""
        return self._put(OldPeer(peer_id, address, answered=False, seen=now))

    def met(self, peer_id: str, address: Address, now: float) -> Joined:
        """Take up who has answered there; a new id there replaces the old one."""
        return self._put(OldPeer(peer_id, address, answered=True, seen=now))

    def missed(self, address: Address) -> bool:
        """Note that nobody answered; True when that was once too often, and the entry is gone."""
        known = self._peers.get(address)
        if known is None:
            return False
        if known.misses + 1 >= CLASSIC_MISSES:
            del self._peers[address]
            return True
        self._peers[address] = msgspec.structs.replace(known, misses=known.misses + 1)
        return False

    def quit(self, peer_id: str, is_from: Callable[[str], bool]) -> bool:
        """Forget who says goodbye; `is_from(host)` tells whether it is that host which says so."""
        for address, known in self._peers.items():
            if known.peer_id == peer_id and is_from(address.host):
                del self._peers[address]
                return True
        return False

    def remove(self, address: Address) -> None:
        """Forget a place."""
        self._peers.pop(address, None)

    def _put(self, peer: OldPeer) -> Joined:
        if any(each.peer_id == peer.peer_id and each.address != peer.address for each in self._peers.values()):
            return Joined.KNOWN
        known = self._peers.get(peer.address)
        if known is not None:
            answered = peer.answered or (known.answered and known.peer_id == peer.peer_id)
            self._peers[peer.address] = msgspec.structs.replace(peer, answered=answered)
            return Joined.ADDED
        at_host = [each for each in self._peers.values() if each.address.host == peer.address.host]
        if len(at_host) >= self._per_host and not self._make_room(at_host):
            return Joined.FULL
        if len(self._peers) >= self._maximum and not self._make_room(list(self._peers.values())):
            return Joined.FULL
        self._peers[peer.address] = peer
        return Joined.ADDED

    def _make_room(self, peers: list[OldPeer]) -> bool:
        """Drop the one among these that has been silent the longest, if one has not answered when it was asked."""
        silent = [each for each in peers if each.misses]
        if not silent:
            return False
        del self._peers[min(silent, key=lambda each: (each.answered, each.seen)).address]
        return True
