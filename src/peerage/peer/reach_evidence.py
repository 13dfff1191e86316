"""What is known of whether strangers can dial this node, and what follows from it.

Invariant: "yes" needs links that came in from outside, from two subnets wherever two can be asked; "no" needs as many
refusals and no such link. What is old counts no more. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from peerage.limits import MAX_EVIDENCE, REACH_CURRENT

_ENOUGH = 2  # subnets that agree: one peer may lie, or be a neighbour in the same building


class Evidence:
    """What was seen from each subnet ("" is the local network), the latest of each kind."""

    def __init__(self) -> None:
        self._came: dict[str, float] = {}
        self._failed: dict[str, float] = {}

    def came_in(self, subnet: str, now: float) -> None:
        """A peer there has made a link to this node."""
        _note(self._came, subnet, now)
        self._failed.pop(subnet, None)

    def failed(self, subnet: str, now: float) -> None:
        """A peer there says that it cannot."""
        _note(self._failed, subnet, now)

    def forget(self) -> None:
        """This node's addresses have changed: nothing is known any more."""
        self._came.clear()
        self._failed.clear()

    def verdict(self, subnets: Iterable[str], now: float) -> bool | None:
        """Return whether strangers can dial this node, None when that is open; `subnets` are those of its neighbours.

        While there is a neighbour outside, the word of the local network counts for nothing.
        """
        around = set(subnets)
        outside = {each for each in around if each}
        counted = [self._fresh(self._came, now), self._fresh(self._failed, now)]
        if outside or any(each for kind in counted for each in kind):
            came, failed = ({each for each in kind if each} for kind in counted)
            enough = _ENOUGH if len(outside | came | failed) >= _ENOUGH else 1
        else:
            came, failed = counted
            enough = 1
        if len(came) >= enough:
            return True
        return False if len(failed) >= enough and not came else None

    def unasked(self, subnets: Iterable[str], now: float) -> set[str]:
        """Return of these subnets those from which nothing is known."""
        return set(subnets) - self._fresh(self._came, now) - self._fresh(self._failed, now)

    def _fresh(self, kind: dict[str, float], now: float) -> set[str]:
        return {subnet for subnet, at in kind.items() if now - at < REACH_CURRENT}


def _note(kind: dict[str, float], subnet: str, now: float) -> None:
    kind.pop(subnet, None)
    if len(kind) >= MAX_EVIDENCE:
        del kind[next(iter(kind))]
    kind[subnet] = now
