"""Reads what an index answers: each holder's lease first, then its records, each of them checked.

Invariant: what comes out was signed by its holder, who is at the told addresses by its own word and whose time is not
over, answers what was asked, and comes out once. Under the rules of 1999 only the signature of the record is looked at.
Pure: the time of day is an argument (seconds).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from blake3 import blake3

from peerage.catalogue.locator import locator_of
from peerage.catalogue.query import Query
from peerage.catalogue.record import Record, Visibility, decode
from peerage.errors import ForgedError, ProtocolError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.base import Hit, Holder
from peerage.overlay.checks import Refused, check_hit
from peerage.overlay.index.messages import HolderAnswer
from peerage.overlay.index.signed import Lease, read_claim, read_lease
from peerage.overlay.reach import reachable


class View(NamedTuple):
    """What readers need of the node that asks."""

    peer_id: PeerId
    is_banned: Callable[[PeerId], bool]


class Told(NamedTuple):
    """One result that was checked, what names it, and what the holder's lease says."""

    key: bytes
    lease: Lease
    issued: int


class Read(NamedTuple):
    """What a reader makes of one body: a result to give out, or None when it has been given out before."""

    found: object | None
    told: Told


class Reader:
    """The part that hits and holders share; `checks`: whether more than the record's signature is looked at."""

    def __init__(self, view: View, *, checks: bool) -> None:
        self._view = view
        self._checks = checks
        self._given: set[bytes] = set()  # what was given out; bounded by the hits of one question
        self._leases: dict[bytes, Lease] = {}  # checked ones of this question; bounded the same

    def read(self, answer: HolderAnswer, remote: Address, now: float) -> Iterator[Read | Refused]:
        """Yield what an answer brings; `remote` is where the index is."""
        try:
            lease = self._lease(answer.lease)
        except ProtocolError:
            yield Refused.MALFORMED
            return
        except ForgedError:
            yield Refused.FORGED
            return
        if self._checks and not lease.is_current(now):
            yield Refused.STALE
            return
        if lease.peer_id == self._view.peer_id or self._view.is_banned(lease.peer_id):
            yield Refused.UNWANTED
            return
        holder = Holder(lease.peer_id, self._addresses(answer, lease, remote))
        for body in answer.bodies:
            yield self._body(body, holder, lease)

    def _lease(self, raw: bytes) -> Lease:
        lease = self._leases.get(raw)
        if lease is None:
            lease = self._leases[raw] = read_lease(raw)
        return lease

    def _addresses(self, answer: HolderAnswer, lease: Lease, remote: Address) -> tuple[Address, ...]:
        told = answer.addresses
        if self._checks:
            told = tuple(each for each in told if lease.allows(each))
        return reachable(told, remote, first_hop=True)

    def _body(self, body: bytes, holder: Holder, lease: Lease) -> Read | Refused:
        raise NotImplementedError

    def _once(self, key: bytes, found: object, told: Told) -> Read:
        if key in self._given:
            return Read(None, told)
        self._given.add(key)
        return Read(found, told)


class HitReader(Reader):
    """Reads hits for one query."""

    def __init__(self, query: Query, view: View, *, checks: bool) -> None:
        super().__init__(view, checks=checks)
        self._query = query

    def _body(self, body: bytes, holder: Holder, lease: Lease) -> Read | Refused:
        record = check_hit(body, lease.holder, self._query) if self._checks else _signed_only(body)
        if isinstance(record, Refused):
            return record
        if record.visibility is not Visibility.PUBLIC:
            return Refused.PRIVATE
        key = blake3(body).digest(16)
        return self._once(key, Hit(record, holder), Told(key, lease, record.issued))


class HolderReader(Reader):
    """Reads holders of the content of one locator."""

    def __init__(self, locator: bytes, view: View, *, checks: bool) -> None:
        super().__init__(view, checks=checks)
        self._locator = locator

    def _body(self, body: bytes, holder: Holder, lease: Lease) -> Read | Refused:
        try:
            signer, locator, issued = _what_holds(body)
        except ForgedError:
            return Refused.FORGED
        except ProtocolError:
            return Refused.MALFORMED
        if signer != lease.holder:
            return Refused.FOREIGN
        if locator != self._locator:
            return Refused.OFF_TOPIC
        return self._once(holder.peer_id, holder, Told(holder.peer_id, lease, issued))


def _what_holds(body: bytes) -> tuple[bytes, bytes, int]:
    """Return who has signed that it has the content of which locator, and when."""
    try:
        record = decode(body)
    except ProtocolError:
        claim = read_claim(body)
        return claim.holder, claim.locator, claim.issued
    record.verify()
    return record.holder, locator_of(record.content), record.issued


def _signed_only(body: bytes) -> Record | Refused:
    try:
        record = decode(body)
        record.verify()
    except ForgedError:
        return Refused.FORGED
    except ProtocolError:
        return Refused.MALFORMED
    return record
