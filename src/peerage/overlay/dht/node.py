"""One node's part in the table: whom it knows, what it keeps, and walks towards any point.

Invariant: this node counts as serving only when it was shown to be reachable; a peer comes into the routing table only
after it was reached at its own address; failures count against a contact only while others answer, so that a node whose
own line is down forgets nobody. What is stored and searched is the business of publishing.py and finding.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from peerage.errors import LimitError, LinkError, PeerageError, RefusedError, WrongPeerError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.dht.caller import Caller
from peerage.overlay.dht.contacts import SPACE, Contact, number_of
from peerage.overlay.dht.keeping import Keeper
from peerage.overlay.dht.limits import DHT_CONTACT_ADDRESSES
from peerage.overlay.dht.lookup import Lookup, LookupPlan
from peerage.overlay.dht.messages import Fetch, Look, Seen
from peerage.overlay.dht.routing import RoutingTable
from peerage.overlay.dht.rules import DhtRules
from peerage.overlay.dht.size import NetworkSize
from peerage.overlay.dht.walk import Nobody, Walk, Watcher
from peerage.overlay.expiring import ExpiringTable
from peerage.overlay.work_queue import WorkQueue
from peerage.peer.connection import PeerConnection
from peerage.peer.messages import LinkKind
from peerage.wire.message import ErrorCode

if TYPE_CHECKING:
    from peerage.peer.peer import Peer

_OFFLINE = 60.0  # seconds without any answer after which silence says nothing about others
_STRANGERS = 512  # peers remembered that do not take part
_STRANGER_SECONDS = 1800.0
_ACQUAINTANCES = 8  # peers asked that are not known to take part, while few are known that do
_WAITING_PROBES = 64
_TOLD = 4  # of the contacts of an answer one in so many becomes a spare
_CROWDED = 0.3  # share of a region in which a whole answer's worth of peers makes its rest worth a look
_CROWDED_FEW = 0.1  # the same where only a walk's first few are looked at: chance brings these together more often
_HOME_SECONDS = 300.0  # that the end of a walk to this node itself says more than its table
_FEW = 4  # contacts below which each new one may be what publications waited for
_RINGS = 3  # parts of that rest: seven eighths of it


class Errand(msgspec.Struct, frozen=True):
    """What a walk is for; `seeds` are asked beside the contacts, `deadline` is loop time."""

    target: int
    deadline: float
    fetch: Fetch | None = None
    seeds: tuple[Contact, ...] = ()
    paths: int = 0  # 0: as many as the rules say
    enough: int = 0  # nearest peers that must have answered; 0: a whole bucket


class DhtNode:
    """The state that all parts of one node's table share."""

    def __init__(self, peer: Peer, rules: DhtRules, reachable: Callable[[], bool | None]) -> None:
        self.peer = peer
        self.rules = rules
        self.number = number_of(peer.peer_id)
        self.table = RoutingTable(peer.peer_id, rules)
        self.size = NetworkSize(rules)
        self.keeper = Keeper(peer.peer_id, rules, lambda: self.size.near)
        self.caller = Caller(peer)
        self._reachable = reachable
        self._loop = asyncio.get_running_loop()
        self._walks = asyncio.Semaphore(rules.walks)
        self._probes = WorkQueue(peer.spawn, workers=rules.probes, maximum=_WAITING_PROBES)
        self._probing: set[PeerId] = set()  # bounded by the queue and its workers
        self._strangers: ExpiringTable[PeerId, bool] = ExpiringTable(_STRANGERS, _STRANGER_SECONDS)
        self._last_answer = self._loop.time()
        self._home: tuple[float, frozenset[int]] = (
            0.0,
            frozenset(),
        )  # who answered nearest here, at the last walk here
        self.quiet = asyncio.Event()  # set while nobody is being reached to see whether it may come in
        self.quiet.set()
        self.on_contact: Callable[[], None] = _ignore  # called when a contact came in while there are few

    @property
    def serving(self) -> bool:
        """Whether this node keeps records for others."""
        return self._reachable() is True

    def now(self) -> float:
        """Return loop time."""
        return self._loop.time()

    def is_banned(self, peer_id: PeerId) -> bool:
        """Whether this node's owner wants nothing of a peer."""
        known = self.peer.table.get(peer_id)
        return known is not None and known.banned

    async def close(self) -> None:
        """End what runs in the background."""
        await self._probes.close()

    # --- walking ----------------------------------------------------------------------------------------------------

    async def walk(self, errand: Errand, watcher: Watcher | None = None) -> Lookup:
        """Walk towards a point; what was found is in the lookup."""
        paths = errand.paths or self.rules.paths
        enough = errand.enough or self.rules.bucket
        plan = LookupPlan(enough, paths, errand.deadline)
        lookup = Lookup(errand.target, self.peer.peer_id, plan, self.rules)
        lookup.begin(self._seeds(errand))
        message = Look(errand.target.to_bytes(32, "big"), self.serving, errand.fetch)
        async with self._walks:
            await Walk(self, lookup, message, watcher or Nobody()).run(errand.deadline)
        distances = lookup.distances(enough)
        if errand.target != self.number:
            self.size.note(distances, self.now())
        else:
            self._home = self.now() + _HOME_SECONDS, frozenset(distances)
            self.measure_home()
        self.peer.metrics.count("dht_walks")
        self.peer.metrics.count("dht_questions", amount=lookup.questions)
        return lookup

    async def cover(self, errand: Errand, watcher: Watcher | None = None) -> dict[PeerId, Contact]:
        """Walk to a point and, where peers crowd nearer than the network's size explains, through its whole region.

        Returns whom it found there. A crowd may be chance; if it is an attack, the others of the region are reached by
        walks to points that the crowd is not near to (doi 10.14722/ndss.2024.23153, arXiv 2505.01139).
        """
        self.measure_home()
        before = self.size.radius  # what this walk measures must not decide how its own end is judged
        lookup = await self.walk(errand, watcher)
        radius = before if before < SPACE - 1 else self.size.radius
        most = 2 * self.rules.region_max
        pool = {each.peer_id: each for each in lookup.known(radius, self.rules.region_min, most)}
        enough = errand.enough or self.rules.bucket
        distances = lookup.distances(enough)
        crowded = (_CROWDED if enough == self.rules.bucket else _CROWDED_FEW) * radius
        if radius >= SPACE - 1 or len(distances) < enough or distances[-1] > crowded:
            return pool
        self.peer.metrics.count("dht_crowded_regions")
        for ring in range(_RINGS):
            point = errand.target ^ (1 << max(0, radius.bit_length() - 1 - ring))
            seeds = (*errand.seeds, *pool.values())
            part = await self.walk(msgspec.structs.replace(errand, target=point, seeds=seeds), watcher)
            near = part.known(radius, self.rules.region_min, most)
            pool |= {each.peer_id: each for each in near}
        return pool

    def measure_home(self) -> None:
        """Look at how near the nearest are now: contacts, and for a while whoever answered when this node joined."""
        known = {number_of(each.peer_id) ^ self.number for each in self.table.neighbours(self.rules.bucket)}
        until, answered = self._home
        if self.now() < until:
            known |= answered
        self.size.note_home(sorted(known)[: self.rules.bucket], self.now())

    def _seeds(self, errand: Errand) -> Iterable[Contact]:
        known = self.table.closest(errand.target, self.rules.bucket)
        yield from known
        yield from errand.seeds
        if len(known) < self.rules.bucket:
            yield from self._acquaintances()

    def _acquaintances(self) -> list[Contact]:
        """Return peers that are linked or known here and may take part."""
        now = self.now()
        found = [
            Contact(each.peer_id, (each.dialled or each.remote,))
            for each in self.peer.neighbours()
            if each.peer_id not in self.table and not self._strangers.get(each.peer_id, now)
        ]
        if len(found) + len(self.table) < self.rules.paths:
            found += [
                Contact(each.peer_id, each.addresses[:DHT_CONTACT_ADDRESSES])
                for each in self.peer.table.best()[:_ACQUAINTANCES]
                if each.peer_id not in self.table and not self._strangers.get(each.peer_id, now)
            ]
        return found[:_ACQUAINTANCES]

    # --- who lives, and who comes in --------------------------------------------------------------------------------

    def did_answer(self, contact: Contact, connection: PeerConnection, seen: Seen, told: Sequence[Contact]) -> None:
        """Note that a contact answered, and whom it told of that may be believed."""
        self._last_answer = self.now()
        if seen.serving:
            self.met(connection)
        else:
            self.table.remove(contact.peer_id)
        for each in told[::_TOLD]:
            self.table.hear(each)

    def did_not_answer(self, contact: Contact, error: PeerageError) -> None:
        """Note that a contact failed, unless it is this side that failed."""
        if isinstance(error, RefusedError) and error.code == ErrorCode.UNKNOWN:
            self._strangers.put(contact.peer_id, True, self.now())
            self.table.remove(contact.peer_id)
        elif isinstance(error, WrongPeerError):
            self.table.remove(contact.peer_id)
        elif isinstance(error, LinkError) and self.now() - self._last_answer < _OFFLINE:
            self.table.failed(contact.peer_id)
        elif isinstance(error, LimitError):
            self.peer.metrics.count("dht_limited", error.whose)

    def met(self, connection: PeerConnection) -> None:
        """A peer that keeps records was heard on a link: note that, or see whether it can be reached."""
        peer_id = connection.peer_id
        if self.table.alive(peer_id, self.now()) or self.is_banned(peer_id):
            return
        if connection.outgoing and connection.dialled is not None:
            self._enter(Contact(peer_id, (connection.dialled,)))
            return
        known = self.peer.table.get(peer_id)
        addresses = known.addresses[:DHT_CONTACT_ADDRESSES] if known is not None else ()
        if addresses:
            self.consider(Contact(peer_id, addresses))

    def _enter(self, contact: Contact) -> None:
        """Take in a peer that was reached."""
        if self.table.add(contact, self.now()) and len(self.table) <= _FEW:
            self.on_contact()

    def consider(self, contact: Contact) -> None:
        """See now whether a peer near to this node can be reached; keep another as a spare."""
        if not self.table.wants(contact) or contact.peer_id in self._probing:
            return
        if self.table.is_near(number_of(contact.peer_id), self.rules.bucket):
            self.probe(contact)
        else:
            self.table.hear(contact)

    def probe(self, contact: Contact) -> None:
        """Dial a peer; who can be reached comes into the table."""
        if contact.peer_id not in self._probing and self._probes.put(lambda: self._probe(contact)):
            self._probing.add(contact.peer_id)
            self.quiet.clear()

    async def _probe(self, contact: Contact) -> None:
        try:
            connection = await self.caller.dial(contact, LinkKind.BULK)
        except PeerageError:
            self.peer.metrics.count("dht_probes", "failed")
        else:
            reached: Address | None = connection.dialled
            connection.close("this was only to see whether you can be reached")
            if reached is not None:
                self._enter(Contact(contact.peer_id, (reached,)))
            self.peer.metrics.count("dht_probes", "reached")
        finally:
            self._probing.discard(contact.peer_id)
            if not self._probing:
                self.quiet.set()


def _ignore() -> None:
    """Nobody wants to know yet."""
