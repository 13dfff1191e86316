"""Whether an index leaves out what it has: its answer is compared with those of the others that were asked the same.

A holder's lease names the indexes it has registered with. So when one index tells of a record and another, named in the
same lease and not at the end of its room, does not, the second one has left it out. What is younger than GRACE does not
count, as it may still be on its way.
Invariant: an index is never accused on another's word, only on what holders have signed, and by each holder once for
each question: one who names an index that it has not registered with does little harm. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from peerage.identity.keys import PeerId
from peerage.limits import INDEX_SKEW
from peerage.overlay.index.answers import Told
from peerage.overlay.index.signed import Lease, tag_of

GRACE: Final = 60  # seconds in which what was registered must be found


class Compared(NamedTuple):
    """Of how many holders one index should have told everything, and of how many it did not."""

    peer_id: PeerId
    compared: int
    omitted: int


class Comparison:
    """The answers to one question; bounded by the hits of that question."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._told: dict[PeerId, set[bytes]] = {}
        self._leases: dict[bytes, Lease] = {}  # by what was told
        self._whole: list[PeerId] = []

    def note(self, index: PeerId, told: Told, now: float) -> None:
        """An index told something that was checked; `now` is the time of day."""
        self._told.setdefault(index, set()).add(told.key)
        lease = told.lease
        if max(lease.issued, told.issued) + GRACE < now and now + INDEX_SKEW < lease.expires:
            self._leases.setdefault(told.key, lease)

    def ended(self, index: PeerId) -> None:
        """An index has told all that it wants to tell."""
        self._whole.append(index)

    def verdicts(self) -> Iterator[Compared]:
        """Say of each index that has answered whole and had room for more what it should have told."""
        for index in self._whole:
            told = self._told.get(index, set())
            if len(told) >= self._wanted:
                continue
            due = [(lease.holder, key) for key, lease in self._leases.items() if tag_of(index) in lease.indexes]
            missing = {holder for holder, key in due if key not in told}
            yield Compared(index, len({holder for holder, _ in due}), len(missing))
