"""Connects the features of a node to its stream of changes.

Invariant: here, and nowhere else, it is said what of a node can be followed; a feature knows only that it is watched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerage.app.api.event_models import StatisticsEvent
from peerage.app.feeds import Feeds, Looks

if TYPE_CHECKING:
    from peerage.app.node import Node


async def mount_feeds(node: Node) -> Feeds:
    """Make the feeds of a node whose features are all there, and mount them."""
    feeds = Feeds(
        node.events,
        Looks(
            node.fetching.look,
            node.neighbours.look,
            node.sharing.shares,
            node.wishes.all,
            node.all_notices,
            lambda now: statistics_of(node, now),
        ),
    )
    await node.peer.mount(feeds)
    node.transfers.watchers.append(feeds.transfer)
    node.classic.downloads.watchers.append(feeds.transfer)
    node.neighbours.watchers.append(feeds.peer_changed)
    node.links.watchers.append(feeds.peer_changed)
    node.sharing.watchers.append(feeds.shares_changed)
    node.wishes.watchers.append(feeds.wishes_changed)
    return feeds


def statistics_of(node: Node, now: float) -> StatisticsEvent:
    """Return how much goes up and down; `now` is the time of day."""
    return StatisticsEvent(
        time=now,
        rate_down=node.traffic.down.rate,
        rate_up=node.traffic.up.rate,
        down=node.transfers.rate.total,
        up=node.exchange.rate.total,
        peers=len(node.peer.neighbours()),
        transfers=node.fetching.unfinished,
        uploads=node.exchange.waiting,
    )
