"""One node's end of the framework: the deck's Peer module.

Invariant: everything a Peer starts (links, tasks, stabilizers) ends with `stop`. What it does is decided by handlers,
routers and stabilizers, mostly brought by services; it knows no feature itself.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final, NamedTuple, Self, TypeVar, overload

from peerage.errors import PeerageError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, PeerKey
from peerage.limits import DEFAULT, PING_INTERVAL, REQUEST_TIMEOUT, Limits
from peerage.peer.connection import PeerConnection
from peerage.peer.connector import Connector
from peerage.peer.dispatch import Dispatcher
from peerage.peer.handlers import Handler, HandlerTable, MessageT
from peerage.peer.messages import LinkKind, Ping, Pong, Quit
from peerage.peer.metrics import Metrics
from peerage.peer.mounting import ServiceSet
from peerage.peer.routers import Router, RouterChain, neighbour_router
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer, StabilizerSet
from peerage.peer.table import PeerInfo, PeerTable
from peerage.peer.tasks import TaskScope
from peerage.transport.base import Clock, Transport
from peerage.wire.message import Message, ReplyT, Request

T = TypeVar("T")

AGENT: Final = "peerage/0.1"


class Environment(NamedTuple):
    """What a peer takes from its surroundings: real in a node, virtual in the lab."""

    clock: Clock
    rng: random.Random
    executor: Executor | None = None  # where blocking work runs; None: the event loop's own threads
    limits: Limits = DEFAULT


class Peer:
    """A peer: known peers, handlers, routers, stabilizers, services, and links to others."""

    def __init__(self, key: PeerKey, transport: Transport, environment: Environment) -> None:
        self.key = key
        self.peer_id: PeerId = key.peer_id
        self.clock, self.rng, self.executor, self.limits = environment
        self.metrics = Metrics()
        self.table = PeerTable(self.limits.known_peers, self.peer_id)
        self.agent = AGENT
        self.admits: Callable[[PeerId], bool] = lambda _peer_id: True  # with whom it has links at all
        self._handlers = HandlerTable()
        self._routers = RouterChain(neighbour_router(self.table))
        self._tasks = TaskScope(self.metrics, self.limits.tasks, "handlers")
        self._upkeep = TaskScope(self.metrics, self.limits.tasks, "upkeep")
        self._stabilizers = StabilizerSet(self._upkeep, self.metrics, self.rng)
        self._services = ServiceSet(self._handlers, self._routers, self._stabilizers, self.metrics)
        dispatcher = Dispatcher(self._handlers, self._tasks, self.limits, self.metrics)
        self._connector = Connector(self, transport, dispatcher, self._services)
        self._links = self._connector.links
        self._keeper = self._connector.keeper
        self._stop_asked = asyncio.Event()
        self._stopping = asyncio.Lock()
        self.add_handler(Ping, lambda _connection, _message: Pong(max(0, int(self.clock.time()))))
        self.add_handler(Quit, lambda connection, _message: connection.close("the other side has left"))

    # --- life -----------------------------------------------------------------------------------------------------

    async def listen(self, address: Address) -> tuple[Address, ...]:
        """Listen at `address` (port 0: any free one) and return where; raises DialError when that cannot be."""
        return await self._connector.listen(address)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where this peer listens; a wildcard host means every interface."""
        return self._connector.addresses

    async def run(self) -> None:
        """Be a peer until `stop` is called: the main loop."""
        try:
            await self._stop_asked.wait()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Say QUIT to the neighbours and end in order; no task, link or listener is left.

        Every step is taken even if one before it fails. Whoever calls second waits until the first is done.
        """
        self._stop_asked.set()
        async with self._stopping, AsyncExitStack() as last_to_first:
            last_to_first.push_async_callback(self._tasks.close)
            last_to_first.push_async_callback(self._upkeep.close)
            last_to_first.push_async_callback(self._connector.close)
            last_to_first.push_async_callback(self._connector.stop_listening)
            last_to_first.push_async_callback(self._services.unmount_all)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def spawn(self, work: Coroutine[Any, Any, object], name: str = "") -> asyncio.Task[None]:
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
        `Bulk` for raw bytes, `Later` for an answer that comes when its turn has come, or None.
        """
        self._handlers.add(message, handler)

    def remove_handler(self, message: type[Message]) -> None:
        """Take a handler off again."""
        self._handlers.remove(message)

    def add_router(self, router: Router) -> None:
        """Ask `router` for the next hop before those that were added earlier."""
        self._routers.add(router)

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
        """Check every `interval` seconds the neighbours that were quiet (the 2007 SimplePingStabilizer).

        Who was heard of in the half of an interval lives; so of the two ends of a link mostly one has to ask.
        """
        self.start_stabilizer(Stabilizer(partial(self.check_live_peers, interval / 2), interval))

    async def mount(self, service: Service) -> None:
        """Put a service's handlers, router and stabilizers on, all or none of them."""
        service.peer = self
        await self._services.mount(service)

    async def unmount(self, service: Service) -> None:
        """Take it all off again."""
        await self._services.unmount(service)

    # --- known peers ----------------------------------------------------------------------------------------------

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

    def set_apart(self, peer_id: PeerId) -> None:
        """Keep a peer to this node alone, from now on until the end: to be called before it is linked.

        Links to it are made and used as any other, but it is no neighbour: no service hears of it, the table does not
        know it, so nobody is told of it and nothing of it is kept. Raises LimitError above `limits.MAX_APART`.
        """
        self.table.set_apart(peer_id)

    # --- links ----------------------------------------------------------------------------------------------------

    def connection_to(self, peer_id: PeerId) -> PeerConnection | None:
        """Return the talk link to a peer, if one is open."""
        return self._links.talk(peer_id)

    def neighbours(self) -> list[PeerConnection]:
        """Return one talk link for each connected peer."""
        return self._links.neighbours()

    def apart(self) -> list[PeerConnection]:
        """Return one talk link for each connected peer that was set apart."""
        return self._links.apart()

    def connections(self) -> list[PeerConnection]:
        """Return every open link."""
        return self._links.all()

    def hold(self, peer_id: PeerId, reason: str) -> None:
        """Let links to a peer last, until `release` with the same reason; reasons are fixed names of features.

        A talk link that this side dialled is closed when nobody holds it and it was idle for `limits.LINK_IDLE`
        seconds. A link that others dialled is closed only when this side runs out of places and nobody here holds it.
        """
        self._keeper.hold(peer_id, reason)

    def release(self, peer_id: PeerId, reason: str) -> None:
        """Take a hold back; harmless when there was none."""
        self._keeper.release(peer_id, reason)

    def is_held(self, peer_id: PeerId) -> bool:
        """Whether anybody here wants links to this peer to last."""
        return self._keeper.is_held(peer_id)

    def close_soon(self, connection: PeerConnection, idle: float) -> None:
        """Let a link that was made for a question or two end after `idle` seconds without use; held ones last."""
        self._keeper.soon(connection, idle)

    async def connect(
        self, address: Address, expect: PeerId | None = None, kind: LinkKind = LinkKind.TALK
    ) -> PeerConnection:
        """Return a connection to whoever listens at `address`; an open talk link to there is used again.

        Once idle the link is closed, see `hold`; whoever needs it later calls again.

        Raises DialError, WrongNetworkError, WrongPeerError when somebody else than `expect` answers, LinkLostError,
        LimitError, or RefusedError when the other side does not want this peer, or that peer is banned here.
        """
        return await self._connector.connect(address, expect, kind)

    async def connect_to(self, peer_id: PeerId, kind: LinkKind = LinkKind.TALK) -> PeerConnection:
        """Return a connection to the next hop towards a peer: an open one, or by its known addresses in turn."""
        return await self._connector.connect_by(self._routers.next_hop(peer_id), kind)

    async def ask(self, address: Address, message: Request[ReplyT], timeout: float = REQUEST_TIMEOUT) -> ReplyT:  # noqa: ASYNC109 -- passed on to the request
        """Connect and send a request; the link stays for the next one."""
        return await (await self.connect(address)).request(message, timeout)

    @overload
    async def send_to(self, peer_id: PeerId, message: Request[ReplyT]) -> ReplyT: ...  # type: ignore[overload-overlap]  # a Request is a Message that is answered

    @overload
    async def send_to(self, peer_id: PeerId, message: Message) -> None: ...

    async def send_to(self, peer_id: PeerId, message: Any) -> Any:
        """Send to the next hop that the routers name: a request returns its reply, any other message returns None."""
        connection = await self.connect_to(peer_id)
        if isinstance(message, Request):
            return await connection.request(message)
        connection.send(message)
        return None

    async def check_live_peers(self, quiet: float = 0.0) -> None:
        """Ping every neighbour that was not heard of for `quiet` seconds, and drop those that do not answer in time."""
        await self._connector.check_live(quiet)

    def drop(self, peer_id: PeerId, error: PeerageError) -> None:
        """End every link to a peer."""
        for connection in self._links.to(peer_id):
            connection.abort(error)
