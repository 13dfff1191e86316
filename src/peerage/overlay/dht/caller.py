"""Questions to contacts over pooled links: an open one is used, otherwise one is dialled, and closed soon.

Invariant: a call ends by its deadline, which follows what calls took before; a contact is dialled only where it says it
is, and whoever answers there with another id is not it. Nothing is decided here about whom to ask.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from peerage.errors import DialError, LinkError, RequestTimeoutError
from peerage.overlay.dht.contacts import Contact
from peerage.overlay.dht.limits import DHT_LINK_IDLE
from peerage.overlay.dht.timing import Patience
from peerage.peer.connection import PeerConnection
from peerage.peer.messages import LinkKind
from peerage.wire.message import ReplyT, Request

if TYPE_CHECKING:
    from peerage.peer.peer import Peer

_DIALLING = 2.0  # a dial takes as many round trips more


class Caller:
    """The calls of one node."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._loop = asyncio.get_running_loop()
        self._dials = Patience(_DIALLING)
        self._answers = Patience()

    async def call(self, contact: Contact, message: Request[ReplyT]) -> tuple[PeerConnection, ReplyT]:
        """Ask a contact; return the link and the answer. Raises LinkError, LimitError or RefusedError."""
        connection = self._peer.connection_to(contact.peer_id)
        if connection is None:
            connection = await self.dial(contact)
            self._peer.close_soon(connection, DHT_LINK_IDLE)
        started = self._loop.time()
        try:
            reply = await connection.request(message, self._answers.seconds)
        except RequestTimeoutError:
            self._answers.note_silence()
            raise
        self._answers.note(self._loop.time() - started)
        return connection, reply

    async def dial(self, contact: Contact, kind: LinkKind = LinkKind.TALK) -> PeerConnection:
        """Return a link to a contact, new for BULK: then it has been reached from here."""
        error: LinkError = DialError("no address is known")
        for address in contact.addresses:
            started = self._loop.time()
            try:
                async with asyncio.timeout(self._dials.seconds):
                    connection = await self._peer.connect(address, contact.peer_id, kind)
            except TimeoutError:
                self._dials.note_silence()
                error = DialError(f"nobody answered at {address} in time")
            except LinkError as failure:
                error = failure
            else:
                self._dials.note(self._loop.time() - started)
                return connection
        raise error
