"""Where a node keeps what it shares and what it knows of others: opened together, closed in the opposite order.

Invariant: what is opened here is closed when the stack is, whatever happens in between.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import NamedTuple

from peerage.app.home import Home
from peerage.catalogue.database import Database
from peerage.catalogue.library import Library
from peerage.catalogue.record_index import RecordIndex
from peerage.content.hasher import ManifestHasher
from peerage.content.reader import SharedFiles
from peerage.identity.keys import PeerKey
from peerage.overlay.reputation import VoteStore
from peerage.transport.base import Clock


class Stores(NamedTuple):
    """The stores of one node; `served_index` only where it keeps an index for others."""

    database: Database
    library: Library
    reader: SharedFiles
    served_index: RecordIndex | None
    votes: VoteStore


class Opening(NamedTuple):
    """What opening needs; `serve_index`: keep an index for others."""

    home: Home
    key: PeerKey
    clock: Clock
    executor: ThreadPoolExecutor
    serve_index: bool


async def open_stores(place: Opening, stack: AsyncExitStack) -> Stores:
    """Open all of them; raises StoreErrors."""
    database = await Database.open(place.home.catalogue_file, place.key.peer_id)
    stack.push_async_callback(database.close)
    votes = await VoteStore.open(place.home.votes_file)
    stack.push_async_callback(votes.close)
    reader = SharedFiles()
    stack.callback(reader.close)
    library = Library(database, place.key, ManifestHasher(), place.clock, place.executor)
    index = None
    if place.serve_index:
        index = await RecordIndex.open(place.home.index_file)
        stack.push_async_callback(index.close)
    return Stores(database, library, reader, index, votes)
