"""The short way to a peer on real sockets, for programs with a protocol of their own."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from peerage.identity.address import parse_address
from peerage.identity.keys import PeerKey
from peerage.identity.network import Network
from peerage.limits import DEFAULT, Limits
from peerage.peer.peer import Environment, Peer
from peerage.transport.tcp import SystemClock, TcpTransport


@asynccontextmanager
async def open_peer(
    listen: str | None = "127.0.0.1:0",
    *,
    network: Network | None = None,
    key: PeerKey | None = None,
    limits: Limits = DEFAULT,
) -> AsyncIterator[Peer]:
    """Open a peer over TCP and TLS and stop it at the end of the `async with` block.

    `listen` is `host:port` (port 0: any free one) or None for a peer that only dials; `network` defaults to the public
    one, `key` to a new identity.
    """
    key = key or PeerKey.generate()
    transport = TcpTransport(network or Network.public(), key, limits)
    peer = Peer(key, transport, Environment(SystemClock(), random.SystemRandom(), limits=limits))
    async with peer:
        if listen is not None:
            await peer.listen(parse_address(listen))
        peer.start_pings()
        yield peer
