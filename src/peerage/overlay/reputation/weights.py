"""How much the votes of others count for this node: by friendship, and by how they agree with its owner's own votes.

The weight of a stranger is the correlation of both voters' votes on what both have voted on (Credence: phi, the
correlation of two yes-or-no variables); where they share too little, it goes through those who do agree with the owner,
damped. Two additions: a correlation counts only when chance does not explain it, and the fewer contents it rests on,
the less it weighs. Who has always said the same on what both know shows judgement only if he says something else
elsewhere.
Invariant: newcomers weigh nothing, nobody weighs more than 1, and no number of keys makes one key weigh more. Pure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from peerage.overlay.reputation.ballots import Ballots
from peerage.overlay.reputation.rules import ReputationRules


class Bond(StrEnum):
    """Why a voter counts."""

    OWN = "you"
    FRIEND = "friend"
    FOLLOWED = "followed"
    AGREES = "agrees with you"
    DISAGREES = "disagrees with you"
    THROUGH = "agrees with those who agree with you"
    CONTRARY = "disagrees with those who agree with you"
    STRANGER = "not known"


class Weight(msgspec.Struct, frozen=True):
    """What a voter's votes are worth, from -1 (the opposite of what he says) to 1; `common`: contents it rests on."""

    value: float = 0.0
    bond: Bond = Bond.STRANGER
    common: int = 0


STRANGER = Weight()


class Agreement(msgspec.Struct, frozen=True):
    """How two voters agree: `theta` from -1 to 1 on `common` contents; 0 where it says nothing."""

    theta: float
    common: int


def agreement(mine: Mapping[bytes, int], theirs: Mapping[bytes, int], rules: ReputationRules) -> Agreement:
    """Compare two voters; the first is the one who judges."""
    fewer, more = (mine, theirs) if len(mine) <= len(theirs) else (theirs, mine)
    common = [content for content in fewer if content in more]
    count = len(common)
    if count < rules.common:
        return Agreement(0.0, count)
    my_yes = sum(mine[content] > 0 for content in common)
    their_yes = sum(theirs[content] > 0 for content in common)
    both = sum(mine[content] > 0 and theirs[content] > 0 for content in common)
    variance = my_yes * (count - my_yes) * their_yes * (count - their_yes)
    if variance:
        theta = (both * count - my_yes * their_yes) / math.sqrt(variance)
    elif my_yes in (0, count) and their_yes in (0, count):
        theta = _one_sided(my_yes == their_yes, their_yes > 0, theirs, count)
    else:
        theta = 0.0  # one of them says the same of good and bad
    is_chance = abs(theta) <= rules.correlation or count * theta * theta < rules.chance
    return Agreement(0.0 if is_chance else theta, count)


def _one_sided(same: bool, yes: bool, theirs: Mapping[bytes, int], count: int) -> float:  # noqa: FBT001 -- two answers
    """Judge who only ever said one thing on what both know: it is worth what it would take him by habit to say so."""
    share = sum((sign > 0) == yes for sign in theirs.values()) / len(theirs)
    by_habit = share**count
    if by_habit > 0.05:  # the usual bound of chance
        return 0.0
    return 1.0 if same else -1.0


class Weights:
    """The weights of voters in the eyes of one node; `trusted` tells its owner's friends and whom he follows."""

    __slots__ = ("_ballots", "_best", "_cache", "_rules", "_trusted", "_version")

    def __init__(self, ballots: Ballots, rules: ReputationRules, trusted: Callable[[bytes], Bond | None]) -> None:
        self._ballots = ballots
        self._rules = rules
        self._trusted = trusted
        self._version = -1  # of the ballots that the following is about
        self._cache: dict[bytes, Weight] = {}
        self._best: list[tuple[bytes, float]] | None = None

    def of(self, voter: bytes) -> Weight:
        """Return what a voter's votes are worth."""
        bond = Bond.OWN if voter == self._ballots.own else self._trusted(voter)
        if bond is not None:
            return Weight(1.0, bond)
        if self._version != self._ballots.version:
            self._version = self._ballots.version
            self._cache.clear()
            self._best = None
        known = self._cache.get(voter)
        if known is None:
            known = self._cache[voter] = self._direct(voter) or self._through_others(voter)
        return known

    def is_heeded(self, voter: bytes) -> bool:
        """Whether a voter counts without help of others."""
        if voter == self._ballots.own or self._trusted(voter) is not None:
            return True
        return self._direct(voter) is not None

    def best(self) -> list[tuple[bytes, float]]:
        """Return those who agree most with the owner, and friends, with their weights; the best first."""
        if self._best is None or self._version != self._ballots.version:
            found = [(voter, weight) for voter in self._near() if (weight := self._worth(voter)) > 0]
            found.sort(key=lambda each: (-each[1], each[0]))
            self._best = found[: self._rules.compared]
        return self._best

    # --- inside -----------------------------------------------------------------------------------------------------

    def _direct(self, voter: bytes) -> Weight | None:
        """Judge a voter by the owner's own votes; None when these do not tell."""
        found = agreement(self._ballots.of(self._ballots.own), self._ballots.of(voter), self._rules)
        if not found.theta:
            return None
        bond = Bond.AGREES if found.theta > 0 else Bond.DISAGREES
        return Weight(self._sure(found), bond, found.common)

    def _through_others(self, voter: bytes) -> Weight:
        """Judge a voter by those who agree with the owner: the strongest of their judgements counts, not the sum."""
        strongest = STRANGER
        votes = self._ballots.of(voter)
        for other, weight in self.best():
            if other == voter or weight * self._rules.damping <= abs(strongest.value):
                continue
            found = agreement(self._ballots.of(other), votes, self._rules)
            value = weight * self._sure(found) * self._rules.damping
            if abs(value) > abs(strongest.value):
                strongest = Weight(value, Bond.THROUGH if value > 0 else Bond.CONTRARY, found.common)
        return strongest

    def _sure(self, found: Agreement) -> float:
        return found.theta * found.common / (found.common + self._rules.shrink)

    def _near(self) -> list[bytes]:
        """Return who has enough in common with the owner to be compared, and friends who voted on the same."""
        ballots = self._ballots
        counts: Counter[bytes] = Counter()
        for content in ballots.of(ballots.own):
            counts.update(ballots.voters_on(content))
        del counts[ballots.own]
        return [
            voter for voter, count in counts.items() if count >= self._rules.common or self._trusted(voter) is not None
        ]

    def _worth(self, voter: bytes) -> float:
        if self._trusted(voter) is not None:
            return 1.0
        direct = self._direct(voter)
        return direct.value if direct is not None else 0.0
