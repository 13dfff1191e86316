"""The nodes of the demo network: peers with what sharing takes, and nothing of what makes a mesh.

Invariant: a node listens on loopback only, has links with its owner and with nobody else, asks nobody anything, and
keeps nothing on the disk; what it uploads in a second is bounded.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from peerage.app.browsing import own_page
from peerage.catalogue.database import Database
from peerage.catalogue.library import Library
from peerage.content.exchange import ContentExchange
from peerage.content.hasher import ManifestHasher
from peerage.content.holding import LibraryHoldings
from peerage.content.reader import SharedFiles
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, PeerKey
from peerage.identity.network import Network
from peerage.overlay.browse import Browsing
from peerage.overlay.flood import FloodOverlay
from peerage.overlay.flood.state import FloodRules
from peerage.overlay.shelf import CatalogueShelf
from peerage.peer.peer import Environment, Peer
from peerage.transport.tcp import SystemClock, TcpTransport

UPLOAD: Final = 300_000  # bytes a second: slow enough to see pieces come, fast enough that a film begins at once
_HOST: Final = "127.0.0.1"


class Place(NamedTuple):
    """Where a demo node is: its network, the one peer that may come, and the threads that it uses."""

    network: Network
    owner: PeerId
    executor: Executor


class DemoNode(NamedTuple):
    """A demo node that is up, and the ids of what it shares."""

    peer: Peer
    address: Address
    contents: list[bytes]


@asynccontextmanager
async def demo_node(place: Place, paths: Sequence[Path]) -> AsyncIterator[DemoNode]:
    """Run a node that shares these files, for the duration of the block; raises PeerageError when it cannot start."""
    key = PeerKey.generate()
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        database = await Database.open(None, key.peer_id)
        stack.push_async_callback(database.close)
        reader = SharedFiles()
        stack.callback(reader.close)
        library = Library(database, key, ManifestHasher(), clock, place.executor)
        environment = Environment(clock, random.SystemRandom(), place.executor)
        peer = await stack.enter_async_context(Peer(key, TcpTransport(place.network, key), environment))
        peer.admits = place.owner.__eq__
        contents = [(await library.share(path)).content for path in paths]
        exchange = ContentExchange([LibraryHoldings(library, reader, place.executor).find])
        flood = FloodOverlay(CatalogueShelf(database, key.peer_id), FloodRules(table_depth=0))
        for service in (exchange, flood, Browsing(partial(own_page, database))):
            await peer.mount(service)
        exchange.rate.change(UPLOAD, asyncio.get_running_loop().time())
        async for page in database.own():
            await flood.publish(page)
        (address,) = await peer.listen(Address(_HOST, 0))
        yield DemoNode(peer, address, [content for content in contents if content])
