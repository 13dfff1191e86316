"""The serving side: takes what holders register, answers who asks, and lets go of what has ended.

Invariant: only the holder itself, over its own authenticated link, puts, renews or removes what is its own, and each
record, claim and lease was signed by it; all of it is public. What is told is what was signed, unchanged, of holders
whose lease has not ended. Every refusal is counted. Who may do how much is decided by gate.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final, NoReturn

from peerage.catalogue.index_table import Claim, Held, Indexed, Key, Tenant
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Record, Visibility, decode
from peerage.catalogue.record_index import RecordIndex
from peerage.catalogue.record_table import Added
from peerage.errors import ForgedError, LimitError, ProtocolError, QueryError, RefusedError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.limits import INDEX_SKEW
from peerage.overlay.index.gate import Denied, IndexGate
from peerage.overlay.index.messages import (
    Answered,
    AskIndex,
    Enrol,
    Enrolled,
    HolderAnswer,
    Leave,
    Register,
    Registered,
    SeekInIndex,
    Unregister,
    cut_bodies,
    cut_into_parts,
)
from peerage.overlay.index.rules import IndexRules
from peerage.overlay.index.signed import Lease, read_claim, read_lease
from peerage.overlay.reach import reachable
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.peer.peer import Peer
from peerage.wire.message import Done, ErrorCode, Message

_Checked = tuple[list[Record], list[Claim]]


class IndexServer:
    """Serves one RecordIndex, which stays the caller's to open and to close."""

    def __init__(self, index: RecordIndex, rules: IndexRules, peer: Peer) -> None:
        self._index = index
        self._rules = rules
        self._peer = peer
        self._gate = IndexGate(rules)
        self._tenants: dict[PeerId, Tenant] = {}  # who is logged in; bounded by the gate, ended by `tidy`

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Return what an index answers."""
        return (
            (Enrol, self._on_enrol),
            (Register, self._on_register),
            (Unregister, self._on_unregister),
            (Leave, self._on_leave),
            (AskIndex, self._on_ask),
            (SeekInIndex, self._on_seek),
        )

    async def tidy(self) -> None:
        """Forget whose time is over."""
        now = self._peer.clock.time()
        self._tenants = {peer_id: each for peer_id, each in self._tenants.items() if each.expires > now}
        self._gate.forget_all_but(self._tenants)
        expired = await self._index.expire(now - self._rules.kept)
        if expired:
            self._peer.metrics.count("index_expired", amount=expired)

    # --- holders --------------------------------------------------------------------------------------------------

    async def enrol(self, lease: Lease, raw: bytes, remote: Address, *, fresh: bool) -> Held:
        """Let a holder in, or renew what it has; this node itself comes in by this way, too."""
        filled = reachable(lease.addresses, remote, first_hop=True) if remote.host else lease.addresses
        tenant = Tenant(lease.peer_id, filled, lease.expires, raw)
        if fresh:
            await self._index.drop_holder(lease.peer_id)
        self._tenants[lease.peer_id] = tenant
        held = await self._index.renew(lease.peer_id, tenant.expires, filled, raw)
        self._gate.hold(lease.peer_id, held.count)
        return held

    async def put(self, tenant: PeerId, records: Sequence[Record], claims: Sequence[Claim]) -> Added:
        """Take checked records and claims of a holder that was let in."""
        let_in = self._tenants.get(tenant)
        if let_in is None:
            self._deny(Denied.STRANGER)
        added = await self._index.put(let_in, records, claims)
        self._gate.hold(tenant, (await self._index.held(tenant)).count)
        return added

    async def remove(self, tenant: PeerId, keys: Sequence[Key]) -> None:
        """Take back what a holder has no more."""
        await self._index.remove(tenant, keys)

    async def _on_enrol(self, connection: PeerConnection, message: Enrol) -> Enrolled:
        lease = self._read_lease(connection, message.lease)
        self._deny_if(self._gate.enrol(connection.peer_id, connection.remote))
        held = await self.enrol(lease, message.lease, connection.remote, fresh=message.fresh)
        return Enrolled(held.count, held.digest)

    def _read_lease(self, connection: PeerConnection, raw: bytes) -> Lease:
        try:
            lease = read_lease(raw)
        except (ProtocolError, ForgedError):
            self._deny(Denied.LEASE)
        if lease.holder != connection.public_key or not lease.is_current(self._now()):
            self._deny(Denied.LEASE)
        return lease

    async def _on_register(self, connection: PeerConnection, message: Register) -> Registered:
        holder = connection.peer_id
        if holder not in self._tenants:
            self._deny(Denied.STRANGER)
        amount = len(message.records) + len(message.claims)
        self._deny_if(self._gate.register(holder, amount, asyncio.get_running_loop().time()))
        try:
            checked = await self._peer.in_thread(_checked, message, connection.public_key, self._now() + INDEX_SKEW)
        except (ProtocolError, ForgedError):
            self._deny(Denied.FORGED)
        added = await self.put(holder, *checked)
        self._peer.metrics.count("index_registered", amount=added.added)
        return Registered(added.added, added.known, added.refused)

    async def _on_unregister(self, connection: PeerConnection, message: Unregister) -> Done:
        await self.remove(connection.peer_id, [Key(key.locator, key.slot) for key in message.keys])
        return Done()

    async def _on_leave(self, connection: PeerConnection, _message: Leave) -> None:
        await self.leave(connection.peer_id)

    async def leave(self, holder: PeerId) -> None:
        """Tell nobody of a holder any more; what it has here stays for a while, as it may come back at once."""
        tenant = self._tenants.pop(holder, None)
        if tenant is not None:
            self._gate.forget(holder)
            await self._index.renew(holder, self._now(), tenant.addresses, tenant.proof)

    # --- searchers ------------------------------------------------------------------------------------------------

    async def find(self, asker: PeerId, message: AskIndex | SeekInIndex) -> list[HolderAnswer]:
        """Return what answers a question, holder by holder; raises QueryError when the text cannot be parsed."""
        limit = min(message.wanted, self._rules.hits)
        if isinstance(message, SeekInIndex):
            return _by_holder(await self._index.holders(message.locator, limit), self._now())
        found = await self._index.ask(parse(message.text), limit)
        self._gate.charge(asker, found.work, asyncio.get_running_loop().time())
        return _by_holder(found.answers, self._now())

    async def _on_ask(self, connection: PeerConnection, message: AskIndex) -> AsyncIterator[Answered]:
        async for part in self._answer(connection, message):
            yield part

    async def _on_seek(self, connection: PeerConnection, message: SeekInIndex) -> AsyncIterator[Answered]:
        async for part in self._answer(connection, message):
            yield part

    async def _answer(self, connection: PeerConnection, message: AskIndex | SeekInIndex) -> AsyncIterator[Answered]:
        self._peer.metrics.count("index_questions")
        self._deny_if(self._gate.ask(connection.peer_id, asyncio.get_running_loop().time()))
        try:
            holders = await self.find(connection.peer_id, message)
        except QueryError as error:
            raise RefusedError(ErrorCode.BAD_REQUEST, "that is no query") from error
        for part in cut_into_parts(holders):
            yield part

    # --- inside ---------------------------------------------------------------------------------------------------

    def _deny_if(self, reason: Denied | None) -> None:
        if reason is not None:
            self._deny(reason)

    def _deny(self, reason: Denied) -> NoReturn:
        self._peer.metrics.count("index_denied", reason)
        if reason in _FAULTS:
            raise RefusedError(ErrorCode.FORBIDDEN, f"this index takes only what its holder signed: {reason}")
        raise LimitError(reason, "ours", f"a bound of this index: {reason}")

    def _now(self) -> float:
        return self._peer.clock.time()


_FAULTS: Final = frozenset({Denied.LEASE, Denied.STRANGER, Denied.FORGED})


def _checked(message: Register, holder: bytes, latest: float) -> _Checked:
    """Check all that a holder registers, in a thread: each signature takes a tenth of a millisecond."""
    records = [decode(raw) for raw in message.records]
    for record in records:
        if record.holder != holder or record.visibility is not Visibility.PUBLIC or record.issued > latest:
            raise ProtocolError("a record that is not the sender's, not public, or of the future")
        record.verify()
    claims = [(read_claim(raw), raw) for raw in message.claims]
    if any(claim.holder != holder or claim.issued > latest for claim, _ in claims):
        raise ProtocolError("a claim that is not the sender's, or of the future")
    return records, [Claim(claim.locator, claim.issued, raw) for claim, raw in claims]


def _by_holder(found: Iterable[Indexed], now: float) -> list[HolderAnswer]:
    """Put together what each holder has, in the order in which they were found; those whose time is over are silent."""
    tenants: dict[PeerId, tuple[Tenant, list[bytes]]] = {}
    for each in found:
        if each.tenant.expires > now and each.tenant.proof:
            tenants.setdefault(each.tenant.peer_id, (each.tenant, []))[1].append(each.body)
    return [
        HolderAnswer(tenant.proof, tenant.addresses, group)
        for tenant, bodies in tenants.values()
        for group in cut_bodies(bodies)
    ]
