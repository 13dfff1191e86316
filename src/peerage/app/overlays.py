"""Which overlays a node has: the one table from the word in the configuration to what is mounted.

Invariant: the planner sees them in order of price, and nothing else of the program knows which of them there are. What
an overlay needs of the rest of the node is handed to it here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from peerage.app.config import Config, OverlayName
from peerage.catalogue.database import Database
from peerage.overlay.base import Overlay
from peerage.overlay.flood import FloodOverlay
from peerage.overlay.planner import LocalCatalogue, Planner
from peerage.overlay.shelf import Shelf
from peerage.peer.membership import Membership

MOUNTED: Final[dict[OverlayName, tuple[str, ...]]] = {
    "auto": ("flood", "index", "supernode", "dht"),
    "flood": ("flood",),
    "index": ("index",),
    "supernode": ("supernode",),
    "dht": ("dht",),
}
"""What each word of the configuration stands for."""


class OverlayParts(NamedTuple):
    """What overlays need of a node."""

    config: Config
    database: Database
    shelf: Shelf
    membership: Membership


class Overlays:
    """The overlays of one node, from the cheapest to the dearest, and the planner over them."""

    def __init__(self, parts: OverlayParts) -> None:
        wanted = MOUNTED[parts.config.overlay]
        self.local = LocalCatalogue(parts.database)
        self.mounted = tuple(_MAKERS[name](parts) for name in wanted if name in _MAKERS)
        self.planner = Planner((self.local, *self.mounted))

    @property
    def services(self) -> tuple[Overlay, ...]:
        """What is to be mounted on the peer."""
        return (self.local, *self.mounted)


_MAKERS: Final[dict[str, Callable[[OverlayParts], Overlay]]] = {
    "flood": lambda parts: FloodOverlay(parts.shelf),
}
