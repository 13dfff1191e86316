"""Reads what a supernode tells a leaf: each record and holder is checked, and given out once.

Invariant: what comes out was signed by its holder, answers the query, is public, and is neither this node's own nor of
a peer that is banned here. A record that several supernodes tell is checked once. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple

from blake3 import blake3

from peerage.catalogue.query import Query
from peerage.catalogue.record import Record, Visibility
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.base import FoundT, Hit, Holder
from peerage.overlay.checks import Refused, check_hit
from peerage.overlay.reach import reachable
from peerage.overlay.supernode.messages import HolderOf, RecordsOf


class View(NamedTuple):
    """What readers need of the node that asks."""

    peer_id: PeerId
    is_banned: Callable[[PeerId], bool]

    def wants(self, holder: PeerId) -> bool:
        """Whether anything of this holder is to be shown."""
        return holder != self.peer_id and not self.is_banned(holder)


class Read(NamedTuple, Generic[FoundT]):
    """One result that was checked: what names it, and itself; None when it was given out before."""

    key: bytes
    found: FoundT | None
    hops: int


class HitReader:
    """Reads hits for one query; those `known` count as given out."""

    def __init__(self, query: Query, view: View) -> None:
        self._query = query
        self._view = view
        self._checked: dict[bytes, Record | Refused] = {}  # by digest; bounded by the hits of one question

    def __call__(self, told: RecordsOf, remote: Address) -> Iterator[Read[Hit] | Refused]:
        """Yield what one holder brings; `remote` is where the supernode is."""
        addresses = reachable(told.addresses, remote, first_hop=True)
        for raw in told.records:
            key = blake3(raw).digest(16)
            before = self._checked.get(key)
            record = self._check(raw) if before is None else before
            self._checked[key] = record
            if isinstance(record, Refused):
                yield record
            elif before is not None:
                yield Read(key, None, told.hops)
            else:
                yield Read(key, Hit(record, Holder(record.peer_id, addresses), told.hops + 1), told.hops)

    def _check(self, raw: bytes) -> Record | Refused:
        record = check_hit(raw, None, self._query)
        if isinstance(record, Refused):
            return record
        if record.visibility is not Visibility.PUBLIC:
            return Refused.PRIVATE
        return record if self._view.wants(record.peer_id) else Refused.UNWANTED


class HolderReader:
    """Reads holders of one content."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._given: set[PeerId] = set()

    def __call__(self, told: HolderOf, remote: Address) -> Iterator[Read[Holder] | Refused]:
        """Yield the holder."""
        if not self._view.wants(told.peer_id):
            yield Refused.UNWANTED
        elif told.peer_id in self._given:
            yield Read(told.peer_id, None, told.hops)
        else:
            self._given.add(told.peer_id)
            addresses = reachable(told.addresses, remote, first_hop=True)
            yield Read(told.peer_id, Holder(told.peer_id, addresses), told.hops)
