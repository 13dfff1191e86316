"""A leaf's side: keeps supernodes, hands them what this node shares, replaces them when they are lost or bad.

Invariant: one task at the most works, and none when there is nothing to do; only public records are handed over, and
locators of what is shared by link or being fetched: what friends see stays here. A supernode that fails is left in
peace for a while, and another is used at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from peerage.catalogue.index_table import Held
from peerage.errors import LimitError, LinkError, RemoteError
from peerage.identity.keys import PeerId
from peerage.limits import LEAF_KEYS
from peerage.overlay.index.ledger import Ledger
from peerage.overlay.index.messages import cut_bodies
from peerage.overlay.supernode.messages import (
    Attach,
    Detach,
    HandOver,
    Kept,
    StepUp,
    SupernodeAt,
    SupernodesKnown,
    WhereSupernodes,
    WireKey,
)
from peerage.overlay.supernode.surroundings import Surroundings
from peerage.overlay.supernode.uplinks import Uplink, Uplinks
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.wire.message import Message

_HOLD: Final = "uplink"
_TIMEOUT: Final = 10.0
_TRIES: Final = 12  # supernodes that are tried in one go
_ASKED: Final = 3  # neighbours that are asked for supernodes in one go
_ASK_PAUSE_MAX: Final = 320.0  # seconds between two such rounds where nobody knows any
_CALL_SECONDS: Final = 120.0  # for which a call to step up holds


class Attaching:
    """The uplinks of one node; it seeks none unless `wanted` is true."""

    def __init__(self, around: Surroundings, wanted: Callable[[], bool], capable: Callable[[], bool]) -> None:
        self._around = around
        self._peer = around.peer
        self._rules = around.rules
        self._wanted = wanted
        self._capable = capable
        self._task: asyncio.Task[None] | None = None
        self._again = False
        self._called_at: float | None = None
        self._ask_at = 0.0  # loop time
        self._ask_pause = around.rules.upkeep / 2
        self._over = False
        self.uplinks = Uplinks(around.rules)
        self.ledger = Ledger(around.peer.peer_id, lambda locator: (locator, 0), around.rules.records_per_leaf)
        self.on_change: Callable[[], None] = lambda: None
        self.on_told: Callable[[PeerConnection, Sequence[SupernodeAt]], None] = lambda _connection, _told: None
        self.on_left: Callable[[PeerId], None] = lambda _peer_id: None

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be told to any uplink."""
        return (self._task is None or self._task.done()) and not any(map(self._is_due, self.uplinks))

    @property
    def called(self) -> bool:
        """Whether a supernode without room has asked for more supernodes lately."""
        return self._called_at is not None and self._around.now() - self._called_at < _CALL_SECONDS

    def wake(self) -> None:
        """Something has changed, or time has passed: see to it, in the background."""
        if self._over or not self._has_work():
            return
        if self._task is not None and not self._task.done():
            self._again = True
            return
        try:
            self._task = self._peer.spawn(self._work(), "supernode uplinks")
        except LimitError:
            return  # the next round tries again

    async def stop(self) -> None:
        """Take leave of all."""
        self._over = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.leave_all()

    def leave_all(self) -> None:
        """Be no leaf any more."""
        for uplink in self.uplinks:
            self._leave(uplink.peer_id)

    def give_up(self, peer_id: PeerId) -> None:
        """Replace an uplink that lies."""
        self._peer.metrics.count("supernode_uplinks_replaced")
        self._around.known.lied(peer_id, self._around.now())
        self._leave(peer_id)
        self.wake()

    def link_down(self, peer_id: PeerId) -> None:
        """A link has ended; if it was an uplink, another takes its place at once."""
        if self._remove(peer_id):
            self._around.known.failed(peer_id, self._around.now())
            self.wake()

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Return what leaves are told."""
        return (
            (SupernodesKnown, self._on_known),
            (WhereSupernodes, self._on_where),
            (Detach, self._on_detach),
            (StepUp, self._on_step_up),
        )

    # --- work ---------------------------------------------------------------------------------------------------------

    def _has_work(self) -> bool:
        return (self._wanted() and self.uplinks.missing > 0) or any(map(self._is_due, self.uplinks))

    def _is_due(self, uplink: Uplink) -> bool:
        return uplink.cursor < self.ledger.number or uplink.renew_at <= self._around.now()

    async def _work(self) -> None:
        self._again = True
        while self._again and not self._over:
            self._again = False
            await asyncio.sleep(self._rules.quiet * self._peer.rng.uniform(0.1, 1.0))
            await self._attach()
            for uplink in self.uplinks:
                if self._is_due(uplink):
                    await self._bring_up(uplink)

    async def _attach(self) -> None:
        """Find what is missing, first among those that are known, then by asking neighbours."""
        for asking in (False, True):
            if asking and not (self._wanted() and self.uplinks.missing and await self._ask_around()):
                return
            for _ in range(_TRIES):
                candidate = self._next()
                if candidate is None or not self._wanted():
                    break
                await self._try(candidate)

    def _next(self) -> PeerId | None:
        if not self.uplinks.missing:
            return None
        for known in self._around.known.usable(self._around.now(), self._peer.rng):
            if known.peer_id not in self.uplinks and any(map(self.uplinks.suits, known.addresses)):
                return known.peer_id
        return None

    async def _ask_around(self) -> int:
        """Ask neighbours for supernodes, more and more seldom while that helps nothing; returns how many are new."""
        links = self._peer.neighbours()
        if not links or self._around.now() < self._ask_at:
            return 0
        self._peer.rng.shuffle(links)
        links.sort(key=lambda each: each.peer_id not in self.uplinks)  # supernodes know most
        news = 0
        for connection in links[:_ASKED]:
            try:
                told = await connection.request(WhereSupernodes(), _TIMEOUT)
            except (LinkError, RemoteError, LimitError):
                continue
            news += self._around.hear(connection, told.supernodes)
        fruitless = not news and not len(self.uplinks)
        self._ask_pause = min(2 * self._ask_pause, _ASK_PAUSE_MAX) if fruitless else self._rules.upkeep / 2
        self._ask_at = self._around.now() + self._ask_pause
        return news

    async def _try(self, peer_id: PeerId) -> None:
        """Ask a supernode to take this node as a leaf."""
        try:
            connection = await self._around.reach(peer_id)
            if not self.uplinks.suits(connection.remote):
                self._around.known.is_full(peer_id, self._around.now())
                return
            held = await self._enrol(connection, fresh=False)
        except (LinkError, RemoteError, LimitError):
            self._around.known.failed(peer_id, self._around.now())
            return
        if held is None:
            self._around.known.is_full(peer_id, self._around.now())
            return
        if self._over or not self._wanted() or not connection.is_open:
            self._around.tell(connection, Detach(()))
            return
        uplink = self.uplinks.add(peer_id, connection.remote, self._around.now())
        self._peer.hold(peer_id, _HOLD)
        if held == self.ledger.held:
            uplink.cursor, uplink.told = self.ledger.number, held
        elif held.count:
            await self._afresh(uplink, connection)
        self.on_change()

    async def _enrol(self, connection: PeerConnection, *, fresh: bool) -> Held | None:
        """Be its leaf, or still be it; None when it will not."""
        message = Attach(self._around.own_addresses, capable=self._capable(), fresh=fresh)
        answer = await connection.request(message, _TIMEOUT)
        self._around.hear(connection, answer.others)
        if not answer.accepted:
            return None
        self._around.met(connection)
        return Held(answer.count, answer.digest)

    async def _afresh(self, uplink: Uplink, connection: PeerConnection) -> None:
        try:
            await self._enrol(connection, fresh=True)
        except (LinkError, RemoteError, LimitError):
            self._failed(uplink)
        uplink.cursor, uplink.told = 0, None

    async def _bring_up(self, uplink: Uplink) -> None:
        """Tell an uplink what it does not know yet, and now and then ask whether it knows the rest."""
        connection = self._peer.connection_to(uplink.peer_id)
        if connection is None:
            self._failed(uplink)
            return
        try:
            if uplink.renew_at <= self._around.now() and not await self._renew(uplink, connection):
                return
            if uplink.cursor and uplink.cursor < self.ledger.floor:
                await self._afresh(uplink, connection)
            await self._hand_over(uplink, connection)
        except (LinkError, RemoteError):
            self._failed(uplink)
        except LimitError:
            self._peer.metrics.count("supernode_hand_overs_put_off")  # the next round goes on

    async def _renew(self, uplink: Uplink, connection: PeerConnection) -> bool:
        """Ask whether all is still there; False when this uplink wants no more of this node."""
        held = await self._enrol(connection, fresh=False)
        if held is None:
            self._failed(uplink)
            return False
        uplink.renew_at = self._around.now() + self._rules.renew
        if uplink.told is not None and held != uplink.told:
            await self._afresh(uplink, connection)
        return True

    async def _hand_over(self, uplink: Uplink, connection: PeerConnection) -> None:
        goal = self.ledger.number
        offers, removed = self.ledger.since(uplink.cursor), self.ledger.removed_since(uplink.cursor)
        keys = [WireKey(key.locator, key.slot) for key in removed] if uplink.cursor else []
        kept: Kept | None = None
        for start in range(0, len(keys), LEAF_KEYS):
            kept = await connection.request(HandOver(removed=tuple(keys[start : start + LEAF_KEYS])), _TIMEOUT)
        locators = [offer.body for offer in offers if offer.claim]
        for start in range(0, len(locators), LEAF_KEYS):
            kept = await connection.request(HandOver(locators=tuple(locators[start : start + LEAF_KEYS])), _TIMEOUT)
        for group in cut_bodies(offer.body for offer in offers if not offer.claim):
            kept = await connection.request(HandOver(records=group), _TIMEOUT)
        uplink.cursor = goal
        if kept is not None:
            uplink.told = Held(kept.count, kept.digest)

    # --- coming and going ---------------------------------------------------------------------------------------------

    def _failed(self, uplink: Uplink) -> None:
        self._around.known.failed(uplink.peer_id, self._around.now())
        self._leave(uplink.peer_id)
        self._again = True

    def _leave(self, peer_id: PeerId) -> None:
        if self._remove(peer_id):
            self._around.send(peer_id, Detach(()))

    def _remove(self, peer_id: PeerId) -> bool:
        if not self.uplinks.remove(peer_id):
            return False
        self._peer.release(peer_id, _HOLD)
        self.on_change()
        return True

    def _on_known(self, connection: PeerConnection, message: SupernodesKnown) -> None:
        self.on_told(connection, message.supernodes)
        hungry = self._wanted() and self.uplinks.missing > 0
        if self._around.hear(connection, message.supernodes) and hungry:
            self.wake()

    def _on_where(self, connection: PeerConnection, _message: WhereSupernodes) -> SupernodesKnown:
        return SupernodesKnown(self._around.to_tell(connection))

    def _on_detach(self, connection: PeerConnection, message: Detach) -> None:
        """A supernode takes leave of this leaf, or a leaf of this supernode."""
        self._around.hear(connection, message.others)
        if self._remove(connection.peer_id):
            self._around.known.is_full(connection.peer_id, self._around.now())
            self.wake()
        else:
            self.on_left(connection.peer_id)

    def _on_step_up(self, connection: PeerConnection, _message: StepUp) -> None:
        if connection.peer_id in self.uplinks:
            self._called_at = self._around.now()
