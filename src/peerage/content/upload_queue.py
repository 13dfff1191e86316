"""Who is served next: a bounded number of upload slots and a fair queue for them. Pure.

Invariant: at most `slots` peers are served at once (when they become fewer, those too many end with their next piece);
a turn ends when the peer asks for nothing more, or when it has used its share, in bytes or in time, while others wait;
then the one that has waited longest comes next. How much a peer may ask for is bounded by whoever calls `ask`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from peerage.errors import LimitError
from peerage.limits import MAX_UPLOAD_PEERS, UPLOAD_TURN, UPLOAD_TURN_SECONDS

PeerT = TypeVar("PeerT")
ItemT = TypeVar("ItemT")


class _Turn:
    """What a peer with a slot has had so far."""

    __slots__ = ("began", "spent")

    def __init__(self, began: float) -> None:
        self.began = began
        self.spent = 0


class UploadQueue(Generic[PeerT, ItemT]):
    """Requests by peer; `PeerT` is hashable, `ItemT` is whatever describes one request. Times are seconds."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._asked: dict[PeerT, deque[ItemT]] = {}  # in the order in which the peers came
        self._served: dict[PeerT, _Turn] = {}  # all of them are in `_asked` too

    def ask(self, peer: PeerT, item: ItemT) -> None:
        """Note a request; raises LimitError when too many peers wait already."""
        items = self._asked.get(peer)
        if items is None:
            if len(self._asked) >= MAX_UPLOAD_PEERS:
                raise LimitError("MAX_UPLOAD_PEERS", "ours", f"{MAX_UPLOAD_PEERS} peers wait for uploads already")
            items = self._asked[peer] = deque()
        items.append(item)

    def admit(self, now: float) -> list[PeerT]:
        """Give free slots to those that have waited longest; returns who got one."""
        free = self.slots - len(self._served)
        waiting = (peer for peer in self._asked if peer not in self._served)
        lucky = [peer for _, peer in zip(range(free), waiting, strict=False)]
        for peer in lucky:
            self._served[peer] = _Turn(now)
        return lucky

    def take(self, peer: PeerT, now: float) -> ItemT | None:
        """Return the next request of a peer with a slot; None when it asks for nothing, or has had its turn."""
        items = self._asked.get(peer)
        return items.popleft() if items and not self.is_over(peer, now) else None

    def is_over(self, peer: PeerT, now: float) -> bool:
        """Say whether a peer has no slot, or has had it long enough."""
        turn = self._served.get(peer)
        if turn is None or len(self._served) > self.slots:
            return True
        used = turn.spent >= UPLOAD_TURN or now - turn.began >= UPLOAD_TURN_SECONDS
        return used and len(self._asked) > len(self._served)

    def end_turn(self, peer: PeerT) -> bool:
        """Free the slot; a peer that still waits for something goes to the end of the line, and is told by True."""
        if self._served.pop(peer, None) is None:
            return False
        items = self._asked.pop(peer)
        if items:
            self._asked[peer] = items
        return bool(items)

    def spent(self, peer: PeerT, count: int) -> None:
        """Count bytes of a peer's turn."""
        turn = self._served.get(peer)
        if turn is not None:
            turn.spent += count

    def ahead_of(self, peer: PeerT) -> int:
        """Return how many others come before a waiting peer."""
        waiting = [each for each in self._asked if each not in self._served]
        return waiting.index(peer) if peer in waiting else 0

    def is_served(self, peer: PeerT) -> bool:
        """Say whether a peer has a slot."""
        return peer in self._served

    def withdraw(self, peer: PeerT, unwanted: Callable[[ItemT], bool]) -> list[ItemT]:
        """Take back requests of a peer, and return them; who waits for nothing any more leaves the line."""
        items = self._asked.get(peer, deque())
        gone = [item for item in items if unwanted(item)]
        if gone:
            rest = [item for item in items if not unwanted(item)]
            items.clear()
            items.extend(rest)
            if not rest and peer not in self._served:
                del self._asked[peer]
        return gone

    def peers(self) -> list[PeerT]:
        """Return who is served or waits."""
        return list(self._asked)

    def asked_by(self, peer: PeerT) -> list[ItemT]:
        """Return what a peer still waits for."""
        return list(self._asked.get(peer, ()))

    def __len__(self) -> int:
        return len(self._asked)
