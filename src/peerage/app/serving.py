"""Serves the local API inside the node's own event loop.

Invariant: it listens on this computer only; when the block ends nothing of it is left, and streams that clients still
hold open do not keep it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final

import uvicorn

from peerage.app.access import Access
from peerage.app.api.application import build
from peerage.app.api.control import Control
from peerage.app.api.guard import Door
from peerage.app.config import Config
from peerage.app.keys_book import KeyBook
from peerage.app.node import Node
from peerage.errors import ConfigError
from peerage.identity.address import Address, literal_ip, parse_address

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

    Raises ConfigError when the address is not of this computer or taken; the default port gives way to a free one.
    """
    book = KeyBook(node.home.keys_file)
    await node.peer.in_thread(book.load)
    access = Access(node.home.token(), book, time.monotonic)
    settings = uvicorn.Config(
        build(node, access, control, Door()),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )
    server = _Server(settings)
    listening = _open_socket(wanted)
    address = Address(*listening.getsockname()[:2])
    node.api = str(address)
    serving = asyncio.create_task(server.serve([listening]), name="api")

    def ended(_: asyncio.Task[None]) -> None:
        server.up.set()
        control.stop()

    serving.add_done_callback(ended)
    try:
        await server.up.wait()
        yield address
    finally:
        node.api = ""
        server.should_exit = True
        await serving


def check_api_address(text: str) -> Address:
    """Read where the API should listen; raises ConfigError unless it is an address of this computer only."""
    address = parse_address(text)
    host = "127.0.0.1" if address.host == "localhost" else address.host
    literal = literal_ip(host)
    if literal is None or not literal.is_loopback:
        raise ConfigError(
            f"the API cannot listen at {text}: it is only for this computer, so choose 127.0.0.1 or [::1] with a port"
        )
    return Address(host, address.port)


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
