"""The services of a peer: mounted and taken off, each in one step.

Invariant: a service is on the peer with everything it brings, or with nothing; while it is mounted it is told of every
neighbour that comes and goes. What a service does is its own business.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from peerage.errors import LocalError
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler, HandlerTable
from peerage.peer.metrics import Metrics
from peerage.peer.routers import Router, RouterChain
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer, StabilizerSet
from peerage.peer.tasks import contained
from peerage.wire.message import Message


class _Brought(NamedTuple):
    """What a service brings, asked for once, so that exactly that is taken off again."""

    handlers: tuple[tuple[type[Message], Handler[Any]], ...]
    router: Router | None
    stabilizers: tuple[Stabilizer, ...]


class ServiceSet:
    """The mounted services, in the order in which they came."""

    def __init__(
        self, handlers: HandlerTable, routers: RouterChain, stabilizers: StabilizerSet, metrics: Metrics
    ) -> None:
        self._handlers = handlers
        self._routers = routers
        self._stabilizers = stabilizers
        self._metrics = metrics
        self._mounted: dict[Service, _Brought] = {}

    def __contains__(self, service: Service) -> bool:
        return service in self._mounted

    async def mount(self, service: Service) -> None:
        """Put on all that the service brings and start it; if anything of that fails, nothing stays."""
        if service in self._mounted:
            raise LocalError(f"{service.name} is mounted already")
        brought = _Brought(tuple(service.handlers()), service.router(), tuple(service.stabilizers()))
        async with AsyncExitStack() as undo:
            for message, handler in brought.handlers:
                self._handlers.add(message, handler)
                undo.callback(self._handlers.remove, message)
            if brought.router is not None:
                self._routers.add(brought.router)
                undo.callback(self._routers.remove, brought.router)
            self._mounted[service] = brought
            undo.callback(self._mounted.pop, service, None)
            await service.start()
            undo.push_async_callback(service.stop)
            for stabilizer in brought.stabilizers:
                self._stabilizers.start(stabilizer)
                undo.push_async_callback(self._stabilizers.stop, stabilizer)
            undo.pop_all()  # forgotten: a thousand peers would keep a hundred of these steps each

    async def unmount(self, service: Service) -> None:
        """Take it all off again, in the opposite order; every step is tried even if one fails."""
        brought = self._mounted.pop(service, None)
        if brought is None:
            raise LocalError(f"{service.name} is not mounted")
        await self._take_off(service, brought)

    async def unmount_all(self) -> None:
        """Take every service off, the last one first."""
        async with AsyncExitStack() as each:
            for service, brought in self._mounted.items():
                each.push_async_callback(self._take_off, service, brought)
            self._mounted.clear()

    async def _take_off(self, service: Service, brought: _Brought) -> None:
        async with AsyncExitStack() as undo:
            for message, _ in brought.handlers:
                undo.callback(self._handlers.remove, message)
            if brought.router is not None:
                undo.callback(self._routers.remove, brought.router)
            undo.push_async_callback(service.stop)
            for stabilizer in brought.stabilizers:
                undo.push_async_callback(self._stabilizers.stop, stabilizer)

    def connected(self, connection: PeerConnection) -> None:
        """Tell them that a talk link came up."""
        for service in tuple(self._mounted):
            self._tell(service.peer_connected, connection, service.name)

    def disconnected(self, connection: PeerConnection) -> None:
        """Tell them that a talk link ended."""
        for service in tuple(self._mounted):
            self._tell(service.peer_disconnected, connection, service.name)

    def _tell(self, event: Callable[[PeerConnection], None], connection: PeerConnection, name: str) -> None:
        with contained(self._metrics, "service_failed", name):
            event(connection)
