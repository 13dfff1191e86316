"""The shape of a network: who is linked to whom, and into how many parts it falls.

Invariant: a link counts when both its ends live. Nothing is changed by looking.
"""

from __future__ import annotations

from collections.abc import Sequence

from peerage.lab.member import Member


def edges(members: Sequence[Member]) -> list[tuple[int, int]]:
    """Return the links between living members as pairs of seats, the lower first, in order."""
    seats = {member.node.peer.peer_id: member.seat for member in members}
    found: set[tuple[int, int]] = set()
    for member in members:
        for connection in member.node.peer.neighbours():
            other = seats.get(connection.peer_id)
            if other is not None:
                found.add((min(member.seat, other), max(member.seat, other)))
    return sorted(found)


def components(members: Sequence[Member]) -> int:
    """Return how many parts there are that cannot reach each other."""
    return len(parts(members))


def parts(members: Sequence[Member]) -> list[list[int]]:
    """Return the parts as lists of seats, the largest first."""
    parent = {member.seat: member.seat for member in members}

    def root(seat: int) -> int:
        while parent[seat] != seat:
            parent[seat] = parent[parent[seat]]
            seat = parent[seat]
        return seat

    for one, other in edges(members):
        parent[root(one)] = root(other)
    groups: dict[int, list[int]] = {}
    for seat in parent:
        groups.setdefault(root(seat), []).append(seat)
    return sorted(groups.values(), key=len, reverse=True)
