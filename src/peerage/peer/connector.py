"""How a peer comes by its connections: dialling, welcoming, turning away, checking who is still there.

Invariant: a link is adopted or ended, whatever happens on the way; who is turned away is told why, as far as a bound
allows, and counted. Who dials a known id talks to that id or to nobody.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from peerage.errors import LimitError, LinkError, LocalError, NoRouteError, PeerageError, RefusedError, WrongPeerError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, format_id
from peerage.limits import MAX_ADDRESSES, PING_TIMEOUT
from peerage.peer.connection import PeerConnection, Upkeep
from peerage.peer.dispatch import Dispatcher
from peerage.peer.keeping import LinkKeeper
from peerage.peer.limiter import ConnectionLimiter
from peerage.peer.links import ConnectionSet
from peerage.peer.messages import PROTOCOL_VERSION, Hello, LinkKind, Quit
from peerage.peer.mounting import ServiceSet
from peerage.peer.routers import NextHop
from peerage.transport.base import Link, Listener, Transport
from peerage.wire.message import ErrorCode, Refusal, encode

if TYPE_CHECKING:
    from peerage.peer.peer import Peer

log = logging.getLogger("peerage.peer")

_TALK: Final = LinkKind.TALK  # members of an enum are slow to look up
_GOODBYE_TIME: Final = 1.0  # seconds for the last bytes to leave


class Connector:
    """Makes, takes and ends the connections of one peer."""

    def __init__(self, peer: Peer, transport: Transport, dispatcher: Dispatcher, services: ServiceSet) -> None:
        self._peer = peer
        self._transport = transport
        self._dispatcher = dispatcher
        self._limiter = ConnectionLimiter(peer.limits, peer.metrics)
        self.links = ConnectionSet(self._limiter, services.connected, services.disconnected, peer.table.is_apart)
        self.keeper = LinkKeeper(self.links, self._limiter, peer.table, peer.metrics)
        self._listeners: list[Listener] = []
        self._told_addresses: tuple[Address, ...] = ()  # where we say that we listen
        self._greeting: set[PeerConnection] = set()  # links whose hello has not come yet
        self._turned_away: dict[Link, asyncio.TimerHandle] = {}  # told why, and now ending
        self._closed = False

    # --- listening ------------------------------------------------------------------------------------------------

    async def listen(self, address: Address) -> tuple[Address, ...]:
        """Listen at `address` and return where."""
        if self._closed:
            raise LocalError("this peer has stopped")
        listener = await self._transport.listen(address, self._limiter, self._accept)
        self._listeners.append(listener)
        self._told_addresses = _sayable(self.addresses)
        return listener.addresses

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where this peer listens."""
        return tuple(address for listener in self._listeners for address in listener.addresses)

    def _accept(self, link: Link) -> None:
        if self._closed:
            link.abort()
            return
        try:
            self._peer.spawn(self._welcome(link))
        except LimitError as error:
            self._turn_away(link, error)

    async def _welcome(self, link: Link) -> None:
        try:
            await self._adopt(link, LinkKind.TALK, None)
        except PeerageError as error:
            self._peer.metrics.count("links_failed", type(error).__name__)
            log.info("a link from %s came to nothing: %s", link.remote, error)

    # --- dialling -------------------------------------------------------------------------------------------------

    async def connect(self, address: Address, expect: PeerId | None, kind: LinkKind) -> PeerConnection:
        """Return a connection to whoever listens at `address`; an open talk link is used again."""
        if kind is LinkKind.TALK and (known := self._open_link(address, expect)) is not None:
            return known
        if expect is not None:
            self._check_wanted(expect)
        link = await self._transport.dial(address)
        if expect is not None and link.peer_id != expect:
            link.abort()
            raise WrongPeerError(f"{address} is {format_id(link.peer_id)}, not {format_id(expect)}")
        if kind is LinkKind.TALK and (known := self.links.talk(link.peer_id)) is not None:
            link.abort()
            return known
        return await self._adopt(link, kind, address)

    async def connect_by(self, hop: NextHop, kind: LinkKind) -> PeerConnection:
        """Return a connection to a next hop: an open one, or by its addresses in turn."""
        if kind is LinkKind.TALK and (known := self.links.talk(hop.peer_id)) is not None:
            return known
        error: PeerageError = NoRouteError(f"no address is known of {format_id(hop.peer_id)}")
        for address in hop.addresses:
            try:
                return await self.connect(address, hop.peer_id, kind)
            except LinkError as failure:
                error = failure
        self._peer.table.failed(hop.peer_id)
        raise error

    def _open_link(self, address: Address, expect: PeerId | None) -> PeerConnection | None:
        """Return the talk link that a dial would only double."""
        if expect is not None:
            return self.links.talk(expect)
        return next((each for each in self.links.all_talk() if each.dialled == address), None)

    # --- adopting, and turning away -------------------------------------------------------------------------------

    async def _adopt(self, link: Link, kind: LinkKind, dialled: Address | None) -> PeerConnection:
        """Turn a link into a connection that is listed, or end it and raise why."""
        try:
            self._check_wanted(link.peer_id)
            if kind is LinkKind.BULK and self._limiter.crowded:
                raise self._limiter.refuse_bulk()
            self._limiter.enter(link.peer_id, link.remote.host)
        except PeerageError as error:
            self._turn_away(link, error)
            raise
        peer = self._peer
        connection = PeerConnection(link, peer.peer_id, self._dispatcher, Upkeep(peer.limits, peer.metrics))
        connection.dialled = dialled
        connection.on_open, connection.on_lost = self._opened, self._lost
        self._greeting.add(connection)
        await connection.open(Hello(PROTOCOL_VERSION, kind, peer.agent, self._told_addresses))
        return connection

    def _opened(self, connection: PeerConnection) -> None:
        """List a connection whose hello has come, before anything else that it brings is handled."""
        if connection.kind is LinkKind.BULK and self._limiter.crowded and not connection.outgoing:
            connection.refuse(0, Refusal(ErrorCode.LIMIT, str(self._limiter.refuse_bulk())))
            connection.close("no place for a further bulk link")
            return
        told = _reachable(connection.hello, connection.remote)
        reachable = told if connection.dialled is None else (connection.dialled,)
        self._greeting.discard(connection)
        self._peer.table.met(connection.peer_id, reachable, self._peer.clock.time())
        self._peer.metrics.count("links", "out" if connection.outgoing else "in")
        self.links.add(connection)
        self.keeper.opened(connection, self._peer.limits)

    def _lost(self, connection: PeerConnection) -> None:
        self._greeting.discard(connection)
        self._limiter.leave(connection.peer_id, connection.remote.host)
        self.links.remove(connection)

    def _check_wanted(self, peer_id: PeerId) -> None:
        """Raise why no link to this peer is wanted."""
        if self._closed:
            raise LocalError("this peer has stopped")
        if peer_id == self._peer.peer_id:
            raise LocalError("that is this node itself")
        if not self._peer.admits(peer_id):
            self._peer.metrics.count("links_refused", "not-admitted")
            raise RefusedError(ErrorCode.FORBIDDEN, "this peer is there for others")
        known = self._peer.table.get(peer_id)
        if known is not None and known.banned:
            self._peer.metrics.count("links_refused", "banned")
            raise RefusedError(ErrorCode.FORBIDDEN, f"{format_id(peer_id)} is banned here")

    def _turn_away(self, link: Link, error: PeerageError) -> None:
        """End a link; who dialled is told why, and has a moment to read it."""
        if link.outgoing or self._closed or len(self._turned_away) >= self._peer.limits.pending_handshakes:
            link.abort()
            return
        code = ErrorCode.LIMIT if isinstance(error, LimitError) else ErrorCode.FORBIDDEN
        link.write(encode(Refusal(code, str(error))))
        link.close()
        self._turned_away[link] = asyncio.get_running_loop().call_later(_GOODBYE_TIME, self._forget, link)

    def _forget(self, link: Link) -> None:
        self._turned_away.pop(link).cancel()
        link.abort()

    # --- upkeep and the end ---------------------------------------------------------------------------------------

    async def check_live(self, quiet: float) -> None:
        """Ping talk links that were quiet for so long, and bulk links that are silent; drop who does not answer."""
        due = [each for each in self.links.all() if self._is_due(each, quiet)]
        left, done = len(due), asyncio.get_running_loop().create_future()

        def ended(connection: PeerConnection, error: PeerageError | None) -> None:
            nonlocal left
            left -= 1
            if error is not None:
                self._unanswered(connection, error)
            if not left and not done.done():
                done.set_result(None)

        for connection in due:
            try:
                connection.probe(PING_TIMEOUT, partial(ended, connection))
            except PeerageError as error:
                ended(connection, error)
        if due:
            await done

    def _is_due(self, connection: PeerConnection, quiet: float) -> bool:
        if connection.kind is _TALK:
            return _unheard(connection) >= quiet
        return self._is_silent(connection) and not connection.unsent

    def _is_silent(self, connection: PeerConnection) -> bool:
        return _unheard(connection) > self._peer.limits.idle_timeout

    def _unanswered(self, connection: PeerConnection, error: PeerageError) -> None:
        """A ping came to nothing: end the link, unless it is only too busy with other answers for one."""
        if isinstance(error, LimitError) and not self._is_silent(connection):
            return
        self._peer.metrics.count("peers_dead")
        connection.abort(error)

    async def stop_listening(self) -> None:
        """Take no further links."""
        self._closed = True
        listeners, self._listeners, self._told_addresses = self._listeners, [], ()
        for listener in listeners:
            await listener.close()

    async def close(self) -> None:
        """Say QUIT to the neighbours and end every link; none is left."""
        self._closed = True
        self.keeper.close()
        for link in tuple(self._turned_away):
            self._forget(link)
        connections = [*self._greeting, *self.links.all()]
        for connection in self.links.all_talk():
            _say_goodbye(connection)
        for connection in connections:
            connection.close()
        for _ in range(2):  # in order, and if that takes too long at once
            await _wait_gone(connections)


