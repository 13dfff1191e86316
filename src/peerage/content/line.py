"""The line in which unfinished downloads stand: who is begun before whom.

Invariant: each stands at a place, a whole number, and no two at the same; whoever moves changes his own number, and
that of one other at the most, but for the rare case that there is no number left between two. Whoever is more urgent
(a higher level) joins before those who are less so, and can be moved behind them all the same. Who runs is decided
elsewhere.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Final, Literal

from peerage.errors import LocalError

Where = Literal["top", "up", "down", "bottom"]

GAP: Final = 2**20
"""Between two neighbours at first; with 20,000 downloads places stay far below 2**53, which JavaScript can count."""
_STEP: Final = 2**6  # behind the one before, where somebody stands behind already


class Line:
    """Downloads by their place."""

    def __init__(self) -> None:
        self._order: list[tuple[int, bytes]] = []
        self._places: dict[bytes, int] = {}
        self._levels: dict[bytes, int] = {}

    def __iter__(self) -> Iterator[bytes]:
        return (content for _, content in self._order)

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, content: object) -> bool:
        return content in self._places

    def place_of(self, content: bytes) -> int:
        """Return where somebody stands."""
        return self._places[content]

    def put(self, content: bytes, place: int, level: int) -> int:
        """Let somebody stand where he stood before, or behind whoever took that place; returns the place."""
        self.remove(content)
        at = bisect_left(self._order, (place, b""))
        while at < len(self._order) and self._order[at][0] == place:
            place, at = place + 1, at + 1
        self._stand(content, place, level)
        return place

    def join(self, content: bytes, level: int) -> list[bytes]:
        """Let somebody stand behind all who are at least as urgent; returns whose place has changed."""
        self.remove(content)
        at = len(self._order)
        while at and self._levels[self._order[at - 1][1]] < level:
            at -= 1
        changed: list[bytes] = []
        if 0 < at < len(self._order) and self._order[at][0] - self._order[at - 1][0] < 2:
            changed = self._spread()
        self._stand(content, self._between(at), level)
        return [*changed, content]

    def move(self, content: bytes, where: Where) -> list[bytes]:
        """Let somebody stand elsewhere; returns whose place has changed. Raises LocalError for one who is not in it."""
        if content not in self._places:
            raise LocalError("it is not waiting and not running, so it has no place in the queue")
        at = bisect_left(self._order, (self._places[content], content))
        if where in {"up", "down"}:
            other = at - 1 if where == "up" else at + 1
            return self._swap(at, other) if 0 <= other < len(self._order) else []
        if at == (0 if where == "top" else len(self._order) - 1):
            return []
        level = self._levels[content]
        self.remove(content)
        self._stand(content, self._between(0 if where == "top" else len(self._order)), level)
        return [content]

    def remove(self, content: bytes) -> None:
        """Let somebody leave, if he is there."""
        place = self._places.pop(content, None)
        if place is not None:
            del self._levels[content]
            del self._order[bisect_left(self._order, (place, content))]

    # --- inside -------------------------------------------------------------------------------------------------

    def _stand(self, content: bytes, place: int, level: int) -> None:
        self._places[content], self._levels[content] = place, level
        insort(self._order, (place, content))

    def _between(self, at: int) -> int:
        """Return a free place before the one who stands there now."""
        if not self._order:
            return 0
        if at == 0:
            return self._order[0][0] - GAP
        before = self._order[at - 1][0]
        if at == len(self._order):
            return before + GAP
        return before + max(1, min(_STEP, (self._order[at][0] - before) // 2))

    def _swap(self, one: int, other: int) -> list[bytes]:
        (place, content), (other_place, other_content) = self._order[one], self._order[other]
        self._order[one], self._order[other] = (place, other_content), (other_place, content)
        self._places[content], self._places[other_content] = other_place, place
        return [content, other_content]

    def _spread(self) -> list[bytes]:
        """Give everybody room again."""
        self._order = [(GAP * number, content) for number, (_, content) in enumerate(self._order)]
        self._places = {content: place for place, content in self._order}
        return list(self)
