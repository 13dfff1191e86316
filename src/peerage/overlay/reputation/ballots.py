"""The votes that a node knows: its own and those of others, by content and by voter.

Invariant: one vote for each voter and content, the one cast last; never more of others than the rules allow, in all,
for each voter and for each content; a voter whom this node has reason to heed never gives way to one it has not. The
own votes are never dropped. Whether votes are genuine was checked before. Pure: time is an argument (seconds since
1970).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from peerage.overlay.reputation.rules import ReputationRules
from peerage.overlay.reputation.vote import Vote

_LOOKED_AT: Final = 64  # votes among which the one that gives way is sought, the oldest first

_Key = tuple[bytes, bytes]  # content, voter


class Told(NamedTuple):
    """A vote, and the subnet by which it came, "" where that says nothing."""

    vote: Vote
    subnet: str


class Ballots:
    """Votes by content and by voter; `own` is the public key of this node."""

    __slots__ = ("_by_content", "_by_voter", "_heeded", "_order", "_rules", "own", "version")

    def __init__(
        self, own: bytes, rules: ReputationRules, heeded: Callable[[bytes], bool] = lambda _voter: False
    ) -> None:
        """`heeded` says whether this node has reason to heed a voter."""
        self.own = own
        self.version = 0  # grows with each change
        self._rules = rules
        self._heeded = heeded
        self._by_content: dict[bytes, dict[bytes, Told]] = {}
        self._by_voter: dict[bytes, dict[bytes, int]] = {}  # content to sign
        self._order: dict[_Key, None] = {}  # of others, in the order in which they came

    def __len__(self) -> int:
        return sum(map(len, self._by_voter.values()))

    def __iter__(self) -> Iterator[Told]:
        for voters in self._by_content.values():
            yield from voters.values()

    def put(self, told: Told, now: float) -> bool:
        """Keep a vote; False when it is no news, has had its time, or there is no room for it."""
        vote = told.vote
        if not self.is_news(vote, now):
            return False
        if vote.voter != self.own and self.get(vote.content, vote.voter) is None and not self._make_room(vote):
            return False
        self._by_content.setdefault(vote.content, {})[vote.voter] = told
        self._by_voter.setdefault(vote.voter, {})[vote.content] = vote.opinion.sign
        if vote.voter != self.own:
            self._order.pop((vote.content, vote.voter), None)
            self._order[vote.content, vote.voter] = None
        self.version += 1
        return True

    def is_news(self, vote: Vote, now: float) -> bool:
        """Whether a vote tells more than what is known, and is neither too old nor from the future."""
        if vote.cast > now + self._rules.skew or (vote.voter != self.own and vote.cast < now - self._rules.life):
            return False
        known = self.get(vote.content, vote.voter)
        return known is None or vote.cast > known.vote.cast

    def get(self, content: bytes, voter: bytes) -> Told | None:
        """Return the vote of one voter on a content."""
        return self._by_content.get(content, {}).get(voter)

    def on(self, content: bytes, now: float) -> list[Told]:
        """Return the votes on a content that still count."""
        oldest = now - self._rules.life
        votes = self._by_content.get(content, {}).values()
        return [told for told in votes if told.vote.cast >= oldest or told.vote.voter == self.own]

    def of(self, voter: bytes) -> Mapping[bytes, int]:
        """Return what a voter said: +1 or -1 by content."""
        return self._by_voter.get(voter, {})

    def voters_on(self, content: bytes) -> tuple[bytes, ...]:
        """Return who voted on a content."""
        return tuple(self._by_content.get(content, ()))

    def remove(self, content: bytes, voter: bytes) -> None:
        """Forget one vote, if it is here."""
        if self._by_content.get(content, {}).pop(voter, None) is None:
            return
        self._order.pop((content, voter), None)
        del self._by_voter[voter][content]
        for table, key in ((self._by_content, content), (self._by_voter, voter)):
            if not table[key]:
                del table[key]
        self.version += 1

    # --- inside -----------------------------------------------------------------------------------------------------

    def _make_room(self, vote: Vote) -> bool:
        """Make room for one more vote of another; False when those that are here are worth more."""
        rules = self._rules
        if len(self._by_voter.get(vote.voter, ())) >= rules.per_voter:
            return False
        if len(self._by_content.get(vote.content, ())) >= rules.per_content and not self._displace_on(vote):
            return False
        if len(self._order) >= rules.kept:
            return self._displace(vote.voter)
        return True

    def _displace_on(self, vote: Vote) -> bool:
        """Let a stranger's vote on the same content give way to one of who is heeded."""
        if not self._heeded(vote.voter):
            return False
        for voter in self.voters_on(vote.content):
            if voter != self.own and not self._heeded(voter):
                self.remove(vote.content, voter)
                return True
        return False

    def _displace(self, newcomer: bytes) -> bool:
        """Let one of the oldest votes give way, a stranger's if there is one among them."""
        oldest = [key for key, _ in zip(self._order, range(_LOOKED_AT), strict=False)]
        for content, voter in oldest:
            if not self._heeded(voter):
                self.remove(content, voter)
                return True
        if not self._heeded(newcomer):
            return False
        self.remove(*oldest[0])
        return True
