"""The rules of flooding (Gnutella's, with bounds): which question goes on and how far, which answer goes back.

Invariant: a question goes on at most once, over each link at most at a fixed rate, and never farther than our own bound
whatever ttl it came with; answers go only the way back that their question came, as many as its route has room for.
Pure: no I/O, and time is an argument (seconds, never backwards). What questions ask and whether answers are true is not
known here. A link is named by the peer id at its other end.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from peerage import limits
from peerage.errors import LimitError
from peerage.identity.keys import PeerId
from peerage.overlay.expiring import ExpiringTable
from peerage.peer.limiter import TokenBucket


class FloodRules(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of one node; limits.py has their reasons."""

    max_ttl: int = limits.MAX_SEARCH_TTL
    incoming_rate: float = limits.LINK_QUESTIONS_RATE
    incoming_burst: float = limits.LINK_QUESTIONS_BURST
    relayed_rate: float = limits.RELAYED_RATE
    relayed_burst: float = limits.RELAYED_BURST
    own_rate: float = limits.OWN_QUESTIONS_RATE
    own_burst: float = limits.OWN_QUESTIONS_BURST
    own_searches: int = limits.MAX_OWN_SEARCHES
    seen: int = limits.SEEN_QUESTIONS
    seen_seconds: float = limits.SEEN_SECONDS
    routes: int = limits.ROUTES
    route_seconds: float = limits.MAX_SEARCH_SECONDS
    answer_hits: int = limits.ANSWER_HITS
    question_hits: int = limits.QUESTION_HITS
    question_hits_per_link: int = limits.QUESTION_HITS_PER_LINK
    question_bytes: int = limits.QUESTION_BYTES


class Dropped(StrEnum):
    """Why a message goes no further; what the counters call it."""

    RATE = "rate"  # more than one link may bring
    TTL = "ttl"  # it should not have been sent any more
    DUPLICATE = "duplicate"  # the question came before, by another way
    UNKNOWN = "unknown"  # an answer to a question that is over, or was never asked
    ECHO = "echo"  # an answer from where the question came from
    FAR = "far"  # an answer that has travelled farther than any question does
    ENOUGH = "enough"  # the question has had its share of answers


class Passage(msgspec.Struct, frozen=True):
    """An answer may pass: back over a link, None when this node asked, with so many of its hits."""

    back: PeerId | None
    hits: int


class AnswerSize(msgspec.Struct, frozen=True):
    """How large an answer is, and how many links it has come over before this one."""

    hops: int
    hits: int
    bytes: int


class _Route:
    """The way back of one question, and how much may still go it."""

    __slots__ = ("back", "by_link", "bytes_left", "hits_left")

    def __init__(self, back: PeerId | None, rules: FloodRules) -> None:
        self.back = back
        self.hits_left = rules.question_hits
        self.bytes_left = rules.question_bytes
        self.by_link: dict[PeerId, int] = {}


class FloodState:
    """What one node remembers of questions, ways back and links."""

    def __init__(self, rules: FloodRules, now: float) -> None:
        self._rules = rules
        self._seen: ExpiringTable[bytes, bool] = ExpiringTable(rules.seen, rules.seen_seconds)
        self._routes: ExpiringTable[bytes, _Route] = ExpiringTable(rules.routes, rules.route_seconds)
        self._own: dict[bytes, _Route] = {}  # apart from the others, which therefore cannot push them out
        self._own_bucket = TokenBucket(rules.own_rate, rules.own_burst, now)
        self._incoming: dict[PeerId, TokenBucket] = {}
        self._outgoing: dict[PeerId, TokenBucket] = {}

    # --- questions of this node -----------------------------------------------------------------------------------

    def begin(self, question_id: bytes, patience: float, now: float) -> float:
        """Open a question of our own; return the seconds to wait before it is sent, so that no neighbour drops it.

        Raises LimitError when too many are open, or when its turn would come only after `patience` seconds.
        """
        if len(self._own) >= self._rules.own_searches:
            raise LimitError(
                "MAX_OWN_SEARCHES", "ours", f"{self._rules.own_searches} searches are under way; wait until one ends"
            )
        if self._own_bucket.spend(0, now) >= patience:
            raise LimitError("OWN_QUESTIONS_RATE", "ours", "too many searches were started just now; wait a moment")
        self._seen.put(question_id, True, now)
        self._own[question_id] = _Route(None, self._rules)
        return self._own_bucket.spend(1, now)

    def end(self, question_id: bytes) -> None:
        """Close it; later answers are dropped."""
        self._own.pop(question_id, None)

    # --- questions of others ----------------------------------------------------------------------------------------

    def take_question(self, question_id: bytes, ttl: int, link: PeerId, now: float) -> int | Dropped:
        """Judge a question that came over a link: return the ttl to send it on with, 0 to only answer it."""
        if not self._bucket(self._incoming, link, now).take(1, now):
            return Dropped.RATE
        if ttl < 1:
            return Dropped.TTL
        if self._seen.get(question_id, now):
            return Dropped.DUPLICATE
        self._seen.put(question_id, True, now)
        self._routes.put(question_id, _Route(link, self._rules), now)
        return min(ttl, self._rules.max_ttl) - 1

    def may_relay(self, link: PeerId, now: float) -> bool:
        """Take leave to send one question of somebody else over a link."""
        return self._bucket(self._outgoing, link, now).take(1, now)

    def hits_to_give(self, question_id: bytes, wanted: int, now: float) -> int:
        """Return how many hits of our own a question may have; 0 when its way back is forgotten."""
        route = self._routes.get(question_id, now)
        return 0 if route is None else min(wanted, self._rules.answer_hits, route.hits_left)

    # --- answers of others ----------------------------------------------------------------------------------------

    def take_answer(self, question_id: bytes, link: PeerId, size: AnswerSize, now: float) -> Passage | Dropped:
        """Judge an answer that came over a link; what may pass is taken off the room of its route."""
        route = self._own.get(question_id) or self._routes.get(question_id, now)
        if route is None:
            return Dropped.UNKNOWN
        if link == route.back:
            return Dropped.ECHO
        if size.hops >= self._rules.max_ttl:
            return Dropped.FAR
        used = route.by_link.get(link, 0)
        hits = min(size.hits, route.hits_left, self._rules.question_hits_per_link - used)
        if hits < 1 or size.bytes > route.bytes_left:
            return Dropped.ENOUGH
        route.by_link[link] = used + hits
        route.hits_left -= hits
        route.bytes_left -= size.bytes
        return Passage(route.back, hits)

    def forget_link(self, link: PeerId) -> None:
        """A link has ended."""
        self._incoming.pop(link, None)
        self._outgoing.pop(link, None)

    def _bucket(self, buckets: dict[PeerId, TokenBucket], link: PeerId, now: float) -> TokenBucket:
        bucket = buckets.get(link)
        if bucket is None:
            incoming = buckets is self._incoming
            rules = self._rules
            rate = rules.incoming_rate if incoming else rules.relayed_rate
            burst = rules.incoming_burst if incoming else rules.relayed_burst
            bucket = buckets[link] = TokenBucket(rate, burst, now)
        return bucket
