"""What earlier searches of this node have shown of how common things are, for the planner's next ones.

A search that brought much shows that each part of its query is common; one for which everybody was asked, and which
brought next to nothing, that the whole of it is rare, and whatever asks for more than that. A saved search that finds
nothing so goes to the hash table at once when it is run again. Invariant: bounded in number and in time, as what is
shared changes. Pure: time is an argument, in seconds.
"""

from __future__ import annotations

from typing import Final

from peerage.catalogue.query import AnyOf, Query, Term
from peerage.limits import PLAN_FEW, PLAN_MANY, PLAN_REMEMBERED, PLAN_REMEMBERED_SECONDS
from peerage.overlay.base import Cost
from peerage.overlay.expiring import ExpiringTable
from peerage.overlay.planner.plan import Over, Rarity

_Whole = tuple[tuple[AnyOf, ...], tuple[Term, ...]]

_EVERYBODY_ASKED: Final = frozenset({Over.COMPLETE, Over.TIME})


class Experience:
    """How rare queries were, and the parts of which they were made."""

    def __init__(self) -> None:
        self._known: ExpiringTable[_Whole | AnyOf, Rarity] = ExpiringTable(PLAN_REMEMBERED, PLAN_REMEMBERED_SECONDS)

    def note(self, query: Query, cost: Cost, over: Over, now: float) -> None:
        """A search has ended; one for which nobody could be asked says nothing."""
        if cost.found >= PLAN_MANY:
            self._put(query, Rarity.COMMON, now)
            for part in query.wanted:
                self._known.put(part, Rarity.COMMON, now)
        elif cost.found < PLAN_FEW and cost.peers_asked and over in _EVERYBODY_ASKED:
            self._put(query, Rarity.RARE, now)

    def rarity(self, query: Query, now: float) -> Rarity:
        """Tell how rare it is, as far as that is known."""
        whole = self._known.get(_whole(query), now)
        if whole is not None:
            return whole
        parts = [self._known.get(part, now) for part in query.wanted]
        if Rarity.RARE in parts:
            return Rarity.RARE
        return Rarity.COMMON if parts == [Rarity.COMMON] and not query.unwanted else Rarity.UNKNOWN

    def _put(self, query: Query, rarity: Rarity, now: float) -> None:
        self._known.put(_whole(query), rarity, now)
        if len(query.wanted) == 1 and not query.unwanted:
            self._known.put(query.wanted[0], rarity, now)


def _whole(query: Query) -> _Whole:
    return query.wanted, query.unwanted
