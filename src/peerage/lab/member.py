"""One node that takes part in an experiment: a simulated node with its seat, its shelf and its overlay.

Invariant: whoever holds a seat has exactly the seat's items on the shelf. How a member is equipped is decided by its
generation (generations.py); this module only keeps together what belongs together.
"""

from __future__ import annotations

from peerage.catalogue.record_index import RecordIndex
from peerage.lab.shelf import HeldShelf
from peerage.lab.world import SimNode
from peerage.overlay.base import Overlay
from peerage.overlay.index import IndexAt
from peerage.overlay.shelf import Shelf
from peerage.peer.membership import Membership
from peerage.peer.reachability import Reachability


class Member:
    """A node, what it holds and how it searches; `overlay` is set once its generation has equipped it."""

    __slots__ = (
        "held",
        "hostile",
        "index",
        "membership",
        "node",
        "overlay",
        "reachability",
        "seat",
        "servers",
        "shelf",
    )

    def __init__(self, node: SimNode, seat: int, held: HeldShelf) -> None:
        self.node = node
        self.seat = seat
        self.held = held
        self.shelf: Shelf = held  # what the overlay answers from; an attacker's is another
        self.hostile = False
        self.servers: tuple[IndexAt, ...] = ()  # the index servers of this world, if it has any
        self.overlay: Overlay
        self.membership: Membership | None = None
        self.reachability: Reachability | None = None
        self.index: RecordIndex | None = None  # of an index server

    def is_reachable(self) -> bool | None:
        """Whether strangers can dial this node, as it has found out itself; None: not known."""
        return None if self.reachability is None else self.reachability.reachable

    def __repr__(self) -> str:
        return f"<Member {self.seat} {self.node.address.host}>"
