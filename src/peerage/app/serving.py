"""Serves the local API inside the node's own event loop.

Invariant: it listens on this computer only, unless the owner has given it a certificate and a password; when the block
ends nothing of it is left, and streams that clients still hold open do not keep it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import uvicorn

from peerage.app.access import Access
from peerage.app.api.application import build
from peerage.app.api.control import Control
from peerage.app.api.guard import AsgiApp, Door
from peerage.app.api.parting import Parting
from peerage.app.certificates import DoorCertificate
from peerage.app.config import Config
from peerage.app.doors import check_api_address, open_book, tls_of
from peerage.app.node import Node
from peerage.app.tickets import SessionFile
from peerage.errors import ConfigError
from peerage.identity.address import Address, parse_address

_GRACE: Final = 1  # seconds that requests under way have to end; streams never would
_BACKLOG: Final = 128


class _Server(uvicorn.Server):
    """A server that leaves signals to the daemon."""

    def __init__(self, settings: uvicorn.Config) -> None:
        super().__init__(settings)
        self.up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@asynccontextmanager
async def serve_api(node: Node, wanted: str, control: Control) -> AsyncIterator[Address]:
    """Serve the API of a node at `wanted` (HOST:PORT) for the duration of the block; gives where it is.

    It is also served for other computers, where the configuration says so. Raises ConfigError when the address is not
    of this computer or taken, or when others could get in too easily; the default port gives way to a free one.
    """
    book = await node.peer.in_thread(open_book, node.home)
    kept = SessionFile(node.home.sessions_file, time.time)
    access = Access(node.home.token(), book, time.monotonic, kept)
    async with AsyncExitStack() as stack:
        if remote := node.config.remote.listen:
            door = Door(remote=True, names=frozenset(name.lower() for name in node.config.remote.names))
            tls = tls_of(node.config.remote, book)
            listening = _open_remote(remote)
            node.remote = str(Address(*listening.getsockname()[:2]))
            far = build(node, access, control, door)
            served = await stack.enter_async_context(_serving(far, listening, control, tls))
            if served.ssl is not None:
                node.certificate = DoorCertificate(served.ssl, node.config.remote, book)
        listening = _open_socket(wanted)
        address = Address(*listening.getsockname()[:2])
        node.api = str(address)
        try:
            async with _serving(build(node, access, control, Door()), listening, control, {}):
                yield address
        finally:
            node.api = node.remote = ""
            node.certificate = None


@asynccontextmanager
async def _serving(
    app: AsgiApp, listening: socket.socket, control: Control, tls: Mapping[str, str]
) -> AsyncIterator[uvicorn.Config]:
    """Serve an application at an open socket for the duration of the block; gives the settings it is served with."""
    settings = uvicorn.Config(
        Parting(app, control),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        **tls,  # type: ignore[arg-type]  # two of its texts
    )
    server = _Server(settings)
    serving = asyncio.create_task(server.serve([listening]), name="api")

    def ended(_: asyncio.Task[None]) -> None:
        server.up.set()
        control.stop()

    serving.add_done_callback(ended)
    try:
        await server.up.wait()
        yield settings
    finally:
        control.stop()
        server.should_exit = True
        with _broken_off():
            await serving


@contextlib.contextmanager
def _broken_off() -> Iterator[None]:
    """Say nothing, for the duration of the block, of requests that are broken off: who stops a node knows."""
    speaker = logging.getLogger("uvicorn.error")
    before = speaker.level
    speaker.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        speaker.setLevel(before)


def _open_remote(wanted: str) -> socket.socket:
    address = parse_address(wanted)
    try:
        return _bind(Address(address.host or "0.0.0.0", address.port))  # noqa: S104 -- what the owner asked for
    except OSError as error:
        raise ConfigError(f"the API cannot listen at {wanted}: {error.strerror or error}") from error


def _open_socket(wanted: str) -> socket.socket:
    address = check_api_address(wanted)
    try:
        return _bind(address)
    except OSError as error:
        if wanted != Config().api:
            raise ConfigError(f"the API cannot listen at {wanted}: {error.strerror}") from error
    return _bind(Address(address.host, 0))


def _bind(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY; without it an answer waits 40 ms for an acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address.host, address.port))
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
