"""Searches on the wire of 2007, which have no ids: which of them are carried out, and which answers are believed.

Invariant: a search is carried out once in CLASSIC_SEEN_SECONDS however often and from wherever it comes, with a ttl of
CLASSIC_TTL at the most, and no more of them than the rate allows; an answer is taken only while a question of this node
is open that it answers, within bounds in all and for each host. Both tables are bounded. Pure: the time is an argument.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable

import msgspec

from peerage.identity.address import Address
from peerage.limits import (
    CLASSIC_HITS_PER_HOST,
    CLASSIC_KEY_CHARS,
    CLASSIC_QUERY_BURST,
    CLASSIC_QUERY_RATE,
    CLASSIC_QUESTION_HITS,
    CLASSIC_RELAY_BURST,
    CLASSIC_RELAY_RATE,
    CLASSIC_SEEN_QUERIES,
    CLASSIC_SEEN_SECONDS,
    CLASSIC_TTL,
    MAX_OWN_SEARCHES,
)
from peerage.peer.limiter import TokenBucket
from peerage.wire.classic import QueryRequest


class SeenQueries:
    """Decides about searches of others."""

    def __init__(self, now: float) -> None:
        self._seen: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._own = TokenBucket(CLASSIC_QUERY_RATE, CLASSIC_QUERY_BURST, now)
        self._for_others = TokenBucket(CLASSIC_RELAY_RATE, CLASSIC_RELAY_BURST, now)

    def ttl_of(self, query: QueryRequest, now: float, *, for_itself: bool) -> int | None:
        """Return how much further a search may go from here, 0 for no further; None when it is not carried out.

        `for_itself`: who sends it is who will get the answers.
        """
        if query.ttl is None or max(len(query.return_id), len(query.key)) > CLASSIC_KEY_CHARS:
            return None
        rate = self._own if for_itself else self._for_others
        if not self._is_new((query.return_id, query.key), now) or not rate.take(1, now):
            return None
        return max(0, min(query.ttl, CLASSIC_TTL))

    def _is_new(self, query: tuple[str, str], now: float) -> bool:
        while self._seen and next(iter(self._seen.values())) <= now - CLASSIC_SEEN_SECONDS:
            self._seen.popitem(last=False)
        if query in self._seen:
            return False
        if len(self._seen) >= CLASSIC_SEEN_QUERIES:
            self._seen.popitem(last=False)
        self._seen[query] = now
        return True


class OldHit(msgspec.Struct, frozen=True):
    """A file that an old peer is said to have; nothing of it is proved. `wire_name` is what to ask it for."""

    wire_name: str
    holder: Address


class Question:
    """A search of this node that waits for answers; `take` gets each new one."""

    def __init__(self, keys: tuple[str, ...], take: Callable[[OldHit], None]) -> None:
        self._keys = tuple(key.casefold() for key in keys)
        self._take = take
        self._hits: set[OldHit] = set()
        self._by_host: Counter[str] = Counter()

    def offer(self, hit: OldHit, teller: str) -> bool:
        """Take an answer that fits; `teller` is the host it comes from."""
        folded = hit.wire_name.casefold()
        if not any(key in folded for key in self._keys) or hit in self._hits:
            return False
        if len(self._hits) >= CLASSIC_QUESTION_HITS or self._by_host[teller] >= CLASSIC_HITS_PER_HOST:
            return False
        self._hits.add(hit)
        self._by_host[teller] += 1
        self._take(hit)
        return True


class OpenQuestions:
    """The searches of this node that are under way."""

    def __init__(self) -> None:
        self._open: dict[int, Question] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._open)

    @property
    def full(self) -> bool:
        """Whether no further search may begin."""
        return len(self._open) >= MAX_OWN_SEARCHES

    def begin(self, question: Question) -> int:
        """Open a question and return its number."""
        self._next += 1
        self._open[self._next] = question
        return self._next

    def end(self, number: int) -> None:
        """Take no more answers to it."""
        self._open.pop(number, None)

    def offer(self, hit: OldHit, teller: str) -> bool:
        """Give an answer to every question that it fits; False when nobody asked."""
        taken = [question.offer(hit, teller) for question in list(self._open.values())]
        return any(taken)
