"""Whether a supernode hides what it knows, or invents: its answer is compared with those of the others.

The supernodes of one leaf reach the same network. What two of them tell, the third should have found, too; and where
one brings mostly rubbish while the others do not, the rubbish is its own: what bad leaves of others sign reaches all.
Invariant: nobody is accused on one supernode's word alone, nor for what was wanted no more, nor when it has failed or
was not done; and one question counts little. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from peerage.identity.keys import PeerId

_MOST_EACH: Final = 3  # results of one question that count
_SUSPECT_LEAST: Final = 4  # omissions in all: a link that was slow explains one or two
_SUSPECT_SHARE: Final = 0.4  # of what it should have told; bounds and delays explain less
_RUBBISH_LEAST: Final = 4  # untrue results of one question
_LIES: Final = 2  # questions with rubbish


class Verdict(NamedTuple):
    """How many results one supernode should have told, how many it did not, and whether it told mostly rubbish."""

    peer_id: PeerId
    compared: int
    omitted: int
    rubbish: bool


class Comparison:
    """The answers to one question; bounded by its hits."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._told: dict[PeerId, set[bytes]] = {}
        self._refused: Counter[PeerId] = Counter()
        self._whole: set[PeerId] = set()

    def begin(self, supernode: PeerId) -> None:
        """It is asked."""
        self._told[supernode] = set()

    def note(self, supernode: PeerId, key: bytes) -> None:
        """It told something that was checked."""
        self._told[supernode].add(key)

    def refused(self, supernode: PeerId) -> int:
        """It told something untrue; returns how often by now."""
        self._refused[supernode] += 1
        return self._refused[supernode]

    def ended(self, supernode: PeerId) -> None:
        """It has told all that it wants to tell."""
        self._whole.add(supernode)

    def verdicts(self) -> Iterator[Verdict]:
        """Judge those that can be."""
        honest = [each for each in self._told if not self._is_rubbish(each)]
        times = Counter(key for each in honest for key in self._told[each])
        for supernode, told in self._told.items():
            rubbish = self._is_rubbish(supernode) and any(self._told[each] for each in honest)
            compared = omitted = 0
            if supernode in self._whole and len(told) < self._wanted:
                due = [key for key, count in times.items() if count - (key in told) >= 2]
                compared = min(len(due), _MOST_EACH)
                omitted = min(sum(key not in told for key in due), compared)
            if compared or rubbish:
                yield Verdict(supernode, compared, omitted, rubbish)

    def _is_rubbish(self, supernode: PeerId) -> bool:
        return self._refused[supernode] >= max(_RUBBISH_LEAST, len(self._told[supernode]))


class Reputation:
    """What comparisons have said of one supernode so far."""

    __slots__ = ("compared", "lies", "omitted")

    def __init__(self) -> None:
        self.compared = self.omitted = self.lies = 0

    def note(self, verdict: Verdict) -> None:
        """Add a verdict."""
        self.compared += verdict.compared
        self.omitted += verdict.omitted
        self.lies += verdict.rubbish

    @property
    def is_bad(self) -> bool:
        """Whether it is to be replaced."""
        hides = self.omitted >= _SUSPECT_LEAST and self.omitted >= _SUSPECT_SHARE * self.compared
        return hides or self.lies >= _LIES
