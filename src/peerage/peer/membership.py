"""Keeps neighbours up: carries out what peer.hyparview decides, and gives it the peers to begin with.

Invariant: the neighbours are held links, and a link that was dialled only to become one is given up when it is none.
Never are more strangers dialled at once than a few, none of them banned or this node itself; a peer that does not
answer is tried more and more seldom. Only peers that this node has met itself are told to others, and what others tell
stays hearsay until its key was proved on a link. Who is a neighbour is not decided here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from peerage.errors import DialError, LimitError, PeerageError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.limits import (
    DIALS_AT_ONCE,
    JOIN_PATIENCE,
    MEET_INTERVAL,
    NEIGHBOUR_DIAL,
    NEIGHBOUR_TIMEOUT,
    NEIGHBOURS_WANTED,
    SHUFFLE_INTERVAL,
)
from peerage.peer.anchors import Anchors, Pauses
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.peer.hyparview import Actions, Ask, Came, HyParView, Send, Standing, Went
from peerage.peer.messages import (
    Contact,
    Disconnect,
    ForwardJoin,
    Join,
    Joined,
    Neighbour,
    Neighboured,
    Shuffle,
    Shuffled,
)
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer
from peerage.peer.subnet import sayable
from peerage.wire.message import Message

if TYPE_CHECKING:
    from peerage.peer.peer import Peer

log = logging.getLogger("peerage.peer")

_HOLD: Final = "membership"
_NEUTRAL: Final = Standing.NEUTRAL  # members of an enum are slow to look up, and this one is for every peer named
_BREATH: Final = 0.25  # seconds before the next dial when this node has no link at all: its own line may be down


class Membership(Service):
    """The neighbours of a node; `wanted` of them, or all the peers there are if these are fewer."""

    name = "membership"

    def __init__(self, wanted: int = NEIGHBOURS_WANTED) -> None:
        self._wanted = wanted
        self._view: HyParView
        self._anchors = Anchors()
        self._pauses = Pauses()
        self._dialled: set[PeerId] = set()  # links that exist only to become, or to be, neighbours
        self._active: list[PeerConnection] | None = None  # computed when asked for
        self._now: Callable[[], float] = _loop_time

    @property
    def wanted(self) -> int:
        """How many neighbours this node seeks; it takes a few more."""
        return self._wanted

    @wanted.setter
    def wanted(self, count: int) -> None:
        self._wanted = count
        if hasattr(self, "_view"):
            self._view.wanted = count

    @property
    def known(self) -> int:
        """About how many other peers this node knows: those it has met, or neighbours and those it was told of."""
        told = len(self._view.active) + len(self._view.passive) if hasattr(self, "_view") else 0
        return max(told, self.peer.number_of_peers())

    def active(self) -> list[PeerConnection]:
        """Return the links to the neighbours of the mesh, which are neighbours on both sides; none before the start."""
        if not hasattr(self, "_view"):
            return []
        if self._active is None or not all(each.is_open for each in self._active):
            found = (self.peer.connection_to(peer_id) for peer_id in self._view.active)
            self._active = [connection for connection in found if connection is not None]
        return self._active

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Take part."""
        return (
            (Join, self._on_join),
            (ForwardJoin, self._on_forward_join),
            (Neighbour, self._on_neighbour),
            (Disconnect, self._on_disconnect),
            (Shuffle, self._on_shuffle),
            (Shuffled, self._on_shuffled),
        )

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Look after the neighbours, and exchange remembered peers."""
        return (
            Stabilizer(self.meet, MEET_INTERVAL, at_once=True),
            Stabilizer(self._shuffle, SHUFFLE_INTERVAL, jitter=0.5),
        )

    async def start(self) -> None:
        """Begin with the links that are open."""
        self._now = asyncio.get_running_loop().time
        self._view = HyParView(self.peer.peer_id, self.peer.rng, _Judge(self.peer), self._wanted, self._now())
        for connection in self.peer.neighbours():
            self.peer_connected(connection)

    async def stop(self) -> None:
        """Hold nothing any more."""
        for peer_id in self._view.active:
            self.peer.release(peer_id, _HOLD)

    def peer_connected(self, connection: PeerConnection) -> None:
        """Ask whoever this node dialled, while neighbours are missing; remember the others."""
        self._active = None
        contact = self._contact(connection)
        if connection.outgoing and self._view.missing > 0:
            self._do(self._view.ask(contact))
        elif contact.peer_id not in self._view.active:
            self._view.passive.add_met(contact, self._now())

    def peer_disconnected(self, connection: PeerConnection) -> None:
        """Find another if it was a neighbour."""
        self._active = None
        self._dialled.discard(connection.peer_id)
        self._do(self._view.lost(connection.peer_id, self._now()))
        self._fill()

    # --- where to begin -------------------------------------------------------------------------------------------

    def heard_of(self, peer_id: PeerId, *addresses: Address) -> None:
        """Remember a peer that somebody told of, and dial it soon if neighbours are wanted."""
        if self.peer.add_peer(peer_id, *addresses) and self._view.missing > 0:
            self._do(self._view.ask(Contact(peer_id, addresses)))

    async def join(self, addresses: Sequence[Address]) -> int:
        """Connect to these addresses, and again while there is no neighbour; returns how many answer."""
        self._anchors.add(addresses)
        return await self._dial_anchors(addresses)

    def leave(self, addresses: Sequence[Address]) -> None:
        """Come back to these addresses no more; links that there are stay."""
        self._anchors.remove(addresses)

    async def meet(self) -> None:
        """See to it that there are neighbours, and look for those that vanished."""
        alone = not self._view.active
        self._fill()
        if not alone:
            self._do(self._view.probe(self._now()))
            self._do(self._view.insist())
        await self._dial_anchors(self._anchors.due(self._now(), alone=alone))

    async def _dial_anchors(self, addresses: Sequence[Address]) -> int:
        answered = 0
        for start in range(0, len(addresses), DIALS_AT_ONCE):
            some = addresses[start : start + DIALS_AT_ONCE]
            answered += sum(await asyncio.gather(*(self._dial_anchor(each) for each in some)))
        return answered

    async def _dial_anchor(self, address: Address) -> bool:
        """Dial an address; one that did not answer before may be the way to another part of the network."""
        linked = {each.peer_id for each in self.peer.connections()}
        try:
            connection = await self.peer.connect(address)
        except PeerageError as error:
            log.info("%s", error)
            self._anchors.failed(address, self._now())
            return False
        if connection.peer_id not in linked:
            self._dialled.add(connection.peer_id)
        if self._anchors.answered(address):
            self._do(self._view.ask(self._contact(connection), urgent=True))
        return True

    def _fill(self) -> None:
        """Ask for neighbours; when nobody is left to ask, take the peers of former days."""
        if self._view.missing <= 0:
            return
        now = self._now()
        self._do(self._view.fill(now))
        if self._view.idle and self._pauses.may_seed(now):
            for info in self.peer.table.best():
                if len(self._view.passive) >= self._view.passive.size // 2:
                    break
                contact = Contact(info.peer_id, info.addresses)
                if info.peer_id in self._view.active or self._pauses.waiting(info.peer_id, now):
                    continue
                if info.proved:
                    self._view.passive.add_met(contact, now)
                else:
                    self._view.passive.add_told(contact, self.peer.peer_id, now)
            self._do(self._view.fill(now))

    # --- what others say ------------------------------------------------------------------------------------------

    def _on_join(self, connection: PeerConnection, _message: Join) -> Joined:
        told, actions = self._view.joined(self._contact(connection), self._now())
        self._do(actions)
        return Joined(_reachable(told, connection))

    def _on_neighbour(self, connection: PeerConnection, message: Neighbour) -> Neighboured:
        contact = self._contact(connection)
        answer, actions = self._view.on_neighbour(contact, urgent=message.urgent, now=self._now())
        self._do(actions)
        return Neighboured(answer.accepted, _reachable(answer.peers, connection))

    def _on_disconnect(self, connection: PeerConnection, message: Disconnect) -> None:
        peers = _reachable(message.peers, connection)
        self._do(self._view.on_disconnect(connection.peer_id, peers, self._now()))
        self._let_go(connection.peer_id)
        self._fill()

    def _on_forward_join(self, connection: PeerConnection, message: ForwardJoin) -> None:
        newcomer = Contact(message.newcomer.peer_id, sayable(message.newcomer.addresses, connection.remote))
        self._do(self._view.on_forward_join(connection.peer_id, ForwardJoin(newcomer, message.ttl), self._now()))

    def _on_shuffle(self, connection: PeerConnection, message: Shuffle) -> None:
        self._do(self._view.on_shuffle(connection.peer_id, message, self._now()))

    def _on_shuffled(self, connection: PeerConnection, message: Shuffled) -> None:
        self._do(self._view.on_shuffled(connection.peer_id, message, self._now()))

    # --- carrying out ---------------------------------------------------------------------------------------------

    def _shuffle(self) -> None:
        self._do(self._view.shuffle(self._now()))

    def _do(self, actions: Actions) -> None:
        for action in actions:
            if isinstance(action, Send):
                self._send(action)
            elif isinstance(action, Ask):
                self._begin(action)
            elif isinstance(action, Came):
                self._active = None
                self.peer.hold(action.peer_id, _HOLD)
            elif isinstance(action, Went):
                self._active = None
                self.peer.release(action.peer_id, _HOLD)

    def _send(self, action: Send) -> None:
        peer_id, message = action.peer_id, action.message
        connection = self.peer.connection_to(peer_id)
        if connection is None:
            return
        try:
            connection.send(_for(message, connection) if action.own else message)
        except PeerageError as error:
            log.info("%r takes no %s: %s", connection, type(message).__name__, error)
        if isinstance(message, Disconnect):
            self._let_go(peer_id)

    def _begin(self, ask: Ask) -> None:
        try:
            self.peer.spawn(self._ask(ask), "ask")
        except LimitError:
            self._do(self._view.unreachable(ask.contact.peer_id, self._now()))

    async def _ask(self, ask: Ask) -> None:
        """Ask a peer to be a neighbour; the very first of a node is asked to tell the others, too."""
        contact, entered = ask.contact, False
        try:
            async with asyncio.timeout(NEIGHBOUR_DIAL):
                connection = await self._reach(contact)
            contact = self._contact(connection)
            entered = self._view.is_new and ask.urgent
            if entered:
                joined = await connection.request(Join(), NEIGHBOUR_TIMEOUT)
                actions = self._view.entered(contact, _reachable(joined.peers, connection), self._now())
            else:
                answer = await connection.request(Neighbour(ask.urgent), NEIGHBOUR_TIMEOUT)
                checked = Neighboured(answer.accepted, _reachable(answer.peers, connection))
                actions = self._view.answered(contact, checked, self._now())
        except (PeerageError, TimeoutError) as error:
            log.info("a peer is no neighbour: %s", error)
            if not self.peer.connections():
                await asyncio.sleep(_BREATH)
            self._failed(contact.peer_id)
        else:
            self._pauses.answered(contact.peer_id, alone=not self._view.active)
            self._do(actions)
            if entered:
                await asyncio.sleep(JOIN_PATIENCE)
                self._fill()
        if contact.peer_id not in self._view.active:
            self._let_go(contact.peer_id)

    async def _reach(self, contact: Contact) -> PeerConnection:
        """Return a link to a peer: the open one, or one by its addresses in turn."""
        connection = self.peer.connection_to(contact.peer_id)
        if connection is not None:
            return connection
        error: PeerageError = DialError("no address is known")
        self._dialled.add(contact.peer_id)
        for address in contact.addresses:
            try:
                return await self.peer.connect(address, contact.peer_id)
            except PeerageError as failure:
                error = failure
        raise error

    def _failed(self, peer_id: PeerId) -> None:
        """A peer did not answer; that counts against it only while others do."""
        self._dialled.discard(peer_id)
        if self.peer.connections():
            self.peer.table.failed(peer_id)
        self._pauses.add(peer_id, self._now(), self.peer.rng, alone=not self._view.active)
        self._do(self._view.unreachable(peer_id, self._now()))
        self._fill()

    def _let_go(self, peer_id: PeerId) -> None:
        """Give up a link that was made only to be a neighbour's, unless somebody uses it."""
        if peer_id not in self._dialled or peer_id in self._view.active:
            return
        self._dialled.discard(peer_id)
        connection = self.peer.connection_to(peer_id)
        if connection is not None and not connection.is_busy and not self.peer.is_held(peer_id):
            connection.close("no neighbour any more")

    # --- inside -----------------------------------------------------------------------------------------------------

    def _contact(self, connection: PeerConnection) -> Contact:
        known = self.peer.table.get(connection.peer_id)
        return Contact(connection.peer_id, known.addresses if known is not None else ())


