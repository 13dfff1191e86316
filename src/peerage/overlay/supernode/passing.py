"""Reads answers of other supernodes so that they can be passed on to a leaf as they are.

Invariant: what is passed on is a public record, or the word of a holder, and each only once; signatures and the query
are looked at by the leaf that asked. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from peerage.catalogue.record import Visibility
from peerage.identity.keys import PeerId
from peerage.overlay.checks import Refused, check_record
from peerage.overlay.flood.asking import Answer
from peerage.overlay.flood.messages import HolderFound, RecordsFound
from peerage.overlay.supernode.messages import HolderOf, RecordsOf


class PassedRecords:
    """Reads records, but for those that were told before."""

    def __init__(self, told: Iterable[bytes]) -> None:
        self._told = set(told)  # bounded by the hits of one question

    def __call__(self, answer: Answer, sender: bytes | None) -> Iterator[RecordsOf | Refused]:
        """Yield each record by itself."""
        for raw in answer.records if isinstance(answer, RecordsFound) else ():
            record = check_record(raw, sender)
            if isinstance(record, Refused):
                yield record
            elif record.visibility is not Visibility.PUBLIC:
                yield Refused.PRIVATE
            elif raw in self._told:
                yield Refused.REPEATED
            else:
                self._told.add(raw)
                yield RecordsOf(answer.hops, answer.addresses, (raw,))


class PassedHolders:
    """Reads holders, but for those that were told before."""

    def __init__(self, told: Iterable[PeerId]) -> None:
        self._told = set(told)

    def __call__(self, answer: Answer, sender: bytes | None) -> Iterator[HolderOf | Refused]:  # noqa: ARG002 -- a Reader
        """Yield the holder."""
        if isinstance(answer, HolderFound):
            if answer.peer_id in self._told:
                yield Refused.REPEATED
            else:
                self._told.add(answer.peer_id)
                yield HolderOf(answer.hops, answer.addresses, answer.peer_id)
