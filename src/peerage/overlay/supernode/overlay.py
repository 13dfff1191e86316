"""The second generation mended, FastTrack: nodes that are up to it answer for the others, and search on their behalf.

A node is idle, a leaf or a supernode, which it decides itself (election.py). Leaves hand their records to three
supernodes (attaching.py) and ask one of them, the others when it brings little (asking.py); supernodes keep the records
of all their leaves (serving.py) and flood questions among themselves (linking.py, and the engine of overlay/flood),
where keyword tables say that it is worth it. Where few peers are known nobody steps up, and this overlay costs next to
nothing: flooding finds everything there, so it is mounted beside this one.

    SupernodeOverlay(shelf, Setting(reachable=lambda: reachability.reachable))

Invariant: what friends share never leaves this node by this overlay; link-only contents are told of by their locators.
Everything that comes from a supernode is checked, and no single one is believed to be complete.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from typing import Any

import msgspec

from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Record
from peerage.errors import LimitError
from peerage.identity.keys import PeerId
from peerage.limits import MAX_OWN_SEARCHES, SUPERNODES_KNOWN, SUPERNODES_KNOWN_BACKBONE
from peerage.overlay.base import FoundT, Hit, Holder, LocateRequest, Overlay, Request, Search, SearchRequest
from peerage.overlay.flood.engine import Flooding
from peerage.overlay.locators import locator_of
from peerage.overlay.shelf import Shelf
from peerage.overlay.supernode.answering import PublicShelf, SupernodeAnswerer
from peerage.overlay.supernode.asking import Inquiry, Question, Reader
from peerage.overlay.supernode.attaching import Attaching
from peerage.overlay.supernode.comparison import Verdict
from peerage.overlay.supernode.election import Election, Role, Standing
from peerage.overlay.supernode.linking import Linking
from peerage.overlay.supernode.messages import SUPERNODES, AskSupernode, SeekAtSupernode, SupernodeAt, SupernodesKnown
from peerage.overlay.supernode.own import OwnSearch
from peerage.overlay.supernode.reading import HitReader, HolderReader, View
from peerage.overlay.supernode.rules import Capacity, SupernodeRules
from peerage.overlay.supernode.serving import Serving
from peerage.overlay.supernode.surroundings import Surroundings
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.peer.stabilizers import Stabilizer
from peerage.wire.message import Message


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a node lets its overlay know and use.

    `reachable`: whether others can dial it. `crowd`: how many other peers it knows; None: those of the peer table.
    `executor`: where the records of leaves are kept, one thread; None: a thread of its own when there are some. `load`
    and `save`: the supernodes of the last time; `save` is called in a thread.
    """

    reachable: Callable[[], bool | None] = lambda: None
    crowd: Callable[[], int] | None = None
    capacity: Capacity = Capacity()
    executor: Executor | None = None
    load: Callable[[], Iterable[SupernodeAt]] = tuple
    save: Callable[[Sequence[SupernodeAt]], None] = lambda _known: None


