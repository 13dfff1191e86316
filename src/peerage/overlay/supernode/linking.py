"""A supernode's links to other supernodes: seeks them, takes them, tells them of its load.

Invariant: both sides of a link know it as one, and hold it; questions are taken from such links only. Whom to link with
is decided in backbone.py; one dial at a time, so that a supernode that has just begun troubles nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from peerage.errors import LimitError, LinkError, RemoteError
from peerage.identity.keys import PeerId
from peerage.limits import SUPERNODE_SPARE
from peerage.overlay.supernode.backbone import Backbone
from peerage.overlay.supernode.messages import Load, Pair, Paired, SupernodeAt, SupernodesKnown, Unpair
from peerage.overlay.supernode.surroundings import Surroundings
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.wire.message import Message

_GOSSIPS: Final = 2  # messages about supernodes in one round
_HOLD: Final = "backbone"
_TIMEOUT: Final = 10.0
_TRIES: Final = 16  # dials of one round


class Linking:
    """The backbone links of one node; there are none until `begin`."""

    def __init__(self, around: Surroundings, load: Callable[[], tuple[int, int]]) -> None:
        self._around = around
        self._peer = around.peer
        self._load = load  # leaves and room of this node
        self._level = -1
        self._serves = False
        self._links: list[PeerConnection] | None = None
        self._task: asyncio.Task[None] | None = None
        self.backbone = Backbone(around.rules, around.peer.rng)
        self.on_change: Callable[[], None] = lambda: None
        self.on_end: Callable[[PeerConnection], None] = lambda _connection: None  # a link is none any more, and goes on

    def begin(self) -> None:
        """Be linked from now on."""
        self._serves = True
        self.seek()

    def end(self) -> None:
        """Take leave of all."""
        self._serves = False
        if self._task is not None:
            self._task.cancel()
        for peer_id in list(self.backbone.peers):
            self._around.send(peer_id, Unpair(over=True))
            self._remove(peer_id)

    def links(self) -> Sequence[PeerConnection]:
        """Return the links to other supernodes."""
        if self._links is None or not all(each.is_open for each in self._links):
            found = (self._peer.connection_to(peer_id) for peer_id in self.backbone.peers)
            self._links = [each for each in found if each is not None]
        return self._links

    @property
    def is_seeking(self) -> bool:
        """Whether links are being looked for."""
        return self._task is not None and not self._task.done()

    def link_up(self) -> None:
        """A link came up: it may replace one that is just ending."""
        self._links = None

    def link_down(self, peer_id: PeerId) -> None:
        """A link has ended."""
        self._links = None
        if peer_id in self.backbone:
            self._remove(peer_id)
            self.seek()

    def tell_load(self) -> None:
        """Tell the others when it matters: room, or the want of leaves, has come or gone."""
        load = self._own_load()
        level = (load.room > 0) + 2 * (load.leaves >= self._around.rules.least_leaves)
        if level != self._level:
            self._level = level
            for connection in self.links():
                self._around.tell(connection, load)

    def gossip(self) -> None:
        """Tell two of them, by chance, of some others that are linked: from these they reckon how many there are."""
        links, linked = self.links(), frozenset(self.backbone.peers)
        for connection in self._peer.rng.sample(links, min(_GOSSIPS, len(links))):
            told = self._around.to_tell(connection, linked)
            if told:
                self._around.tell(connection, SupernodesKnown(told))

    def seek(self) -> None:
        """Look for what is missing, in the background."""
        if self._serves and self.backbone.missing and not self.is_seeking:
            try:
                self._task = self._peer.spawn(self._seek(), "supernode links")
            except LimitError:
                return  # the next round tries again

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Return what other supernodes say."""
        return ((Pair, self._on_pair), (Unpair, self._on_unpair), (Load, self._on_load))

    # --- inside -------------------------------------------------------------------------------------------------------

    def _own_load(self) -> Load:
        leaves, room = self._load()
        return Load(min(leaves, 65_535), min(room, 65_535), len(self.backbone))

    async def _seek(self) -> None:
        tried: set[PeerId] = set()
        while self._serves and self.backbone.missing and len(tried) < _TRIES + self._around.rules.degree:
            candidates = self._around.known.usable(self._around.now(), self._peer.rng)
            self._peer.rng.shuffle(candidates)
            fitting = (
                each
                for each in candidates
                if each.peer_id not in tried
                and each.peer_id not in self.backbone
                and self.backbone.suits(each.addresses)
            )
            candidate = next(fitting, None)
            if candidate is None:
                return
            tried.add(candidate.peer_id)
            await self._pair(candidate.peer_id)

    async def _pair(self, peer_id: PeerId) -> None:
        """Ask another supernode to be linked."""
        try:
            connection = await self._around.reach(peer_id)
            answer = await connection.request(Pair(self._around.own_addresses, self._own_load()), _TIMEOUT)
        except (LinkError, RemoteError, LimitError):
            self._around.known.failed(peer_id, self._around.now())
            return
        self._around.hear(connection, answer.others)
        if not answer.accepted:
            if not answer.load.links:
                self._around.known.failed(peer_id, self._around.now())
            return
        self._around.met(connection)
        full = len(self.backbone) >= self._around.rules.degree + SUPERNODE_SPARE
        if not self._serves or full or not connection.is_open:
            self._around.tell(connection, Unpair(over=not self._serves))
        elif peer_id not in self.backbone:
            self._add(connection, answer.load)

    def _on_pair(self, connection: PeerConnection, message: Pair) -> Paired:
        peer_id = connection.peer_id
        others = self._around.to_tell(connection)
        if not self._serves:
            return Paired(accepted=False, load=Load(0, 0, 0), others=others)
        self._around.met(connection, message.addresses)
        known = peer_id in self.backbone
        accepted, out = self.backbone.take(peer_id, connection.remote, message.load)
        if out is not None:
            self._around.send(out, Unpair(over=False))
            self._remove(out)
        if accepted and not known:
            self._began(peer_id)
        return Paired(accepted=accepted, load=self._own_load(), others=others)

    def _add(self, connection: PeerConnection, load: Load) -> None:
        self.backbone.add(connection.peer_id, connection.remote, load)
        self._began(connection.peer_id)

    def _began(self, peer_id: PeerId) -> None:
        self._links = None
        self._peer.hold(peer_id, _HOLD)
        self.on_change()

    def _remove(self, peer_id: PeerId) -> None:
        self._links = None
        self.backbone.remove(peer_id)
        self._peer.release(peer_id, _HOLD)
        connection = self._peer.connection_to(peer_id)
        if connection is not None:
            self.on_end(connection)

    def note_told(self, connection: PeerConnection, told: Iterable[SupernodeAt]) -> None:
        """Another supernode tells of some: that says how many there are."""
        if connection.peer_id in self.backbone:
            others = (each.peer_id for each in told if each.peer_id not in (connection.peer_id, self._peer.peer_id))
            self.backbone.note_told(others)

    def _on_unpair(self, connection: PeerConnection, message: Unpair) -> None:
        if message.over:
            self._around.known.failed(connection.peer_id, self._around.now())
        if connection.peer_id in self.backbone:
            self._remove(connection.peer_id)
            self.seek()

    def _on_load(self, connection: PeerConnection, message: Load) -> None:
        self.backbone.note(connection.peer_id, message)
