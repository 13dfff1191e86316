"""Meshes of nodes that have been there for long, made at once instead of by ten thousand joins, which cost minutes.

The graph is regular: three random circles through all nodes, so six links each and one piece, close to what HyParView
comes to (5 or 6 links, random). Invariant: links are dialled and greeted as every link is; nothing of a node is faked
but what it remembers.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from peerage.lab.member import Member
from peerage.peer.messages import Contact

_CIRCLES = 3
_REMEMBERED = 24  # others that each node knows of, as its exchanges would have brought


def pairs(count: int, rng: random.Random) -> list[tuple[int, int]]:
    """Return who is linked with whom, by number."""
    found: set[tuple[int, int]] = set()
    for _ in range(_CIRCLES):
        circle = rng.sample(range(count), count)
        for here, there in zip(circle, circle[1:] + circle[:1], strict=True):
            if (there, here) not in found:
                found.add((here, there))
    return sorted(found)


async def link_up(members: Sequence[Member], rng: random.Random) -> None:
    """Link all nodes, for good; they have no membership."""
    nodes = [member.node for member in members]
    linked = pairs(len(nodes), rng)
    async with asyncio.TaskGroup() as group:
        for here, there in linked:
            nodes[here].peer.hold(nodes[there].peer.peer_id, "mesh")
            group.create_task(nodes[here].peer.connect(nodes[there].address, nodes[there].peer.peer_id))


async def settle_mesh(members: Sequence[Member], rng: random.Random) -> None:
    """Let all nodes be neighbours of the mesh, and remember others as if they had been there for long."""
    contacts = [Contact(member.node.peer.peer_id, (member.node.address,)) for member in members]
    now = asyncio.get_running_loop().time()
    for number, member in enumerate(members):
        assert member.membership is not None
        view = member.membership._view  # noqa: SLF001 -- what years would have brought
        view.is_new = False
        for other in rng.sample(range(len(contacts)), min(_REMEMBERED, len(contacts))):
            if other != number:
                view.passive.add_told(contacts[other], contacts[other].peer_id, now)
    async with asyncio.TaskGroup() as group:
        for here, there in pairs(len(members), rng):
            group.create_task(members[here].node.peer.connect(members[there].node.address, contacts[there].peer_id))
