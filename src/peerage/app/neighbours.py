"""Other peers, as the owner of this node sees and treats them: connect, befriend, ban, name.

Invariant: a banned peer has no link to this node; a friend stays known. Who is dialled by itself is membership's
business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from peerage.app import views
from peerage.app.api import models
from peerage.app.link_measures import NOTHING
from peerage.app.link_watch import LinkWatch
from peerage.app.naming import Named, UnknownNameError, find
from peerage.errors import AddressError, LocalError, PeerageError, RefusedError
from peerage.identity.address import parse_address
from peerage.identity.keys import ID_CHARS, PeerId, format_id, parse_id
from peerage.identity.link import is_link, parse_link, parse_source
from peerage.peer.connection import PeerConnection
from peerage.peer.peer import Peer
from peerage.peer.table import PeerInfo


class Neighbours:
    """The other peers."""

    def __init__(self, peer: Peer, links: LinkWatch, ties: Callable[[PeerConnection], Sequence[str]]) -> None:
        self._peer = peer
        self._links = links
        self._ties = ties
        links.look = self.look
        self.watchers: list[Callable[[PeerId], None]] = []  # hear whom the owner sees otherwise than before

    async def connect(self, text: str) -> models.PeerEntry:
        """Connect to `HOST:PORT`, `PEER_ID@HOST:PORT`, or the sources of a link; raises what went wrong."""
        connection = await self._dial(text.strip())
        self._peer.hold(connection.peer_id, "user")
        await self._links.ping([connection])
        info = self._peer.table.get(connection.peer_id) or PeerInfo(peer_id=connection.peer_id)
        return self._view(info, connection)

    async def reach(self, said: str) -> PeerConnection:
        """Return a connection to a peer, named by its id, its beginning, its name or an address.

        Raises LocalError when nobody knows it, or what went wrong.
        """
        text = said.strip()
        if ":" in text:
            return await self._dial(text)
        peer_id = self._find(text).peer_id
        return self._peer.connection_to(peer_id) or await self._peer.connect_to(peer_id)

    async def peers(self) -> list[models.PeerEntry]:
        """Return all peers, connected ones first, then the most useful; asks the connected ones how far they are."""
        apart = self._peer.apart()
        connected = {each.peer_id: each for each in (*self._peer.neighbours(), *apart) if each.is_open}
        await self._links.ping(connected.values())
        known = [*self._peer.table, *(PeerInfo(peer_id=each.peer_id) for each in apart)]
        infos = sorted(known, key=lambda info: (info.peer_id in connected, info.worth()), reverse=True)
        return [self._view(info, connected.get(info.peer_id)) for info in infos]

    def change(self, said: str, changes: models.PeerBody) -> models.PeerEntry:
        """Befriend, ban or name a peer (by id, its beginning or its name), or take that back; raises LocalError."""
        info = self._find(said)
        wanted = {
            "friend": changes.friend,
            "banned": changes.banned,
            "alias": changes.name,
        }
        if changes.friend and changes.banned:
            raise LocalError("a peer is a friend or banned, not both")
        if changes.friend:
            wanted["banned"] = False
        if changes.banned:
            wanted["friend"] = False
        info = self._peer.table.update(info.peer_id, **{key: new for key, new in wanted.items() if new is not None})
        if info.banned:
            self._peer.release(info.peer_id, "user")
            self._peer.drop(info.peer_id, RefusedError("forbidden", "banned by the owner of this node"))
        for watcher in self.watchers:
            watcher(info.peer_id)
        return self._view(info, self._peer.connection_to(info.peer_id))

    def look(self, peer_id: PeerId) -> models.PeerEntry | None:
        """Show a peer without asking it anything; None when it is not known."""
        info = self._peer.table.get(peer_id)
        connection = self._peer.connection_to(peer_id)
        if info is None and connection is None and not self._peer.table.is_apart(peer_id):
            return None
        return self._view(info or PeerInfo(peer_id=peer_id), connection)

    def _view(self, info: PeerInfo, connection: PeerConnection | None) -> models.PeerEntry:
        if connection is None:
            return views.peer_view(info, None, NOTHING, ())
        ties = ("demo",) if self._peer.table.is_apart(info.peer_id) else self._ties(connection)
        return views.peer_view(info, connection, self._links.of(info.peer_id), ties)

    async def _dial(self, text: str) -> PeerConnection:
        if "@" not in text and not is_link(text):
            return await self._peer.connect(parse_address(text))
        sources = parse_link(text).sources if is_link(text) else (parse_source(text),)
        error: PeerageError = AddressError("the link names no source; connect to an address, HOST:PORT")
        for source in sources:
            try:
                return await self._peer.connect(source.address, source.peer_id)
            except PeerageError as failure:
                error = failure
        raise error

    def _find(self, said: str) -> PeerInfo:
        said = format_id(parse_source(said).peer_id) if "@" in said else said.strip()
        items = [(Named(format_id(info.peer_id), info.alias), info) for info in self._peer.table]
        try:
            return find(said, items, "peer")
        except UnknownNameError:
            if len(said) != ID_CHARS:
                raise
        peer_id = PeerId(parse_id(said))
        if peer_id == self._peer.peer_id:
            raise LocalError("that is this node itself")
        return PeerInfo(peer_id=peer_id)
