"""Tells neighbours of this node's keyword tables, and takes theirs; what is told when is decided by tables.py.

Invariant: one round at a time; changes are collected before they are told, and a round in which nothing changed sends
nothing. A node without changes has no work here but one look a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from peerage.errors import StoreError
from peerage.identity.keys import PeerId
from peerage.overlay.flood.answering import Answerer
from peerage.overlay.flood.messages import Family, TableUpdate
from peerage.overlay.flood.sending import Links, Sender
from peerage.overlay.flood.state import FloodRules
from peerage.overlay.flood.tables import Piece, TableBook, Taken
from peerage.peer.connection import PeerConnection
from peerage.peer.peer import Peer
from peerage.wire.message import encode


class TableExchange:
    """The tables of one overlay; `book` holds them."""

    def __init__(self, peer: Peer, sender: Sender, links: Links, answerer: Answerer, rules: FloodRules) -> None:
        self.book = TableBook(rules, asyncio.get_running_loop().time())
        self._peer = peer
        self._sender = sender
        self._links = links
        self._answerer = answerer
        self._rules = rules
        self._told: dict[PeerId, tuple[PeerConnection, bool]] = {}  # who has this node's tables, and "there is more"
        self._merge = False  # whether a neighbour's table has changed
        self._task: asyncio.Task[None] | None = None
        self._over = False

    def stop(self) -> None:
        """Tell nobody any more."""
        self._over = True
        if self._task is not None:
            self._task.cancel()

    def look(self) -> None:
        """Something may have changed: tell of it soon."""
        if self._rules.table_depth and not self._over and (self._task is None or self._task.done()):
            self._task = self._peer.spawn(self._round(), "tables")

    def link_down(self, connection: PeerConnection) -> None:
        """A link has ended."""
        self.book.forget_link(connection.peer_id)
        if self._told.pop(connection.peer_id, None) is not None:
            self._merge = True
            self.look()

    def on_update(self, connection: PeerConnection, update: TableUpdate) -> None:
        """Take what a neighbour tells."""
        taken = self.book.take(connection.peer_id, update, asyncio.get_running_loop().time())
        if taken is Taken.TABLE:
            self._sender.count("tables")
            if update.level == 0:
                self._merge = True
                self.look()
        elif taken is not Taken.PART:
            self._sender.drop(taken)

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _round(self) -> None:
        """Tell all that there is to tell; what it is too soon for is told after a later look."""
        await asyncio.sleep(self._rules.table_delay)
        try:
            await self._answerer.refresh()
        except StoreError:
            self._sender.drop("store")
        links = self._links()
        known = [each for each in links if self._is_told(each)]
        self._tell_changes(known, len(links))
        for connection in links:
            if not self._is_told(connection):
                self._tell_all(connection, len(links))

    def _is_told(self, connection: PeerConnection) -> bool:
        told = self._told.get(connection.peer_id)
        more = self._answerer.knows_more(connection.peer_id)
        return told is not None and told[0] is connection and told[1] == more

    def _tell_changes(self, links: Sequence[PeerConnection], count: int) -> None:
        """Tell those who know the tables so far of what is new."""
        now = asyncio.get_running_loop().time()
        pieces = self.book.change(0, self._answerer.table, now)
        self._send(links, pieces or (), count)
        if self._rules.table_depth > 1 and self._merge:
            pieces = self.book.change(1, self.book.neighbours_table(), now)
            self._merge = pieces is None
            self._send(links, pieces or (), count)

    def _tell_all(self, connection: PeerConnection, count: int) -> None:
        self._told[connection.peer_id] = connection, self._answerer.knows_more(connection.peer_id)
        for level in range(self._rules.table_depth):
            self._send((connection,), self.book.whole(level), count)

    def _send(self, links: Sequence[PeerConnection], pieces: Iterable[Piece], count: int) -> None:
        """Send pieces to links, encoded once for each kind of link."""
        for piece in pieces:
            frames: dict[bool, bytes] = {}
            for connection in links:
                more = self._answerer.knows_more(connection.peer_id)
                frame = frames.get(more)
                if frame is None:
                    frame = frames[more] = encode(self._message(self._sender.family, piece, count, more=more))
                self._sender.send(connection, frame)

    def _message(self, family: Family, piece: Piece, count: int, *, more: bool) -> TableUpdate:
        return family.table_update(
            level=piece.level,
            number=piece.number,
            bits=piece.bits,
            patch=piece.patch,
            more=piece.more,
            links=min(count, 255),
            private=more,
            data=piece.data,
        )
