"""The ways back of walks that pass a node: from whom each came.

Invariant: a bounded number, the oldest gives way; a number that is known already is not taken again, so a walk that
meets itself ends. Pure.
"""

from __future__ import annotations

from peerage.identity.keys import PeerId
from peerage.limits import MAX_TELLING


class WaysBack:
    """Peers by the number of a walk; None for one of our own."""

    __slots__ = ("_ways",)

    def __init__(self) -> None:
        self._ways: dict[int, PeerId | None] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._ways

    def put(self, number: int, came_from: PeerId | None) -> bool:
        """Remember a walk; False when one of that number is under way here."""
        if number in self._ways:
            return False
        if len(self._ways) >= MAX_TELLING:
            del self._ways[next(iter(self._ways))]
        self._ways[number] = came_from
        return True

    def take(self, number: int) -> PeerId | None:
        """Return and forget the way back of a walk that is known."""
        return self._ways.pop(number)
