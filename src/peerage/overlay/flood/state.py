"""The rules of flooding (Gnutella's, with bounds): which question goes on and how far, which answer goes back.

Invariant: a question is answered once; it goes on once for each copy that may still travel farther than all before, so
that a short-lived copy that was faster hides nothing; over each link at most at a fixed rate, of which those who bring
many leave half to the others; and never farther than our own bound. Answers go only the way back that their question
came, as many as its route has room for.
Pure: no I/O, and time is an argument (seconds, never backwards). What questions ask and whether answers are true is not
known here. A link is named by the peer id at its other end.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final

import msgspec

from peerage import limits
from peerage.errors import LimitError
from peerage.identity.keys import PeerId
from peerage.overlay.dynamic_query import QueryRules
from peerage.overlay.expiring import ExpiringTable
from peerage.peer.limiter import TokenBucket

_ALL: Final = 255  # a ttl above all
_MARGIN: Final = 5.0  # questions that a link may have brought above the mean of those that ask
_IDLE: Final = 0.5  # questions of late, below which a link does not count as one that asks


class FloodRules(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of one node; limits.py has their reasons."""

    max_ttl: int = limits.MAX_SEARCH_TTL
    dynamic: QueryRules | None = QueryRules()  # None: a question goes to all links at once
    table_depth: int = limits.TABLE_DEPTH  # 0: no keyword tables
    table_interval: float = limits.TABLE_INTERVAL
    table_burst: float = limits.TABLE_BURST
    table_delay: float = limits.TABLE_DELAY
    second_copies: bool = True  # whether a copy with a larger ttl goes on once more
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

    @classmethod
    def classic_2001(cls) -> FloodRules:
        """Return Gnutella as it was in 2001: each question to all within seven links, no tables, no second copies."""
        return cls(dynamic=None, table_depth=0, second_copies=False)


class Dropped(StrEnum):
    """Why a message goes no further; what the counters call it."""

    RATE = "rate"  # more than one link may bring
    TTL = "ttl"  # it should not have been sent any more
    DUPLICATE = "duplicate"  # the question came before, by another way
    UNKNOWN = "unknown"  # an answer to a question that is over, or was never asked
    ECHO = "echo"  # an answer from where the question came from
    FAR = "far"  # an answer that has travelled farther than any question does
    ENOUGH = "enough"  # the question has had its share of answers


class Onward(msgspec.Struct, frozen=True):
    """A question may go on with this ttl, 0: not at all; `first`: it is new, so it is answered, too.

    `fair`: its link has brought no more of late than others do.
    """

    ttl: int
    first: bool
    fair: bool


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


class _SparingBucket(TokenBucket):
    """A rate of which half of the burst can be kept for some."""

    def take_spare(self, amount: float, now: float) -> bool:
        """Take tokens only while more than half of the burst is left."""
        self._refill(now)
        return self._tokens - amount >= self.burst / 2 and self.take(amount, now)


class _Fading:
    """A count that forgets: after FAIR_SECONDS, a third of it is left."""

    __slots__ = ("_then", "_value")

    def __init__(self, now: float) -> None:
        self._value = 0.0
        self._then = now

    def value(self, now: float) -> float:
        return self._value * math.exp((self._then - now) / limits.FAIR_SECONDS)

    def note(self, now: float) -> None:
        self._value = self.value(now) + 1
        self._then = now


class _LinkState:
    """What one link may bring and be sent, and what it has brought of late."""

    __slots__ = ("brought", "incoming", "outgoing")

    def __init__(self, rules: FloodRules, now: float) -> None:
        self.incoming = TokenBucket(rules.incoming_rate, rules.incoming_burst, now)
        self.outgoing = _SparingBucket(rules.relayed_rate, rules.relayed_burst, now)
        self.brought = _Fading(now)


class FloodState:
    """What one node remembers of questions, ways back and links."""

    def __init__(self, rules: FloodRules, now: float) -> None:
        self._rules = rules
        self._seen: ExpiringTable[bytes, int] = ExpiringTable(rules.seen, rules.seen_seconds)
        self._routes: ExpiringTable[bytes, _Route] = ExpiringTable(rules.routes, rules.route_seconds)
        self._own: dict[bytes, _Route] = {}  # apart from the others, which therefore cannot push them out
        self._own_bucket = TokenBucket(rules.own_rate, rules.own_burst, now)
        self._links: dict[PeerId, _LinkState] = {}

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
        self._seen.put(question_id, _ALL, now)
        self._own[question_id] = _Route(None, self._rules)
        return self._own_bucket.spend(1, now)

    def end(self, question_id: bytes) -> None:
        """Close it; later answers are dropped."""
        self._own.pop(question_id, None)

    # --- questions of others ----------------------------------------------------------------------------------------

    def take_question(self, question_id: bytes, ttl: int, link: PeerId, now: float) -> Onward | Dropped:
        """Judge a question that came over a link."""
        state = self._link(link, now)
        if not state.incoming.take(1, now):
            return Dropped.RATE
        if not 1 <= ttl <= limits.MAX_SEARCH_TTL:
            return Dropped.TTL
        ttl = min(ttl, self._rules.max_ttl)
        before = self._seen.get(question_id, now)
        if before is not None and (ttl <= before or not self._rules.second_copies):
            return Dropped.DUPLICATE
        self._seen.put(question_id, ttl, now)
        if before is None:
            self._routes.put(question_id, _Route(link, self._rules), now)
        state.brought.note(now)
        return Onward(ttl - 1, before is None, self._is_fair(state, now))

    def may_relay(self, link: PeerId, now: float, *, fair: bool = True) -> bool:
        """Take leave to send one question of somebody else over a link."""
        outgoing = self._link(link, now).outgoing
        return outgoing.take(1, now) if fair else outgoing.take_spare(1, now)

    def _is_fair(self, state: _LinkState, now: float) -> bool:
        mine = state.brought.value(now)
        if mine <= _MARGIN:
            return True
        counts = [each.brought.value(now) for each in self._links.values()]
        busy = [count for count in counts if count > _IDLE]
        return mine <= _MARGIN + sum(busy) / max(1, len(busy))

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
        self._links.pop(link, None)

    def _link(self, link: PeerId, now: float) -> _LinkState:
        state = self._links.get(link)
        if state is None:
            state = self._links[link] = _LinkState(self._rules, now)
        return state
