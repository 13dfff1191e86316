"""Dynamic querying: ask few, see how common the thing is, and widen only as far as that takes.

A question first goes where keyword tables say that there may be an answer, or, when they say nothing, to all links just
beyond what they cover, which costs one message each. Answers divided by the hosts reached so far tell how common the
thing is; from that follows how many hosts are still needed, and so the smallest ttl and the fewest links that should
do. What nobody had so far is looked for one link farther, all round; where it is known how many hosts there are, only
over so many links as it takes to reach nearly all of them.

Invariant: no link is asked twice with the same or a smaller ttl, none beyond `max_ttl`, and once enough was found or
so many hosts were reached as the rules allow, or as there are, nobody is asked any more. When answers arrive, and how
questions travel, is not known here. Pure: time is an argument.

Source: A. Fisk, Gnutella Dynamic Query Protocol 0.1 (2003). Other than there, one question id serves all steps (who
has answered does not answer again), and a step asks several links at once when one cannot reach the hosts needed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import msgspec

from peerage.identity.keys import PeerId
from peerage.limits import (
    DYNAMIC_HOP_LEAST,
    DYNAMIC_HOP_MOST,
    DYNAMIC_HOP_SECONDS,
    DYNAMIC_HORIZON,
    DYNAMIC_PROBES,
    DYNAMIC_SPARED,
    MAX_LINK_DEGREE,
)

_OVERLAP = 0.8  # of the hosts that a tree of that depth would have: ways meet, and hosts are reached twice
_PATIENCE = 1.5  # times the slowest answer so far, for those that take longer
_SHARE = 0.25  # of the time left, for one step at the most
_SMOOTHING = 0.3  # weight of one more answer
_BOUNDLESS = 10**9  # hosts, where nobody knows how many there are


class QueryRules(msgspec.Struct, frozen=True, kw_only=True):
    """How a question widens; seconds are for one hop there and back."""

    probes: int = DYNAMIC_PROBES
    horizon: int = DYNAMIC_HORIZON
    spared: float = DYNAMIC_SPARED
    hop_seconds: float = DYNAMIC_HOP_SECONDS
    hop_least: float = DYNAMIC_HOP_LEAST
    hop_most: float = DYNAMIC_HOP_MOST


class Target(msgspec.Struct, frozen=True):
    """A link that can be asked: how many links the peer there has, and the smallest ttl that makes sense there."""

    link: PeerId
    degree: int
    near: int


class Goal(msgspec.Struct, frozen=True):
    """What a question is to reach: results, within so many hops, until a time in seconds."""

    wanted: int
    max_ttl: int
    depth: int  # hops that tables cover
    deadline: float
    population: int = 0  # about how many hosts there are, this one included; 0: nobody knows


class Step(msgspec.Struct, frozen=True):
    """Whom to ask now and with which ttl, and how long to wait, in seconds, before the next step is thought about."""

    asks: tuple[tuple[PeerId, int], ...]
    wait: float


class DynamicQuery:
    """One question as it widens; call `next` at once and again whenever the wait of a step is over."""

    def __init__(self, rules: QueryRules, goal: Goal, targets: Sequence[Target], rng: random.Random) -> None:
        self._rules = rules
        self._goal = goal
        self._targets = list(targets)
        rng.shuffle(self._targets)
        self._targets.sort(key=lambda target: target.near)
        self._by_link = {target.link: target for target in self._targets}
        degrees = [_believed(target.degree) for target in targets]
        self._mean = sum(degrees) / max(1, len(degrees))
        self._asked: dict[PeerId, int] = {}  # the largest ttl so far
        self._hop = rules.hop_seconds
        self._reach = 0  # the ttl up to which everybody was asked
        self._population = goal.population or _BOUNDLESS
        vain = sum(map(self._is_known_vain, targets))
        self._hopeful = max(0.0, 1 - vain / self._population)  # share of all hosts that may have it
        self._missed = self._hopeful  # and were not reached

    @property
    def hosts(self) -> float:
        """How many hosts the question has reached so far, by the theory of trees; those reached twice count once."""
        return self._population * (1 - self._missed)

    def note_answer(self, hops: int, seconds: float) -> None:
        """An answer came from so far away, so long after the question had been sent there."""
        self._hop += _SMOOTHING * (_PATIENCE * seconds / max(1, hops) - self._hop)

    def next(self, found: int, now: float) -> Step | None:
        """Return the next step; None when enough was found, or nobody is left who could be asked."""
        if found >= self._goal.wanted or self.hosts >= self._rules.horizon:
            return None
        if len(self._targets) + 1 >= self._population:
            return self._step(self._rest(found) if self._asked else self._probe() or self._rest(found), now)
        if self._missed <= self._rules.spared:
            return self._step(self._promising(), now)
        asks = self._probe() if not self._asked else self._satisfying(found) if found else ()
        if not asks:
            asks = self._all_round(now)
        return self._step(asks, now)

    def _step(self, asks: Sequence[tuple[PeerId, int]], now: float) -> Step | None:
        if not asks:
            return None
        for link, ttl in asks:
            self._missed = self._left(self._missed, self._by_link[link], ttl)
        self._asked.update(asks)
        wait = self._wait(max(ttl for _, ttl in asks))
        return Step(tuple(asks), min(wait, _SHARE * max(0.0, self._goal.deadline - now)))

    # --- whom ---------------------------------------------------------------------------------------------------------

    def _probe(self) -> list[tuple[PeerId, int]]:
        """Ask a few of those whose tables say that there may be something."""
        return self._promising()[: self._rules.probes]

    def _promising(self) -> list[tuple[PeerId, int]]:
        """Ask all those, as near as it is."""
        near = min(self._goal.depth, self._goal.max_ttl)
        rest = (target for target in self._targets if target.link not in self._asked)
        return [(target.link, target.near) for target in rest if target.near <= near]

    def _rest(self, found: int) -> list[tuple[PeerId, int]]:
        """Where all hosts are linked, and nobody is farther: ask all that may have it, in the end in spite of tables.

        Tables are up to a minute old; that counts only while nothing at all was found.
        """
        rest = [] if found else [(each.link, 1) for each in self._targets if each.link not in self._asked]
        return [(link, 1) for link, _ in self._promising()] or rest

    def _satisfying(self, found: int) -> list[tuple[PeerId, int]]:
        """Ask as few links as near as should bring what is still missing; nobody when even all would not."""
        enough = self._missed - (self._goal.wanted - found) * (self._hopeful - self._missed) / found
        for ttl in range(1, self._goal.max_ttl + 1) if enough > self._rules.spared else ():
            asks, left = self._until(enough, ttl)
            if left <= enough:
                return asks
        return []

    def _all_round(self, now: float) -> list[tuple[PeerId, int]]:
        """Ask everybody farther than before, in strides that leave time for the farthest, until all are reached."""
        self._reach = ttl = self._next_reach(now)
        return self._until(self._rules.spared, ttl)[0]

    def _until(self, enough: float, ttl: int) -> tuple[list[tuple[PeerId, int]], float]:
        """Return whom to ask with this ttl so that of all hosts no more than a share is left, and what is left."""
        asks: list[tuple[PeerId, int]] = []
        left = self._missed
        for target in self._targets:
            if left <= enough:
                break
            if max(self._asked.get(target.link, 0) + 1, target.near) <= ttl:
                asks.append((target.link, ttl))
                left = self._left(left, target, ttl)
        return asks, left

    def _left(self, left: float, target: Target, ttl: int) -> float:
        """Return what is left of a share of all hosts after one more link was asked.

        The host next door is one more; those behind it are as likely as any to have been reached before.
        """
        asked = self._asked.get(target.link, 0)
        if not asked and not self._is_known_vain(target):
            left = max(0.0, left - 1 / self._population)
        before = (self._horizon(target, max(asked, 1)) - 1) / self._population
        after = (self._horizon(target, ttl) - 1) / self._population
        return left * max(0.0, 1 - after) / (1 - before) if before < 1 else 0.0

    def _is_known_vain(self, target: Target) -> bool:
        """Whether the host next door counts as reached unasked: where all are counted, its table suffices."""
        return bool(self._goal.population) and target.near > self._goal.depth

    def _next_reach(self, now: float) -> int:
        """Return the next ttl for all: one more, or several where there is no time to go one by one."""
        goal = self._goal
        begin = min(max(self._reach, goal.depth), goal.max_ttl)
        left = range(begin + 1, goal.max_ttl + 1)
        steps = max(1, len(left))
        while steps > 1 and sum(self._wait(ttl) for ttl in left[-steps:]) > goal.deadline - now:
            steps -= 1
        return begin + math.ceil(len(left) / steps)

    def _horizon(self, target: Target, ttl: int) -> float:
        return horizon(target.degree, self._mean, ttl)

    def _wait(self, ttl: int) -> float:
        return ttl * min(max(self._hop, self._rules.hop_least), self._rules.hop_most)


def horizon(degree: int, mean: float, ttl: int) -> float:
    """Return how many hosts a question reaches over one link to a peer of a degree, where peers have `mean` links."""
    branches = mean - 1
    beyond = sum(branches**step for step in range(ttl - 1))
    reached = 1 + (_believed(degree) - 1) * beyond
    return max(1.0, _OVERLAP * reached) if ttl else 0.0


def _believed(degree: int) -> int:
    return min(max(degree, 2), MAX_LINK_DEGREE)