class _Judge:
    """What hyparview.Judge asks for."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def standing(self, peer_id: PeerId) -> Standing:
        """Ask the peer table."""
        known = self._peer.table.get(peer_id)
        if known is None:
            return _NEUTRAL
        if known.banned:
            return Standing.BANNED
        return Standing.FRIEND if known.friend else _NEUTRAL

    def believed(self, contacts: Sequence[Contact], teller: PeerId) -> Sequence[Contact]:
        """Judge by where the teller is."""
        connection = self._peer.connection_to(teller)
        return _reachable(tuple(contacts), connection) if connection is not None else ()


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


def _reachable(contacts: tuple[Contact, ...], connection: PeerConnection) -> tuple[Contact, ...]:
    """Leave out addresses that the other side cannot dial, or cannot know."""
    remote = connection.remote
    checked = [sayable(each.addresses, remote) for each in contacts]
    if all(kept and len(kept) == len(each.addresses) for kept, each in zip(checked, contacts, strict=True)):
        return contacts
    pairs = zip(contacts, checked, strict=True)
    return tuple(Contact(each.peer_id, kept) for each, kept in pairs if kept)


def _for(message: Message, connection: PeerConnection) -> Message:
    """Return what the other side may be told of a message."""
    if isinstance(message, Disconnect):
        return Disconnect(_reachable(message.peers, connection))
    if isinstance(message, Shuffle):
        return Shuffle(message.number, message.ttl, message.origin, _reachable(message.peers, connection))
    if isinstance(message, Shuffled):
        return Shuffled(message.number, _reachable(message.peers, connection))
    return message
