"""Keeps this node registered: brings each index that is used up to the ledger, and renews before the time is over.

Invariant: one task at the most works for each index, and none when there is nothing to do; an index that fails is left
in peace for a while, and another is used instead. What has to be told is in ledger.py, whom to use in known.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from peerage.catalogue.index_table import Held
from peerage.errors import LimitError, LinkError, PeerageError, RemoteError
from peerage.identity.keys import PeerId
from peerage.limits import INDEX_KEYS
from peerage.overlay.index.known import KnownIndexes
from peerage.overlay.index.ledger import Ledger, Offer
from peerage.overlay.index.messages import Enrol, Leave, Register, Unregister, WireKey, cut_bodies
from peerage.overlay.index.rules import IndexRules
from peerage.overlay.index.signed import Term, make_lease, tag_of
from peerage.overlay.reach import told_addresses
from peerage.peer.connection import PeerConnection
from peerage.peer.peer import Peer

Connect = Callable[[PeerId], Awaitable[PeerConnection]]

_AGAIN: Final = 5.0  # seconds before an index that has had enough for now gets more
_TRIES: Final = 100  # times in a row that this may happen


class _Registration:
    """How far one index is, as far as this side knows."""

    __slots__ = ("cursor", "named", "renew_at", "told", "whole")

    def __init__(self) -> None:
        self.cursor = 0  # all changes up to here were told
        self.told: Held | None = None  # what it has, if it was told everything and took it
        self.whole = True  # whether it took everything
        self.renew_at = 0.0  # loop time
        self.named: tuple[bytes, ...] | None = None  # the indexes that the lease names


class Registrar:
    """The registrations of one node; `on_proved` is called when an index has shown that it is one."""

    def __init__(self, peer: Peer, known: KnownIndexes, ledger: Ledger, rules: IndexRules) -> None:
        self._peer = peer
        self._known = known
        self._ledger = ledger
        self._rules = rules
        self._registrations: dict[PeerId, _Registration] = {}  # bounded by IndexRules.used
        self._tasks: dict[PeerId, asyncio.Task[None]] = {}
        self._stopped = False
        self.connect: Connect = peer.connect_to
        self.on_proved: Callable[[], None] = lambda: None

    @property
    def idle(self) -> bool:
        """Whether every index that is used knows all that this node shares."""
        return not self._tasks and not any(self._is_due(peer_id) for peer_id in self._used())

    def wake(self) -> None:
        """Something has changed, or time has passed: see to it, in the background."""
        if self._stopped:
            return
        used = self._used()
        for peer_id in [each for each in self._registrations if each not in used and each not in self._tasks]:
            self._end(peer_id)
        for peer_id in used:
            if peer_id not in self._tasks and self._is_due(peer_id):
                self._start(peer_id)

    async def stop(self) -> None:
        """End the tasks, and log out where a link is open."""
        self._stopped = True
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for peer_id in self._registrations:
            connection = self._peer.connection_to(peer_id)
            if connection is not None:
                _say_goodbye(connection)

    # --- whom, and when -------------------------------------------------------------------------------------------

    def _used(self) -> list[PeerId]:
        """Return the indexes to register with: those in use stay so while they work and are honest."""
        usable = self._known.usable(self._now())
        usable.sort(key=lambda each: each.view().suspect or each.peer_id not in self._registrations)
        return [each.peer_id for each in usable[: self._rules.used]]

    def _is_due(self, peer_id: PeerId) -> bool:
        registration = self._registrations.get(peer_id)
        return (
            registration is None
            or registration.renew_at <= self._now()
            or registration.cursor < self._ledger.number
            or (len(self._ledger) > 0 and registration.named != self._tags())
        )

    def _tags(self) -> tuple[bytes, ...]:
        return tuple(tag_of(peer_id) for peer_id in self._known.registered())

    def _start(self, peer_id: PeerId) -> None:
        try:
            task = self._peer.spawn(self._work(peer_id), "index registration")
        except LimitError:
            return  # the next round of upkeep tries again
        self._tasks[peer_id] = task
        task.add_done_callback(lambda _task: self._ended(peer_id))

    def _ended(self, peer_id: PeerId) -> None:
        self._tasks.pop(peer_id, None)
        self.wake()

    def _end(self, peer_id: PeerId) -> None:
        """Use an index no more."""
        self._registrations.pop(peer_id)
        known = self._known.get(peer_id)
        if known is not None:
            known.registered = False

    # --- one index --------------------------------------------------------------------------------------------------

    async def _work(self, peer_id: PeerId) -> None:
        """Bring one index up to date."""
        await asyncio.sleep(self._rules.quiet * self._peer.rng.uniform(0.5, 1.5))  # not all nodes at the same moment
        registration = self._registrations.setdefault(peer_id, _Registration())
        if registration.cursor < self._ledger.floor:  # what was withdrawn since then is not known any more
            registration = self._registrations[peer_id] = _Registration()
        try:
            connection = await self.connect(peer_id)
            if registration.renew_at <= self._now() or registration.named != self._tags():
                await self._enrol(connection, registration)
            await self._bring_up(connection, registration)
        except (LinkError, RemoteError, LimitError):
            self._peer.metrics.count("index_registrations_failed")
            self._registrations.pop(peer_id, None)
            self._known.did_not_work(peer_id, self._now())
            return
        known = self._known.get(peer_id)
        if known is not None:
            known.registered = registration.whole and registration.cursor == self._ledger.number
        if self._known.worked(peer_id):
            self.on_proved()

    async def _enrol(self, connection: PeerConnection, registration: _Registration) -> None:
        """Log in, and begin afresh when the index has something else than it should."""
        named, lease = self._lease()
        answer = await connection.request(Enrol(lease))
        held = Held(answer.count, answer.digest)
        if held == self._ledger.held:
            registration.cursor, registration.whole = self._ledger.number, True
        elif self._is_astray(registration, held):
            await connection.request(Enrol(lease, fresh=True))
            registration.cursor, registration.whole = 0, True
        registration.named = named
        registration.renew_at = self._now() + self._rules.lease / 2

    def _is_astray(self, registration: _Registration, held: Held) -> bool:
        if registration.told is not None and registration.whole:
            return held != registration.told
        return (held.count > 0) != (registration.cursor > 0)

    def _lease(self) -> tuple[tuple[bytes, ...], bytes]:
        now = int(self._peer.clock.time())
        term = Term(now, now + int(self._rules.lease))
        named = self._known.registered()
        lease = make_lease(self._peer.key, told_addresses(self._peer.addresses), term, named)
        return tuple(map(tag_of, named)), lease

    async def _bring_up(self, connection: PeerConnection, registration: _Registration) -> None:
        """Tell one index all that it does not know yet."""
        while registration.cursor < self._ledger.number:
            goal, held = self._ledger.number, self._ledger.held
            removed = self._ledger.removed_since(registration.cursor)
            for start in range(0, len(removed), INDEX_KEYS):
                keys = tuple(WireKey(*key) for key in removed[start : start + INDEX_KEYS])
                await connection.request(Unregister(keys))
            for batch, last in _batches(self._ledger.since(registration.cursor)):
                await self._register(connection, registration, batch)
                registration.cursor = last
            registration.cursor = goal
            registration.told = held

    async def _register(self, connection: PeerConnection, registration: _Registration, message: Register) -> None:
        for _ in range(_TRIES):
            try:
                answer = await connection.request(message)
            except LimitError:
                await asyncio.sleep(_AGAIN)
                continue
            registration.whole = registration.whole and not answer.refused
            return
        raise LimitError("records-rate", "theirs", "the index takes no more")

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _batches(offers: list[Offer]) -> Iterator[tuple[Register, int]]:
    """Cut offers into messages, each with the number of its last change."""
    done = 0
    for bodies in cut_bodies(offer.body for offer in offers):
        part = offers[done : done + len(bodies)]
        done += len(bodies)
        records = tuple(offer.body for offer in part if not offer.claim)
        yield Register(records, tuple(offer.body for offer in part if offer.claim)), part[-1].number


def _say_goodbye(connection: PeerConnection) -> None:
    try:
        connection.send(Leave())
    except PeerageError:
        return  # it will notice when the lease is over
