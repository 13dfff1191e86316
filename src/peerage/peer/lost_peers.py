"""Neighbours that vanished and may come back: what heals a network that was cut in two.

Invariant: a bounded number of them; each is looked for more and more seldom, and in the end no more. Pure.
"""

from __future__ import annotations

import random

from peerage.identity.keys import PeerId
from peerage.limits import LOST_KEPT, LOST_PAUSE, LOST_PAUSE_MAX, LOST_TRIES
from peerage.peer.messages import Contact


class _Lost:
    """One of them."""

    __slots__ = ("at", "contact", "tries")

    def __init__(self, contact: Contact, at: float) -> None:
        self.contact = contact
        self.at = at
        self.tries = 0


class LostPeers:
    """Lost neighbours by id, and when to look for each again."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._lost: dict[PeerId, _Lost] = {}

    def __len__(self) -> int:
        return len(self._lost)

    def add(self, contact: Contact, now: float) -> None:
        """Begin to look for a peer; the one lost longest ago gives way."""
        if not contact.addresses:
            return
        self._lost.pop(contact.peer_id, None)
        if len(self._lost) >= LOST_KEPT:
            del self._lost[next(iter(self._lost))]
        self._lost[contact.peer_id] = _Lost(contact, now + LOST_PAUSE * self._rng.uniform(0.5, 1.5))

    def forget(self, peer_id: PeerId) -> None:
        """Look no more: it has been found."""
        self._lost.pop(peer_id, None)

    def failed(self, peer_id: PeerId, now: float) -> None:
        """It was not there; harmless if nobody looks for it."""
        lost = self._lost.get(peer_id)
        if lost is None:
            return
        lost.tries += 1
        if lost.tries >= LOST_TRIES:
            del self._lost[peer_id]
        else:
            pause = min(LOST_PAUSE * 2**lost.tries, LOST_PAUSE_MAX)
            lost.at = now + pause * self._rng.uniform(0.5, 1.5)

    def due(self, now: float) -> Contact | None:
        """Return the one whose turn is the longest past, if any is due."""
        first = min(self._lost.values(), key=_at, default=None)
        return first.contact if first is not None and first.at <= now else None


def _at(lost: _Lost) -> float:
    return lost.at
