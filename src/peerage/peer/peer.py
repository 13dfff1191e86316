"""One node's end of the framework: the deck's Peer module.

Invariant: everything a Peer starts (links, tasks, stabilizers) ends with `stop`. What it does is decided by handlers,
routers and stabilizers, mostly brought by services; it knows no feature itself.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, Final, NamedTuple, Self, TypeVar, overload

from peerage.errors import LinkError, LocalError, NoRouteError, PeerageError, RefusedError, WrongPeerError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, PeerKey, format_id
from peerage.limits import DEFAULT, MAX_ADDRESSES, PING_INTERVAL, PING_TIMEOUT, REQUEST_TIMEOUT, Limits
from peerage.peer.connection import PeerConnection, Upkeep
from peerage.peer.dispatch import Dispatcher
from peerage.peer.handlers import Handler, HandlerTable, MessageT
from peerage.peer.limiter import ConnectionLimiter
from peerage.peer.links import ConnectionSet
from peerage.peer.messages import PROTOCOL_VERSION, Hello, LinkKind, Ping, Pong, Quit
from peerage.peer.metrics import Metrics
from peerage.peer.routers import NextHop, Router, neighbour_router
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer, StabilizerSet
from peerage.peer.table import PeerInfo, PeerTable
from peerage.peer.tasks import TaskScope
from peerage.transport.base import Clock, Link, Listener, Transport
from peerage.wire.message import Message, ReplyT, Request

log = logging.getLogger("peerage.peer")

T = TypeVar("T")

AGENT: Final = "peerage/0.1"
_GOODBYE_TIME: Final = 1.0  # seconds for the last bytes to leave


class Environment(NamedTuple):
    """What a peer takes from its surroundings: real in a node, virtual in the lab."""

    clock: Clock
    rng: random.Random
    executor: Executor | None = None  # where blocking work runs; None: the event loop's own threads
    limits: Limits = DEFAULT


class _Mounted(NamedTuple):
    """What a service put on, so that exactly that is taken off."""

    messages: tuple[type[Message], ...]
    router: Router | None
    stabilizers: tuple[Stabilizer, ...]


class Peer:
    """A peer: known peers, handlers, routers, stabilizers, services, and links to others."""

    def __init__(self, key: PeerKey, transport: Transport, environment: Environment) -> None:
        self.key = key
        self.peer_id: PeerId = key.peer_id
        self.clock = environment.clock
        self.rng = environment.rng
        self.executor = environment.executor
        self.limits = environment.limits
        self.metrics = Metrics()
        self.table = PeerTable(self.limits.known_peers, self.peer_id)
        self.agent = AGENT
        self._transport = transport
        self._listeners: list[Listener] = []
        self._handlers = HandlerTable()
        self._routers: list[Router] = [neighbour_router(self.table)]
        self._services: list[Service] = []
        self._mounts: dict[Service, _Mounted] = {}
        self._limiter = ConnectionLimiter(self.limits, self.metrics)
        self._links = ConnectionSet(self._limiter, self._connected, self._disconnected)
        self._stopped = asyncio.Event()
        self._tasks = TaskScope(self.metrics, self.limits.tasks, "handlers")
        self._upkeep = TaskScope(self.metrics, self.limits.tasks, "upkeep")
        self._stabilizers = StabilizerSet(self._upkeep, self.metrics, self.rng)
        self._dispatcher = Dispatcher(self._handlers, self._tasks, self.limits, self.metrics)
        self.add_handler(Ping, lambda _connection, _message: Pong())
        self.add_handler(Quit, self._on_quit)

    # --- life ---------------------------------------------------------------------------------------------------

    async def listen(self, address: Address) -> tuple[Address, ...]:
        """Listen at `address` (port 0: any free one) and return where; raises DialError when that cannot be."""
        listener = await self._transport.listen(address, self._limiter, self._accept)
        self._listeners.append(listener)
        return listener.addresses

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where this peer listens; a wildcard host means every interface."""
        return tuple(address for listener in self._listeners for address in listener.addresses)

    async def run(self) -> None:
        """Be a peer until `stop` is called: the main loop."""
        try:
            await self._stopped.wait()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Say QUIT to the neighbours and end in order; no task, link or listener is left."""
        self._stopped.set()
        for service in reversed(self._services.copy()):
            await self.unmount(service)
        for listener in self._listeners:
            await listener.close()
        self._listeners.clear()
        for connection in self._links.neighbours():
            if connection.is_open:
                connection.send(Quit())
        connections = self._links.all()
        for connection in connections:
            connection.close()
        await self._wait_gone(connections)
        await self._upkeep.close()
        await self._tasks.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def spawn(self, work: Coroutine[Any, Any, None], name: str = "") -> asyncio.Task[None]:
        """Run a coroutine as a task that ends with this peer; its exceptions are logged and counted."""
        task = self._upkeep.start(work)
        if name:
            task.set_name(name)
        return task

    async def in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run blocking work off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, work, *arguments)

    # --- handlers, routers, stabilizers, services -----------------------------------------------------------------

    def add_handler(self, message: type[MessageT], handler: Handler[MessageT]) -> None:
        """Let `handler(connection, message)` answer one message type; a second registration is a LocalError.

        A plain function runs at once, a coroutine as a task; an async generator answers in parts. It returns the reply,
        `Bulk` for raw bytes, or None.
        """
        self._handlers.add(message, handler)

    def remove_handler(self, message: type[Message]) -> None:
        """Take a handler off again."""
        self._handlers.remove(message)

    def add_router(self, router: Router) -> None:
        """Ask `router` for the next hop before those that were added earlier."""
        self._routers.insert(0, router)

    def remove_router(self, router: Router) -> None:
        """Ask it no more."""
        self._routers.remove(router)

    def start_stabilizer(self, stabilizer: Stabilizer) -> None:
        """Begin periodic upkeep."""
        self._stabilizers.start(stabilizer)

    async def stop_stabilizer(self, stabilizer: Stabilizer) -> None:
        """End it."""
        await self._stabilizers.stop(stabilizer)

    def start_pings(self, interval: float = PING_INTERVAL) -> None:
        """Check the neighbours every `interval` seconds (the 2007 SimplePingStabilizer)."""
        self.start_stabilizer(Stabilizer(self.check_live_peers, interval))

    async def mount(self, service: Service) -> None:
        """Put a service's handlers, router and stabilizers on, all or none of them."""
        service.peer = self
        added: list[type[Message]] = []
        try:
            for message, handler in service.handlers():
                self.add_handler(message, handler)
                added.append(message)
        except LocalError:
            for message in added:
                self.remove_handler(message)
            raise
        mounted = _Mounted(tuple(added), service.router(), tuple(service.stabilizers()))
        if mounted.router is not None:
            self.add_router(mounted.router)
        self._mounts[service] = mounted
        self._services.append(service)
        await service.start()
        for stabilizer in mounted.stabilizers:
            self.start_stabilizer(stabilizer)

    async def unmount(self, service: Service) -> None:
        """Take it all off again."""
        mounted = self._mounts.pop(service, None)
        if mounted is None:
            raise LocalError(f"{service.name} is not mounted")
        self._services.remove(service)
        for stabilizer in mounted.stabilizers:
            await self.stop_stabilizer(stabilizer)
        await service.stop()
        if mounted.router is not None:
            self.remove_router(mounted.router)
        for message in mounted.messages:
            self.remove_handler(message)

    # --- known peers ------------------------------------------------------------------------------------------------

    def add_peer(self, peer_id: PeerId, *addresses: Address) -> bool:
        """Remember a peer by hearsay; False when that adds nothing or the maximum is reached."""
        return self.table.hear_of(peer_id, addresses)

    def get_peer(self, peer_id: PeerId) -> PeerInfo | None:
        """Return what is known of a peer."""
        return self.table.get(peer_id)

    def remove_peer(self, peer_id: PeerId) -> bool:
        """Forget a peer."""
        return self.table.remove(peer_id)

    def add_peer_at(self, slot: int, peer_id: PeerId) -> None:
        """Let a positional slot name a known peer."""
        self.table.put_at(slot, peer_id)

    def get_peer_at(self, slot: int) -> PeerInfo | None:
        """Return the peer in a slot."""
        return self.table.get_at(slot)

    def remove_peer_at(self, slot: int) -> bool:
        """Free a slot."""
        return self.table.remove_at(slot)

    def peer_ids(self) -> list[PeerId]:
        """Return the ids of all known peers, in order."""
        return sorted(each.peer_id for each in self.table)

    def number_of_peers(self) -> int:
        """Return how many peers are known."""
        return len(self.table)

    def max_peers_reached(self) -> bool:
        """Whether no further peer can be remembered without forgetting one."""
        return self.table.full

    # --- links --------------------------------------------------------------------------------------------------------

    def connection_to(self, peer_id: PeerId) -> PeerConnection | None:
        """Return the talk link to a peer, if one is open."""
        return self._links.talk(peer_id)

    def neighbours(self) -> list[PeerConnection]:
        """Return one talk link for each connected peer."""
        return self._links.neighbours()

    def connections(self) -> list[PeerConnection]:
        """Return every open link."""
        return self._links.all()

    async def connect(
        self, address: Address, expect: PeerId | None = None, kind: LinkKind = LinkKind.TALK
    ) -> PeerConnection:
        """Make a link to whoever listens at `address`; an open talk link to `expect` is used again.

        Raises DialError, WrongNetworkError, WrongPeerError when somebody else than `expect` answers, LimitError, or
        RefusedError when that peer is banned here.
        """
        if expect is not None and kind is LinkKind.TALK and (known := self.connection_to(expect)) is not None:
            return known
        link = await self._transport.dial(address)
        if expect is not None and link.peer_id != expect:
            link.abort()
            raise WrongPeerError(f"{address} is {format_id(link.peer_id)}, not {format_id(expect)}")
        if kind is LinkKind.TALK and (known := self.connection_to(link.peer_id)) is not None:
            link.abort()
            return known
        return await self._adopt(link, kind, address)

    async def connect_to(self, peer_id: PeerId, kind: LinkKind = LinkKind.TALK) -> PeerConnection:
        """Make a link to the next hop towards a peer: an open one, or its known addresses in turn."""
        hop = self._next_hop(peer_id)
        if kind is LinkKind.TALK and (known := self.connection_to(hop.peer_id)) is not None:
            return known
        error: PeerageError = NoRouteError(f"no address is known of {format_id(peer_id)}")
        for address in hop.addresses:
            try:
                return await self.connect(address, hop.peer_id, kind)
            except LinkError as failure:
                error = failure
        self.table.failed(hop.peer_id)
        raise error

    async def ask(self, address: Address, message: Request[ReplyT], timeout: float = REQUEST_TIMEOUT) -> ReplyT:  # noqa: ASYNC109 -- passed on to the request
        """Connect and send a request; the link stays for the next one."""
        return await (await self.connect(address)).request(message, timeout)

    @overload
    async def send_to(self, peer_id: PeerId, message: Request[ReplyT]) -> ReplyT: ...  # type: ignore[overload-overlap]  # a Request is a Message that is answered

    @overload
    async def send_to(self, peer_id: PeerId, message: Message) -> None: ...

    async def send_to(self, peer_id: PeerId, message: Any) -> Any:
        """Send through the router: a request returns its reply, any other message returns None."""
        connection = await self.connect_to(peer_id)
        if isinstance(message, Request):
            return await connection.request(message)
        connection.send(message)
        return None

    async def check_live_peers(self) -> None:
        """Ping every neighbour and drop those that do not answer in time."""
        await asyncio.gather(*(self._check_live(connection) for connection in self.neighbours()))

    def drop(self, peer_id: PeerId, error: PeerageError) -> None:
        """End every link to a peer."""
        for connection in self._links.to(peer_id):
            connection.abort(error)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _accept(self, link: Link) -> None:
        if self._upkeep.full or self._stopped.is_set():
            link.abort()
        else:
            self._upkeep.start(self._welcome(link))

    async def _welcome(self, link: Link) -> None:
        try:
            await self._adopt(link, LinkKind.TALK, None)
        except PeerageError as error:
            self.metrics.count("links_failed", type(error).__name__)
            log.info("a link from %s came to nothing: %s", link.remote, error)

    async def _adopt(self, link: Link, kind: LinkKind, dialled: Address | None) -> PeerConnection:
        known = self.table.get(link.peer_id)
        try:
            if link.peer_id == self.peer_id:
                raise LocalError("that is this node itself")
            if known is not None and known.banned:
                self.metrics.count("links_refused", "banned")
                raise RefusedError("forbidden", f"{format_id(link.peer_id)} is banned here")
            self._limiter.enter(link.peer_id, link.remote.host)
        except PeerageError:
            link.abort()
            raise
        connection = PeerConnection(link, self.peer_id, self._dispatcher, Upkeep(self.limits, self.metrics))
        connection.on_lost = self._forget
        hello = await connection.open(Hello(PROTOCOL_VERSION, kind, self.agent, self._told_addresses()))
        if not connection.is_open:
            raise await connection.wait_closed()
        reachable = (dialled,) if dialled is not None else _reachable(hello, link.remote)
        self.table.met(link.peer_id, reachable, self.clock.time())
        self._links.add(connection)
        self.metrics.count("links", "out" if link.outgoing else "in")
        return connection

    def _forget(self, connection: PeerConnection) -> None:
        self._limiter.leave(connection.peer_id, connection.remote.host)
        self._links.remove(connection)

    def _told_addresses(self) -> tuple[Address, ...]:
        """Where we say that we listen: a wildcard becomes "where you see me"."""
        told = (Address("" if each.host in {"0.0.0.0", "::"} else each.host, each.port) for each in self.addresses)  # noqa: S104 -- compared, not bound
        return tuple(dict.fromkeys(told))[:MAX_ADDRESSES]

    def _connected(self, connection: PeerConnection) -> None:
        for service in self._services:
            service.peer_connected(connection)

    def _disconnected(self, connection: PeerConnection) -> None:
        for service in self._services:
            service.peer_disconnected(connection)

    def _on_quit(self, connection: PeerConnection, _message: Quit) -> None:
        connection.close()

    def _next_hop(self, peer_id: PeerId) -> NextHop:
        for router in self._routers:
            hop = router(peer_id)
            if hop is not None:
                return hop
        raise NoRouteError(f"no way to {format_id(peer_id)} is known")

    async def _check_live(self, connection: PeerConnection) -> None:
        try:
            await connection.request(Ping(), PING_TIMEOUT)
        except PeerageError as error:
            self.metrics.count("peers_dead")
            connection.abort(error)

    async def _wait_gone(self, connections: list[PeerConnection]) -> None:
        try:
            async with asyncio.timeout(_GOODBYE_TIME):
                for connection in connections:
                    await connection.wait_closed()
        except TimeoutError:
            for connection in connections:
                connection.abort(LocalError("this node stops"))


def _reachable(hello: Hello, remote: Address) -> tuple[Address, ...]:
    """Turn what a dialler says about where it listens into addresses to try, none of them of a third party."""
    told = (Address(each.host or remote.host, each.port) for each in hello.addresses)
    return tuple(each for each in told if each.is_dialable and (each.host == remote.host or not each.is_loopback))
