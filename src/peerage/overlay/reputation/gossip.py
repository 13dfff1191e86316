"""Which votes are passed on, when and to whom: news goes to the neighbours in small batches, at a bounded rate.

Invariant: a vote is passed on once, never back to whom it came from, and never farther than the rules allow; when more
comes in than may go out, what came from near by goes first. Without news nothing is sent and nothing waits. Pure: time
is an argument (seconds).
"""

from __future__ import annotations

from heapq import heappop, heappush, nsmallest
from typing import NamedTuple

from peerage.identity.keys import PeerId
from peerage.overlay.reputation.rules import ReputationRules
from peerage.overlay.reputation.vote import Vote


class News(NamedTuple):
    """A vote that waits to be passed on; sorts by how far it came, then by its age here."""

    hops: int  # links that it will have travelled at the next peer
    number: int
    vote: Vote
    source: PeerId | None  # the neighbour that told it


class Batch(NamedTuple):
    """What one neighbour gets."""

    hops: int
    votes: tuple[Vote, ...]


class Gossip:
    """The votes that wait to be passed on."""

    __slots__ = ("_number", "_rules", "_sent", "_waiting")

    def __init__(self, rules: ReputationRules) -> None:
        self._rules = rules
        self._waiting: list[News] = []  # a heap
        self._number = 0
        self._sent: float | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, vote: Vote, travelled: int, source: PeerId | None) -> None:
        """Take a vote that was not known here and has come over so many links; 0: this node's own."""
        if travelled >= self._rules.hops:
            return
        self._number += 1
        heappush(self._waiting, News(travelled + 1, self._number, vote, source))
        if len(self._waiting) > self._rules.waiting:
            self._waiting = nsmallest(self._rules.waiting * 9 // 10, self._waiting)  # sorted, so still a heap

    def pause(self, now: float) -> float:
        """Return the seconds until the next batch may go out."""
        return 0.0 if self._sent is None else max(0.0, self._sent + self._rules.interval - now)

    def take(self, now: float) -> list[News]:
        """Return what goes out now, at most one batch; what is returned waits no more."""
        self._sent = now
        return [heappop(self._waiting) for _ in range(min(self._rules.sent, len(self._waiting)))]


def batches_for(news: list[News], neighbour: PeerId) -> list[Batch]:
    """Return what of the news one neighbour gets, by how far it came: nothing that it told, or cast, itself."""
    by_hops: dict[int, list[Vote]] = {}
    for each in news:
        if neighbour not in (each.source, each.vote.peer_id):
            by_hops.setdefault(each.hops, []).append(each.vote)
    return [Batch(hops, tuple(votes)) for hops, votes in by_hops.items()]
