"""What the votes on a content mean for the owner of this node: show it, warn, or hide it, and why.

Each vote counts as much as its voter weighs. Voters of one subnet, or whose votes came by one subnet, speak with at
most two voices together, so that many keys behind one address are no crowd. Who is known to lie may make a good thing
suspect or a bad one less so, never hide anything: otherwise he could choose what is hidden. What the owner has voted
himself decides.
Invariant: votes of strangers alone change nothing; every verdict carries the numbers it was made of. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

import msgspec

from peerage.overlay.reputation.ballots import Told
from peerage.overlay.reputation.rules import ReputationRules
from peerage.overlay.reputation.vote import Opinion
from peerage.overlay.reputation.weights import Bond, Weight


class Standing(StrEnum):
    """What to do with a content."""

    SHOW = "show"
    WARN = "warn"
    HIDE = "hide"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What votes say of a content; `score` from -1, known to be bad, over 0, nothing known, to 1, known to be good.

    `weight_for` and `weight_against` are what the votes count for; `votes_for` and `votes_against` how many are known,
    strangers' included. `reasons` are short phrases for people, the weightiest first.
    """

    standing: Standing = Standing.SHOW
    score: float = 0.0
    weight_for: float = 0.0
    weight_against: float = 0.0
    votes_for: int = 0
    votes_against: int = 0
    malware: int = 0  # of the votes against
    own: Opinion | None = None
    reasons: tuple[str, ...] = ()


UNKNOWN = Verdict()

_CERTAIN = frozenset({Bond.OWN, Bond.FRIEND, Bond.FOLLOWED})


class _Side:
    """Weight for and against, of one subnet or in all."""

    __slots__ = ("against", "strongest", "yes")

    def __init__(self) -> None:
        self.yes = 0.0
        self.against = 0.0
        self.strongest = 0.0

    def add(self, sign: int, weight: float) -> None:
        if sign > 0:
            self.yes += weight
        else:
            self.against += weight
        self.strongest = max(self.strongest, weight)

    def capped(self, most: float) -> tuple[float, float]:
        """Return both, scaled so that together they are at most `most`."""
        total = self.yes + self.against
        scale = min(1.0, most / total) if total else 0.0
        return self.yes * scale, self.against * scale


def judge(
    votes: Iterable[Told], name: bytes | None, weigh: Callable[[bytes], Weight], rules: ReputationRules
) -> Verdict:
    """Weigh the votes on one content; `name` is the hash of the name under which it is offered, None: any."""
    told = list(votes)
    if not told:
        return UNKNOWN
    weighed = [(each, weigh(each.vote.voter)) for each in told]
    pro, contra = _sums([(each, weight, _worth(each, name, rules)) for each, weight in weighed], rules)
    own = next((each.vote.opinion for each, weight in weighed if weight.bond is Bond.OWN), None)
    against = sum(each.vote.opinion.sign < 0 for each in told)
    return Verdict(
        standing=_standing(pro, contra, own, rules),
        score=_score(pro, contra, own),
        weight_for=pro,
        weight_against=contra,
        votes_for=len(told) - against,
        votes_against=against,
        malware=sum(each.vote.opinion is Opinion.MALWARE for each in told),
        own=own,
        reasons=_reasons(weighed),
    )


def _worth(told: Told, name: bytes | None, rules: ReputationRules) -> float:
    """Return what a vote counts in itself: harm is harm by any name, but a fake may be one under one name only."""
    if told.vote.opinion is Opinion.MALWARE:
        return rules.malware
    return 1.0 if name is None or told.vote.name == name else rules.other_name


def _sums(weighed: Iterable[tuple[Told, Weight, float]], rules: ReputationRules) -> tuple[float, float]:
    """Return the weight for and against."""
    certain, contrary = _Side(), _Side()
    homes: dict[str | bytes, _Side] = {}
    for told, weight, worth in weighed:
        sign, amount = told.vote.opinion.sign, abs(weight.value) * worth
        if weight.bond in _CERTAIN:
            certain.add(sign, amount)
        elif weight.value < 0:
            contrary.add(-sign, amount)
        elif weight.value > 0:
            homes.setdefault(told.subnet or told.vote.voter, _Side()).add(sign, amount)
    parts = [side.capped(rules.voices * side.strongest) for side in homes.values()]
    parts += [(certain.yes, certain.against), contrary.capped(rules.contrary)]
    return sum(pro for pro, _ in parts), sum(contra for _, contra in parts)


def _standing(pro: float, contra: float, own: Opinion | None, rules: ReputationRules) -> Standing:
    if own is not None:
        return Standing.SHOW if own is Opinion.GOOD else Standing.HIDE
    surplus = contra - pro
    if surplus >= rules.hide and contra >= 2 * pro:
        return Standing.HIDE
    return Standing.WARN if surplus >= rules.warn else Standing.SHOW


def _score(pro: float, contra: float, own: Opinion | None) -> float:
    if own is not None:
        return float(own.sign)
    return (pro - contra) / (pro + contra + 1.0)


def _reasons(weighed: Iterable[tuple[Told, Weight]]) -> tuple[str, ...]:
    """Say who said what, grouped, the weightiest group first; strangers last."""
    groups: dict[tuple[Opinion, Bond], tuple[int, float]] = {}
    for told, weight in weighed:
        key = (told.vote.opinion, weight.bond)
        count, total = groups.get(key, (0, 0.0))
        groups[key] = (count + 1, total + abs(weight.value))
    ordered = sorted(groups.items(), key=lambda each: (each[0][1] is Bond.STRANGER, -each[1][1], each[0]))
    return tuple(_phrase(opinion, bond, *amounts) for (opinion, bond), amounts in ordered)


def _phrase(opinion: Opinion, bond: Bond, count: int, total: float) -> str:
    said = opinion.name.lower()
    if bond is Bond.OWN:
        return f"you said {said}"
    if bond is Bond.STRANGER:
        return f"{said}: {count} not known, weight 0"
    who = {Bond.FRIEND: "friends", Bond.FOLLOWED: "whom you follow"}.get(bond)
    return f"{said}: {count} {who or 'who ' + _WHO[bond]}, weight {total:.2f}"


_WHO = {
    Bond.AGREES: "agree with you",
    Bond.DISAGREES: "disagree with you",
    Bond.THROUGH: "agree with those who agree with you",
    Bond.CONTRARY: "disagree with those who agree with you",
}
