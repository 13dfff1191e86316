"""Which overlays a node has: the one table from the word in the configuration to what is mounted.

Invariant: the planner sees them in order of price, and nothing else of the program knows which of them there are. What
an overlay needs of the rest of the node is handed to it here, and what it is to the network is told here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from peerage.app.api import models
from peerage.app.config import Config, OverlayName
from peerage.app.known_supernodes import SupernodeFile, capacity_of
from peerage.catalogue.database import Database
from peerage.catalogue.record_index import RecordIndex
from peerage.errors import AddressError
from peerage.identity.address import Address, parse_address
from peerage.identity.keys import PeerId
from peerage.identity.link import parse_source
from peerage.overlay.base import Overlay
from peerage.overlay.dht import DhtOverlay
from peerage.overlay.flood import FloodOverlay
from peerage.overlay.index import IndexAt, IndexOverlay
from peerage.overlay.index.known import IndexView
from peerage.overlay.planner import LocalCatalogue, Planner
from peerage.overlay.shelf import Shelf
from peerage.overlay.supernode import Role, Setting, SupernodeOverlay
from peerage.peer.connection import PeerConnection
from peerage.peer.membership import Membership
from peerage.peer.peer import Peer
from peerage.peer.reachability import Reachability

MOUNTED: Final[dict[OverlayName, tuple[str, ...]]] = {
    "auto": ("flood", "index", "supernode", "dht"),
    "flood": ("flood",),
    "index": ("index",),
    "supernode": ("flood", "supernode"),  # where few peers are, nobody steps up, and a flood finds everything
    "dht": ("dht",),
}
"""What each word of the configuration stands for, the cheapest first; an index that is served or named comes on top."""


class OverlayParts(NamedTuple):
    """What overlays need of a node; `served_index` is the one that it keeps, if it does.

    `supernodes_file` is where the good supernodes are kept for the next start.
    """

    peer: Peer
    config: Config
    database: Database
    shelf: Shelf
    membership: Membership
    reachability: Reachability
    served_index: RecordIndex | None
    supernodes_file: Path


class Overlays:
    """The overlays of one node, from the cheapest to the dearest, and the planner over them."""

    def __init__(self, parts: OverlayParts) -> None:
        self._parts = parts
        self.local = LocalCatalogue(parts.database)
        self.mounted = tuple(_MAKERS[name](parts) for name in names_of(parts.config) if name in _MAKERS)
        self.planner = Planner((self.local, *self.mounted))

    @property
    def services(self) -> tuple[Overlay, ...]:
        """What is to be mounted on the peer."""
        return (self.local, *self.mounted)

    def friends_changed(self, _peer_id: PeerId) -> None:
        """Let friends hear at once that there is something for them."""
        for overlay in self.mounted:
            if isinstance(overlay, FloodOverlay):
                overlay.look()

    def lines(self) -> list[models.OverlayLine]:
        """Say of each overlay what this node is in it, and with how many others."""
        return [_line(overlay, self._parts) for overlay in self.mounted]

    def indexes(self) -> tuple[IndexView, ...]:
        """Return what is known of each index; none where indexes are not used."""
        return next((overlay.indexes() for overlay in self.mounted if isinstance(overlay, IndexOverlay)), ())

    @property
    def has_index(self) -> bool:
        """Whether indexes are used."""
        return any(isinstance(overlay, IndexOverlay) for overlay in self.mounted)

    def use_indexes(self, named: Sequence[IndexAt]) -> None:
        """Use these named indexes from now on, where indexes are used at all."""
        for overlay in self.mounted:
            if isinstance(overlay, IndexOverlay):
                overlay.name_indexes(named)

    def ties(self, connection: PeerConnection) -> list[str]:
        """Say what a connected peer is to this node: neighbour, supernode, leaf, index, dht, or none of these."""
        peer_id = connection.peer_id
        found = ["neighbour"] if connection in self._parts.membership.active() else []
        for overlay in self.mounted:
            match overlay:
                case SupernodeOverlay() if (tie := overlay.tie_to(peer_id)) is not None:
                    found.append(tie.value)
                case IndexOverlay() | DhtOverlay() if overlay.knows(peer_id):
                    found.append(overlay.name)
        return found

    def role(self) -> str:
        """Say in a few words what this node does for others; "leaf" when it only takes part."""
        roles = [f"{line.name} {line.role}" for line in self.lines() if line.serves]
        return ", ".join(roles) or "leaf"


def names_of(config: Config) -> list[str]:
    """Return the overlays that a configuration asks for, in order of price."""
    wanted = set(MOUNTED[config.overlay])
    if config.serve_index or config.index:
        wanted.add("index")
    return [name for name in MOUNTED["auto"] if name in wanted]


def named_indexes(config: Config) -> tuple[list[IndexAt], list[Address]]:
    """Return the indexes that are named with their peer id, and the addresses of others, which say who they are.

    Raises AddressError.
    """
    known, elsewhere = [], []
    for text in config.index:
        if "@" in text:
            source = parse_source(text)
            known.append(IndexAt(source.peer_id, (source.address,)))
        else:
            address = parse_address(text)
            if not address.is_dialable:
                raise AddressError(f"no index can be at {text!r}: write HOST:PORT or PEER_ID@HOST:PORT")
            elsewhere.append(address)
    return known, elsewhere


def links_of(peer: Peer, membership: Membership) -> Callable[[], Sequence[PeerConnection]]:
    """Return what gives the links to flood: the mesh and friends; while there is no mesh yet, whoever is there."""

    def links() -> Sequence[PeerConnection]:
        mesh = membership.active()
        others = [each for each in peer.neighbours() if each not in mesh]
        friends = [each for each in others if (known := peer.table.get(each.peer_id)) is not None and known.friend]
        return [*mesh, *friends] or others

    return links


def _flood(parts: OverlayParts) -> Overlay:
    return FloodOverlay(parts.shelf, links=links_of(parts.peer, parts.membership))


def _index(parts: OverlayParts) -> Overlay:
    return IndexOverlay(parts.shelf, serve=parts.served_index, indexes=named_indexes(parts.config)[0])


def _dht(parts: OverlayParts) -> Overlay:
    return DhtOverlay(parts.shelf, reachable=lambda: parts.reachability.reachable)


def _supernode(parts: OverlayParts) -> Overlay:
    kept = SupernodeFile(parts.supernodes_file)
    setting = Setting(
        reachable=lambda: parts.reachability.reachable,
        capacity=capacity_of(parts.config, parts.peer.limits),
        crowd=lambda: parts.membership.known,
        load=kept.load,
        save=kept.save,
    )
    return SupernodeOverlay(parts.shelf, setting)


_MAKERS: Final[dict[str, Callable[[OverlayParts], Overlay]]] = {
    "flood": _flood,
    "index": _index,
    "supernode": _supernode,
    "dht": _dht,
}


def _line(overlay: Overlay, parts: OverlayParts) -> models.OverlayLine:
    match overlay:
        case FloodOverlay():
            return models.OverlayLine(
                name="flood", role="neighbour", peers=len(links_of(parts.peer, parts.membership)())
            )
        case IndexOverlay():
            known = overlay.indexes()
            return models.OverlayLine(
                name="index",
                role=_role(serves=overlay.serves),
                serves=overlay.serves,
                peers=sum(each.registered for each in known),
                about=f"{len(known)} known" if known else "",
            )
        case SupernodeOverlay():
            serves = overlay.role is Role.SUPERNODE
            leaves = f"{overlay.leaves} leaves, " if serves else ""
            return models.OverlayLine(
                name="supernode",
                role=overlay.role,
                serves=serves,
                peers=overlay.supernodes,
                about=f"{leaves}{overlay.known} known" if serves or overlay.known else "",
            )
        case DhtOverlay():
            serves = parts.reachability.reachable is True
            kept = f"keeps {overlay.stored} entries, has {overlay.listed} kept"
            return models.OverlayLine(
                name="dht",
                role=_role(serves=serves),
                serves=serves,
                peers=overlay.contacts,
                about=f"{kept}, about {max(overlay.network_size, overlay.contacts + 1)} take part",
            )
    return models.OverlayLine(name=overlay.name, role="member", peers=0)


def _role(*, serves: bool) -> str:
    return "server" if serves else "client"
