"""Who is served next: a bounded number of upload slots and a fair queue for them. Pure.

Invariant: at most `slots` peers are served at once; each turn ends when the peer asks for nothing more, or when it has
used its share while others wait; then the one that has waited longest comes next. What a peer may ask ahead is bounded.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from peerage.errors import LimitError
from peerage.limits import MAX_OWED, MAX_UPLOAD_PEERS, UPLOAD_TURN

PeerT = TypeVar("PeerT")
ItemT = TypeVar("ItemT")


class UploadQueue(Generic[PeerT, ItemT]):
    """Requests by peer; `PeerT` is hashable, `ItemT` is whatever describes one request."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._asked: dict[PeerT, deque[ItemT]] = {}  # in the order in which the peers came
        self._served: dict[PeerT, int] = {}  # peers with a slot, and the bytes of their turn so far

    def ask(self, peer: PeerT, item: ItemT) -> None:
        """Note a request; raises LimitError when the peer, or too many peers, ask too far ahead."""
        items = self._asked.get(peer)
        if items is None:
            if len(self._asked) >= MAX_UPLOAD_PEERS:
                raise LimitError("MAX_UPLOAD_PEERS", "ours", f"{MAX_UPLOAD_PEERS} peers wait for uploads already")
            items = self._asked[peer] = deque()
        if len(items) >= 2 * MAX_OWED:
            raise LimitError("MAX_OWED", "ours", f"more than {2 * MAX_OWED} pieces asked for at once")
        items.append(item)

    def admit(self) -> list[PeerT]:
        """Give free slots to those that have waited longest; returns who got one."""
        free = self.slots - len(self._served)
        waiting = (peer for peer in self._asked if peer not in self._served)
        lucky = [peer for _, peer in zip(range(free), waiting, strict=False)]
        for peer in lucky:
            self._served[peer] = 0
        return lucky

    def take(self, peer: PeerT) -> ItemT | None:
        """Return the next request of a peer with a slot; None when it asks for nothing, or has had its turn."""
        items = self._asked.get(peer)
        spent = self._served.get(peer)
        if spent is None or not items or (spent >= UPLOAD_TURN and len(self._asked) > len(self._served)):
            return None
        return items.popleft()

    def end_turn(self, peer: PeerT) -> None:
        """Free the slot; a peer that still waits for something goes to the end of the line."""
        self._served.pop(peer, None)
        items = self._asked.pop(peer, None)
        if items:
            self._asked[peer] = items

    def spent(self, peer: PeerT, count: int) -> None:
        """Count bytes of a peer's turn."""
        if peer in self._served:
            self._served[peer] += count

    def ahead_of(self, peer: PeerT) -> int:
        """Return how many others come before a waiting peer."""
        waiting = [each for each in self._asked if each not in self._served]
        return waiting.index(peer) if peer in waiting else 0

    def is_served(self, peer: PeerT) -> bool:
        """Say whether a peer has a slot."""
        return peer in self._served

    def replace(self, peer: PeerT, items: deque[ItemT]) -> None:
        """Let a peer wait for these only, in the place that it has."""
        if peer in self._asked:
            self._asked[peer] = items

    def remove(self, peer: PeerT) -> list[ItemT]:
        """Forget a peer that has gone; returns what it had asked for."""
        self._served.pop(peer, None)
        return list(self._asked.pop(peer, ()))

    def asked_by(self, peer: PeerT) -> list[ItemT]:
        """Return what a peer still waits for."""
        return list(self._asked.get(peer, ()))

    def __len__(self) -> int:
        return len(self._asked)