def _unheard(connection: PeerConnection) -> float:
    """Return the seconds since anything came over a link."""
    return asyncio.get_running_loop().time() - connection.last_heard


def _say_goodbye(connection: PeerConnection) -> None:
    try:
        connection.send(Quit())
    except PeerageError:
        log.info("%r does not take a goodbye", connection)


async def _wait_gone(connections: list[PeerConnection]) -> None:
    try:
        async with asyncio.timeout(_GOODBYE_TIME):
            for connection in connections:
                await connection.wait_closed()
    except TimeoutError:
        for connection in connections:
            connection.abort(LocalError("this node stops"))


def _sayable(addresses: tuple[Address, ...]) -> tuple[Address, ...]:
    """Return what to tell of where we listen: a wildcard becomes "where you see me"."""
    told = (Address("" if each.host in {"0.0.0.0", "::"} else each.host, each.port) for each in addresses)  # noqa: S104 -- compared, not bound
    return tuple(dict.fromkeys(told))[:MAX_ADDRESSES]


def _reachable(hello: Hello, remote: Address) -> tuple[Address, ...]:
    """Turn what a dialler says about where it listens into addresses to try, none of them of a third party."""
    told = (Address(each.host or remote.host, each.port) for each in hello.addresses)
    return tuple(dict.fromkeys(each for each in told if each.is_dialable and each.host == remote.host))
