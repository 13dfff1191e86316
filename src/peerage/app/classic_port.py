"""The 2007 side of a node: the clear-text port, the old peers that are known, and what is fetched from them.

Invariant: it listens only when the owner asked for it (`--classic`, or `classic` in the configuration), at the address
that the owner named, IPv4 as the wire of 2007 knows no other, and says what that means.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from peerage.app.addresses import interface_hosts
from peerage.app.api import models
from peerage.app.old_hits import file_name_of, keys_of
from peerage.catalogue.database import Database
from peerage.catalogue.public_files import PublicFiles
from peerage.catalogue.query import Query
from peerage.classic.downloads import OldDownload, OldDownloads, Spend
from peerage.classic.gateway import Gateway
from peerage.classic.links import OldLink
from peerage.classic.offer import Offer
from peerage.classic.old_peers import OldPeers
from peerage.classic.searching import OldSearch
from peerage.classic.whereabouts import Whereabouts
from peerage.content.reader import SharedFiles
from peerage.errors import AddressError, LocalError
from peerage.identity.address import Address, literal_ip, parse_address
from peerage.limits import CLASSIC_SEARCH_SECONDS
from peerage.peer.peer import Peer
from peerage.peer.stabilizers import Stabilizer
from peerage.transport.tcp_streams import TcpStreams
from peerage.wire.classic import printable

_INTERFACES_SECONDS = 60.0
_OFF = "this node has no classic port; start it with: peerage up --classic HOST:PORT"


class ClassicSettings(NamedTuple):
    """Where the classic port listens (None: nowhere), and which old peers to join at every start."""

    address: Address | None
    connect: tuple[Address, ...]


def settings_of(classic: str, connect: list[str]) -> ClassicSettings:
    """Read the configuration; raises AddressError."""
    return ClassicSettings(classic_address(classic) if classic else None, tuple(map(parse_address, connect)))


def classic_address(text: str) -> Address:
    """Read where the classic port should listen: without a host only on this computer; raises AddressError."""
    address = parse_address(text)
    literal = literal_ip(address.host)
    if not address.host or address.host == "localhost":
        return Address("127.0.0.1", address.port)
    if literal is None or literal.version != 4:
        raise AddressError(f"{text!r}: the protocol of 2007 knows IPv4 addresses only, such as 127.0.0.1:5678")
    return address


class ClassicPort:
    """What the rest of the node uses of it; with no address in the settings all of it is off."""

    def __init__(self, settings: ClassicSettings) -> None:
        self._settings = settings
        self._hosts: frozenset[str] = frozenset()
        self._gateway: Gateway | None = None
        self._old_peers = OldPeers(TcpStreams(), Whereabouts(lambda: self._hosts))
        self.downloads: OldDownloads

    @property
    def address(self) -> Address | None:
        """Where it listens."""
        return self._gateway.address if self._gateway is not None else None

    @property
    def notice(self) -> str:
        """What the owner should know, "" when it is off."""
        if self.address is None:
            return ""
        return (
            f"the classic port at {self.address} is neither encrypted nor authenticated: whoever reaches it sees and "
            "fetches what is shared as public, and whoever is in between can read and change all of it"
        )

    async def mount(self, peer: Peer, database: Database, reader: SharedFiles, down: Spend, up: Spend) -> None:
        """Begin, as far as the settings want it; raises DialError when it cannot listen."""
        self.downloads = OldDownloads(TcpStreams(), down)
        await peer.mount(self.downloads)
        await peer.mount(self._old_peers)
        if self._settings.address is None:
            return
        self._hosts = await peer.in_thread(_hosts_here)
        offer = Offer(PublicFiles(database), reader)
        self._gateway = Gateway(TcpStreams(), self._settings.address, self._old_peers, offer, up)
        await peer.mount(self._gateway)

        async def look() -> None:
            self._hosts = await peer.in_thread(_hosts_here)

        peer.start_stabilizer(Stabilizer(look, _INTERFACES_SECONDS))
        for address in self._settings.connect:
            self._old_peers.keep(address)
        if self._settings.connect:
            peer.spawn(self._old_peers.look_round(), "old peers")

    def use(self, connect: Sequence[Address]) -> None:
        """Come back to these old peers from now on, instead of those that were named before."""
        before, self._settings = self._settings.connect, ClassicSettings(self._settings.address, tuple(connect))
        for address in before:
            if address not in connect:
                self._old_peers.leave(address)
        for address in connect:
            self._old_peers.keep(address)
        if any(address not in before for address in connect):
            self._old_peers.peer.spawn(self._old_peers.look_round(), "old peers")

    async def connect(self, address: str, hops: int) -> list[models.OldPeer]:
        """Join an old peer and whom it knows, and return all that are known now; raises LocalError or a LinkError."""
        if self.address is None:
            raise LocalError(_OFF)
        await self._old_peers.connect(parse_address(address), hops)
        return self.peers()

    def peers(self) -> list[models.OldPeer]:
        """Return the old peers that are known."""
        return [
            models.OldPeer(id=printable(each.peer_id), address=str(each.address), answered=each.answered)
            for each in self._old_peers.table.all()
        ]

    def search(self, query: Query, seconds: float) -> OldSearch:
        """Return a search among old peers; with nobody to ask it is over at once."""
        return self._old_peers.search(keys_of(query), min(seconds, CLASSIC_SEARCH_SECONDS))

    def get(self, link: OldLink, folder: Path) -> OldDownload:
        """Begin to fetch a file; raises LocalError or LimitError."""
        return self.downloads.add(link, folder / file_name_of(link))


def _hosts_here() -> frozenset[str]:
    return frozenset(interface_hosts())
