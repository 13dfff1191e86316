"""Finds out who answers everything: a peer that answers most questions is now and then asked one that has no answer.

Such a question is made of words of other people's queries, one of each, so that it looks like theirs; that somebody has
them all in one record is next to impossible, and to happen twice even more so. Honest peers with much on their shelves
stay silent, and nothing happens to them.
Invariant: nobody is judged for answering much, only for what cannot be true, twice; the judgement ends after an hour.
What is remembered is bounded. Pure: time and random source are arguments. Links are named by the peer at their end.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Final

from peerage.catalogue.query import Query, Words
from peerage.identity.keys import PeerId
from peerage.limits import AUDIT_INTERVAL, AUDIT_SHARE, AUDIT_STRIKES, AUDIT_SUSPECTS, LIAR_SECONDS, MAX_SEARCH_SECONDS
from peerage.overlay.expiring import ExpiringTable

_LEAST: Final = 32  # questions before a share says anything
_FADE: Final = 256  # questions after which older ones count half
_WORDS: Final = 5  # in one decoy
_REMEMBERED: Final = 64  # words to make decoys of


class _Record:
    """What one peer was asked and answered itself."""

    __slots__ = ("answered", "asked", "audit_after", "strikes")

    def __init__(self) -> None:
        self.asked = 0
        self.answered = 0
        self.strikes = 0
        self.audit_after = 0.0


class Audit:
    """What one node knows about how its neighbours answer."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._records: dict[PeerId, _Record] = {}  # of links; forgotten with them
        self._words: deque[str] = deque(maxlen=_REMEMBERED)
        self._decoys: ExpiringTable[bytes, PeerId] = ExpiringTable(AUDIT_SUSPECTS, MAX_SEARCH_SECONDS)
        self._liars: ExpiringTable[PeerId, bool] = ExpiringTable(AUDIT_SUSPECTS, LIAR_SECONDS)

    def note_query(self, query: Query) -> None:
        """Remember a word of a query that somebody asked."""
        words = [word for term in query.terms() if isinstance(term, Words) for word in term.words]
        if words and (chosen := words[len(self._words) % len(words)]) not in self._words:
            self._words.append(chosen)

    def note_asked(self, link: PeerId) -> None:
        """A question went over a link."""
        record = self._records.get(link)
        if record is None:
            record = self._records[link] = _Record()
        record.asked += 1
        if record.asked >= _FADE:
            record.asked //= 2
            record.answered //= 2

    def note_answered(self, link: PeerId) -> None:
        """The peer at the other end answered a question itself, for the first time."""
        if link in self._records:
            self._records[link].answered += 1

    def suspects(self, now: float) -> list[PeerId]:
        """Return whom to ask a decoy now, if they are linked still."""
        return [link for link, record in self._records.items() if _is_due(record, now)]

    def decoy(self, link: PeerId, question_id: bytes, now: float) -> str | None:
        """Return a query that nobody can answer; None while too few queries were heard."""
        if len(self._words) < _WORDS:
            return None
        self._records[link].audit_after = now + AUDIT_INTERVAL
        self._decoys.put(question_id, link, now)
        return " ".join(self._rng.sample(sorted(self._words), _WORDS))

    def take_answer(self, question_id: bytes, link: PeerId, now: float) -> bool:
        """Whether an answer is to a decoy; who gives it has lied."""
        if self._decoys.get(question_id, now) != link:
            return False
        self._decoys.remove(question_id)
        record = self._records.get(link)
        if record is not None:
            record.strikes += 1
            if record.strikes >= AUDIT_STRIKES:
                self._liars.put(link, True, now)
        return True

    def is_liar(self, link: PeerId, now: float) -> bool:
        """Whether what this peer says of itself is to be passed over."""
        return self._liars.get(link, now) is not None

    def forget_link(self, link: PeerId) -> None:
        """A link has ended."""
        self._records.pop(link, None)


def _is_due(record: _Record, now: float) -> bool:
    often = record.asked >= _LEAST and record.answered >= AUDIT_SHARE * record.asked
    return often and now >= record.audit_after
