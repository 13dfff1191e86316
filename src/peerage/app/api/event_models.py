"""What the stream of events carries; what holds for `models.py` holds here, too.

A client begins with `began`, reads the lists it shows, and applies what comes. After `reload` it reads them again.
"""

from __future__ import annotations

from typing import Literal, get_args

from peerage.app.api.models import Answer, PeerEntry, Share, StreamProblem, TransferEvent, TransferGone
from peerage.app.api.wish_models import WishChanged

Kind = Literal["transfers", "peers", "shares", "searches", "wishes", "notices", "statistics"]
KINDS: frozenset[Kind] = frozenset(get_args(Kind))


class EventsBegan(Answer, frozen=True, tag="began", tag_field="event"):
    """Changes from now on will come: read the lists now."""


class EventsReload(Answer, frozen=True, tag="reload", tag_field="event"):
    """Changes were missed, by a reader that was away or slow: read the lists again."""


class PeerEvent(Answer, frozen=True, tag="peer", tag_field="event"):
    """A peer that came, left, was befriended, banned or named, or whose speed, distance or role is another now."""

    peer: PeerEntry


class ShareChanged(Answer, frozen=True, tag="share", tag_field="event"):
    """A share that is new or has changed."""

    share: Share


class ShareGone(Answer, frozen=True, tag="share-gone", tag_field="event"):
    """A path that is no longer shared."""

    path: str


class SearchState(Answer, frozen=True, tag="search", tag_field="event"):
    """A search that began, found more, or ended; the hits go to whoever searches."""

    id: int
    text: str
    hits: int
    running: bool


class WishLeft(Answer, frozen=True, tag="wish-gone", tag_field="event"):
    """A saved search that is no longer listed."""

    id: int


class NoticesChanged(Answer, frozen=True, tag="notices", tag_field="event"):
    """What the owner of this node should read now, all of it."""

    notices: list[str]


class StatisticsEvent(Answer, frozen=True, tag="statistics", tag_field="event"):
    """Every second, as long as somebody listens: speeds, and bytes of content since the start."""

    time: float
    rate_down: float
    rate_up: float
    down: int
    up: int
    peers: int
    transfers: int  # that have not ended
    uploads: int  # peers that wait for pieces from here


NodeEvent = (
    EventsBegan
    | EventsReload
    | TransferEvent
    | TransferGone
    | PeerEvent
    | ShareChanged
    | ShareGone
    | SearchState
    | WishChanged
    | WishLeft
    | NoticesChanged
    | StatisticsEvent
    | StreamProblem
)