class SupernodeOverlay(Overlay):
    """Takes part as what the network needs this node to be."""

    name = "supernode"

    def __init__(self, shelf: Shelf, setting: Setting | None = None, rules: SupernodeRules | None = None) -> None:
        self._shelf = shelf
        self._setting = setting or Setting()
        self._rules = rules or SupernodeRules()
        self._own = PublicShelf(shelf)
        self._answerer = SupernodeAnswerer(self._own)
        self._engine = Flooding(self._answerer, self._rules.flood, self._links, SUPERNODES)
        self._inquiries: set[Inquiry[Any]] = set()  # bounded by MAX_OWN_SEARCHES
        self._announced = False
        self._saved: tuple[SupernodeAt, ...] = ()
        self._around: Surroundings
        self._election: Election
        self._attaching: Attaching
        self._serving: Serving
        self._linking: Linking
        self._own_search: OwnSearch

    # --- the overlay --------------------------------------------------------------------------------------------------

    async def publish(self, records: Sequence[Record]) -> None:
        """Have these handed to the supernodes, in the background."""
        self._own.add(records)
        self._attaching.ledger.publish(records)
        self._changed()

    async def withdraw(self, records: Sequence[Record]) -> None:
        """Have these taken back."""
        self._own.remove(len(records))
        self._attaching.ledger.withdraw(records)
        self._changed()

    def search(self, request: SearchRequest) -> Search[Hit]:
        """Ask supernodes, or search as one; where there are none, nothing is found."""
        query = parse(request.text)
        if self._asks_others():
            question = AskSupernode(request.text, request.wanted, request.seconds)
            return self._inquire(request, question, HitReader(query, self._view()))
        if self._serving.book is None:
            return self._engine.search(request)
        return self._own_search.search(request, query)

    def locate(self, request: LocateRequest) -> Search[Holder]:
        """Ask for the holders of a content by its locator."""
        locator = locator_of(request.content_id)
        if self._asks_others():
            question = SeekAtSupernode(locator, request.wanted, request.seconds)
            return self._inquire(request, question, HolderReader(self._view()))
        if self._serving.book is None:
            return self._engine.locate(request)
        return self._own_search.locate(request, locator)

    # --- for people ---------------------------------------------------------------------------------------------------

    @property
    def role(self) -> Role:
        """What this node is to the others now."""
        if self._serving.book is not None:
            return Role.SUPERNODE
        return Role.LEAF if len(self._attaching.uplinks) else Role.IDLE

    @property
    def leaves(self) -> int:
        """How many leaves this node has."""
        return self._serving.leaves

    @property
    def supernodes(self) -> int:
        """How many supernodes this node is linked with: as their leaf, or as one of them."""
        return len(self._linking.links()) if self.role is Role.SUPERNODE else len(self._attaching.uplinks)

    @property
    def known(self) -> int:
        """How many supernodes it knows of."""
        return len(self._around.known)

    def tie_to(self, peer_id: PeerId) -> Role | None:
        """Return what a linked peer is to this node: its supernode, or one beside it, or its leaf; None: nothing."""
        if peer_id in self._attaching.uplinks or peer_id in self._linking.backbone:
            return Role.SUPERNODE
        book = self._serving.book
        return Role.LEAF if book is not None and book.get(peer_id) is not None else None

    @property
    def settled(self) -> bool:
        """Whether this node has handed over all that it shares to those who have taken it."""
        return self._attaching.settled

    # --- the service --------------------------------------------------------------------------------------------------

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Return what this node answers in any role; what it is not, it refuses."""
        self._build()
        yield from self._engine.handlers()
        yield from self._attaching.handlers()
        yield from self._serving.handlers()
        yield from self._linking.handlers()

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Return the upkeep."""
        return (Stabilizer(self._upkeep, self._rules.upkeep, jitter=0.3),)

    async def start(self) -> None:
        """Begin with the supernodes of the last time."""
        self._own.peer = self.peer
        self._around.known.restore(self._setting.load())
        self._election = Election(self._rules, self._setting.capacity, self.peer.rng, self._around.now())
        await self._engine.start(self.peer)
        self._attaching.wake()

    async def stop(self) -> None:
        """End the searches under way, and take leave."""
        for inquiry in tuple(self._inquiries):
            inquiry.stop()
        await self._attaching.stop()
        self._linking.end()
        await self._serving.end()
        await self._engine.stop()
        await self._save()

    def peer_connected(self, connection: PeerConnection) -> None:
        """Tell the parts."""
        self._linking.link_up()
        if connection in self._links():
            self._engine.link_up(connection)
        self._attaching.wake()

    def peer_disconnected(self, connection: PeerConnection) -> None:
        """Tell the parts."""
        self._engine.link_down(connection)
        self._serving.link_down(connection.peer_id)
        self._linking.link_down(connection.peer_id)
        self._attaching.link_down(connection.peer_id)

    # --- asking -------------------------------------------------------------------------------------------------------

    def _asks_others(self) -> bool:
        """Whether there are supernodes to ask: those of this leaf, or any that are known, as a guest."""
        return bool(self._attaching.uplinks) or (self._serving.book is None and bool(self._around.known.to_keep()))

    def _whom_to_ask(self) -> list[PeerId]:
        """Return the supernodes of this leaf in any order, then some others in case they are missing."""
        uplinks = sorted(each.peer_id for each in self._attaching.uplinks)
        self.peer.rng.shuffle(uplinks)
        missing = self._rules.uplinks - len(uplinks)
        usable = self._around.known.usable(self._around.now(), self.peer.rng) if missing > 0 else []
        guests = [each.peer_id for each in usable if each.met and each.peer_id not in self._attaching.uplinks]
        return uplinks + guests[: max(0, missing)]

    def _view(self) -> View:
        return View(self.peer.peer_id, self._around.is_banned)

    def _inquire(self, request: Request, question: Question, read: Reader[FoundT]) -> Search[FoundT]:
        inquiry: Inquiry[FoundT] = Inquiry(request, question, read, self._around)
        inquiry.on_verdict = self._judge
        return Search(self._ask(inquiry), inquiry.cost)

    async def _ask(self, inquiry: Inquiry[FoundT]) -> AsyncGenerator[FoundT, None]:
        if len(self._inquiries) >= MAX_OWN_SEARCHES:
            raise LimitError("MAX_OWN_SEARCHES", "ours", f"more than {MAX_OWN_SEARCHES} searches at once")
        self._inquiries.add(inquiry)
        try:
            async with aclosing(inquiry.results(self._whom_to_ask())) as results:
                async for found in results:
                    yield found
        finally:
            self._inquiries.discard(inquiry)

    def _judge(self, verdict: Verdict) -> None:
        """Take note of what a comparison says of an uplink; one that lies is replaced."""
        uplink = self._attaching.uplinks.get(verdict.peer_id)
        if uplink is None:
            return
        uplink.reputation.note(verdict)
        if verdict.omitted:
            self.peer.metrics.count("supernode_omissions", amount=verdict.omitted)
        if uplink.reputation.is_bad:
            self._attaching.give_up(verdict.peer_id)

    # --- what this node is --------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._around = Surroundings(self.peer, self._rules)
        self._serving = Serving(self._around, self._answerer, self._engine)
        self._own_search = OwnSearch(self._around, self._engine, self._answerer)
        self._linking = Linking(self._around, lambda: (self._serving.leaves, self._serving.room))
        self._attaching = Attaching(self._around, self._wants_uplinks, self._is_capable)
        self._serving.on_change = self._leaves_changed
        self._serving.has_room_elsewhere = lambda: bool(self._linking.backbone.with_room())
        self._linking.on_change = self._engine.look
        self._linking.on_end = self._engine.link_down
        self._attaching.on_change = self._uplinks_changed
        self._attaching.on_left = self._serving.drop
        self._attaching.on_told = self._linking.note_told
        self._engine.horizon = lambda: self._linking.backbone.size

    def _wants_uplinks(self) -> bool:
        return self._serving.book is None

    def _links(self) -> Sequence[PeerConnection]:
        """Return the links that are flooded: those among supernodes."""
        return () if self._serving.book is None else self._linking.links()

    def _standing(self) -> Standing:
        crowd = self._setting.crowd
        return Standing(
            reachable=self._setting.reachable(),
            crowd=self.peer.number_of_peers() if crowd is None else crowd(),
            uplinks=len(self._attaching.uplinks),
            called=self._attaching.called,
            leaves=self._serving.leaves,
            larger=self._linking.backbone.larger(self.peer.peer_id, self._serving.leaves),
        )

    def _is_capable(self) -> bool:
        return self._election.is_capable(self._standing(), self._around.now())

    async def _upkeep(self) -> None:
        """Look at everything, once a round."""
        self._attaching.ledger.set_fetching(self._shelf.fetching())
        serves = self._election.look(self._standing(), self._around.now())
        if serves != (self._serving.book is not None):
            await (self._step_up() if serves else self._step_down())
        if serves:
            await self._serving.tidy()
            if not self._linking.is_seeking:
                self._attaching.leave_all()
            self._linking.seek()
            self._linking.tell_load()
            self._linking.gossip()
        if self._serving.book is not None:
            self._engine.look()
        self._attaching.wake()
        await self._save()

    async def _step_up(self) -> None:
        """Be a supernode from now on, and say so; a leaf, too, until there are links to others to be found by."""
        self.peer.metrics.count("supernode_stepped_up")
        self._around.known.maximum = SUPERNODES_KNOWN_BACKBONE
        await self._serving.begin(self._rules.places(self.peer.limits.connections), self._setting.executor)
        self._around.serves = True
        for uplink in self._attaching.uplinks:
            self._around.known.met(SupernodeAt(uplink.peer_id, ()))
        self._linking.begin()
        self._announce()

    async def _step_down(self) -> None:
        """Be none any more."""
        self.peer.metrics.count("supernode_stepped_down")
        self._around.serves = False
        self._around.known.maximum = SUPERNODES_KNOWN
        self._linking.end()
        await self._serving.end()
        self._attaching.wake()

    def _uplinks_changed(self) -> None:
        """The first supernode that takes this node is news to its neighbours."""
        if len(self._attaching.uplinks) and not self._announced:
            self._announced = True
            self._announce()

    def _announce(self) -> None:
        for connection in self.peer.neighbours():
            told = self._around.to_tell(connection)
            if told:
                self._around.tell(connection, SupernodesKnown(told))

    def _leaves_changed(self) -> None:
        self._linking.tell_load()
        self._engine.look()

    def _changed(self) -> None:
        if self._serving.book is not None:
            self._engine.look()
        self._attaching.wake()

    async def _save(self) -> None:
        """Keep the good supernodes for the next start."""
        good = self._around.known.to_keep()
        if good != self._saved:
            self._saved = good
            await asyncio.shield(self.peer.in_thread(self._setting.save, good))
