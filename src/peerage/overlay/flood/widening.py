"""Sends a question of this node out: all at once, as in 2001, or step by step as overlay/dynamic_query.py decides.

Invariant: at most half of the search's budget is spent on asking; the question's ttl is never above what the search
allows. What a friend next door has only for this node is asked for in the first step, whatever the tables say, and so
is who is there for this node only.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable

import msgspec

from peerage.identity.keys import PeerId
from peerage.limits import DYNAMIC_LAST_SECONDS
from peerage.overlay.base import Cost, Request
from peerage.overlay.dynamic_query import DynamicQuery, Goal, QueryRules, Step, Target
from peerage.overlay.flood.messages import Question
from peerage.overlay.flood.sending import Links, Sender
from peerage.overlay.flood.state import FloodRules
from peerage.overlay.flood.tables import TableBook
from peerage.overlay.keywords import Need
from peerage.wire.message import encode


class Asked(msgspec.Struct, frozen=True):
    """A question, what keyword tables can be asked of it, and what bounds it."""

    question: Question
    need: Need
    request: Request


class Widening:
    """One question on its way out."""

    def __init__(self, asked: Asked, rules: FloodRules, book: TableBook, links: Links, rng: random.Random) -> None:
        self._asked = asked
        self._rules = rules
        self._book = book
        self._links = links
        self._rng = rng
        self._query: DynamicQuery | None = None
        self._asked_at: dict[PeerId, float] = {}
        self._over = False
        self.apart: Links = tuple  # whom nobody else asks, and who ask nobody
        self.hosts: Callable[[], int] | None = None  # about how many there are: more than that nobody need ask

    @property
    def asked(self) -> Iterable[PeerId]:
        """To whom the question went."""
        return self._asked_at

    def step(self, cost: Cost, sender: Sender, now: float) -> float | None:
        """Ask whom it is time to ask; return the seconds until the next step, None when nothing more will come."""
        if self._over:
            return None
        if self._rules.dynamic is None:
            self._over = True
            self._send(self._everybody(), cost, sender, now)
            return math.inf if cost.peers_asked else None
        if self._query is None:
            self._query = self._begin(self._rules.dynamic, now)
            self._send(self._private(), cost, sender, now)
        step = self._query.next(cost.found, now)
        if step is None:
            self._over = True
            return DYNAMIC_LAST_SECONDS if cost.peers_asked else None
        self._send(step, cost, sender, now)
        return step.wait

    def note_answer(self, link: PeerId, hops: int, now: float) -> None:
        """An answer came over a link, from so far away."""
        if self._query is not None and link in self._asked_at:
            self._query.note_answer(hops, now - self._asked_at[link])

    # --- inside -----------------------------------------------------------------------------------------------------

    def _begin(self, rules: QueryRules, now: float) -> DynamicQuery:
        request, links, book = self._asked.request, self._links(), self._book
        max_ttl = min(request.ttl, self._rules.max_ttl)
        population = self.hosts() if self.hosts is not None else 0
        goal = Goal(request.wanted, max_ttl, book.depth, now + request.seconds, population)
        targets = [
            Target(each.peer_id, book.links_of(each.peer_id) or len(links), book.near(each.peer_id, self._asked.need))
            for each in links
        ]
        return DynamicQuery(rules, goal, targets, self._rng)

    def _everybody(self) -> Step:
        apart = ((each.peer_id, 1) for each in self.apart())
        return Step((*apart, *((each.peer_id, self._rules.max_ttl) for each in self._links())), math.inf)

    def _private(self) -> Step:
        """Ask those who have something that they put into no table, and those whom nobody else asks."""
        more = [each.peer_id for each in self._links() if self._book.has_more(each.peer_id)]
        more += [each.peer_id for each in self.apart()]
        return Step(tuple((peer_id, 1) for peer_id in more), 0.0)

    def _send(self, step: Step, cost: Cost, sender: Sender, now: float) -> None:
        budget = self._asked.request.budget
        frames: dict[int, bytes] = {}
        for peer_id, ttl in step.asks:
            if 2 * cost.messages_sent >= max(2, budget.messages) or 2 * cost.bytes_sent >= max(2, budget.bytes):
                self._over = True
                return
            frame = frames.get(ttl)
            if frame is None:
                frame = frames[ttl] = encode(msgspec.structs.replace(self._asked.question, ttl=ttl))
            if sender.give(peer_id, frame):
                cost.peers_asked += peer_id not in self._asked_at
                cost.messages_sent += 1
                cost.bytes_sent += len(frame)
                self._asked_at[peer_id] = now
