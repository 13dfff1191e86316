"""How much goes over the links to each peer, how far away it is, since when; which change is worth telling. Pure.

Invariant: it remembers connected peers and their open links only, which are bounded. Bytes are counted for each link by
itself, so a link that ends takes nothing back; what it carried in its last moment is not seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from peerage.app.api.models import PeerEntry
from peerage.identity.keys import PeerId

_SMOOTHING: Final = 0.6  # of a measurement in the shown rate: two looks after a change it shows the new one
_LEAST_RATE: Final = 1.0  # bytes a second; less is nothing
_RATE_SHARE: Final = 0.1  # of a rate: a change by less is not seen in a picture
_RATE_LEAST: Final = 256.0  # bytes a second by which it must change
_LATENCY_SHARE: Final = 0.2
_LATENCY_LEAST: Final = 0.002  # seconds


class Traffic(NamedTuple):
    """What one link has carried since it is open, in bytes; `link` tells it from all others."""

    link: int
    peer_id: PeerId
    received: int
    sent: int


class Measure(msgspec.Struct, frozen=True):
    """One connected peer: bytes a second, seconds of the last ping, and the time of day at which it came."""

    rate_down: float = 0.0
    rate_up: float = 0.0
    latency: float | None = None
    since: float | None = None


NOTHING: Final = Measure()


class LinkMeasures:
    """The measures of all connected peers; `now` is of a clock that nobody sets."""

    def __init__(self) -> None:
        self._peers: dict[PeerId, Measure] = {}
        self._links: dict[int, Traffic] = {}
        self._then: float | None = None

    def came(self, peer_id: PeerId, time: float) -> None:
        """A peer is connected now, at this time of day."""
        self._peers.setdefault(peer_id, Measure(since=time))

    def left(self, peer_id: PeerId) -> None:
        """It is not connected any more."""
        self._peers.pop(peer_id, None)

    def pinged(self, peer_id: PeerId, latency: float | None) -> None:
        """A connected peer has answered after so many seconds, or has not."""
        if (known := self._peers.get(peer_id)) is not None:
            self._peers[peer_id] = msgspec.structs.replace(known, latency=latency)

    def of(self, peer_id: PeerId) -> Measure:
        """Return what is known of a peer."""
        return self._peers.get(peer_id, NOTHING)

    def sample(self, now: float, links: Iterable[Traffic]) -> None:
        """Look at all open links again."""
        before, self._links = self._links, {each.link: each for each in links}
        then, self._then = self._then, now
        if then is None or now <= then:
            return
        moved: dict[PeerId, tuple[int, int]] = {}
        for link in self._links.values():
            old = before.get(link.link)
            down, up = moved.get(link.peer_id, (0, 0))
            received, sent = (old.received, old.sent) if old is not None else (0, 0)
            moved[link.peer_id] = (down + link.received - received, up + max(0, link.sent - sent))
        for peer_id, known in self._peers.items():
            down, up = moved.get(peer_id, (0, 0))
            self._peers[peer_id] = msgspec.structs.replace(
                known,
                rate_down=_smoothed(known.rate_down, down / (now - then)),
                rate_up=_smoothed(known.rate_up, up / (now - then)),
            )


def worth_telling(before: PeerEntry | None, now: PeerEntry) -> bool:
    """Whether somebody who watches a peer would see the difference."""
    if before is None:
        return True
    return (
        before.roles != now.roles
        or before.connected != now.connected
        or _moved(before.rate_down, now.rate_down, _RATE_SHARE, _RATE_LEAST)
        or _moved(before.rate_up, now.rate_up, _RATE_SHARE, _RATE_LEAST)
        or (before.latency is None) != (now.latency is None)
        or _moved(before.latency or 0.0, now.latency or 0.0, _LATENCY_SHARE, _LATENCY_LEAST)
    )


def _smoothed(before: float, fresh: float) -> float:
    rate = before + _SMOOTHING * (fresh - before)
    return rate if rate >= _LEAST_RATE else 0.0


def _moved(before: float, now: float, share: float, least: float) -> bool:
    if (before == 0) != (now == 0):
        return True
    return abs(now - before) > max(least, share * max(before, now))
