"""What every attack has: who is hostile, what they do, how the defence is taken away, and what is looked at.

An attack runs three times with the same seed: *calm* (nobody is hostile), *bare* (attacked, the defence taken away) and
*defended* (attacked, the code as it is). Invariant: the three differ in nothing else. Each attack is one small module
that subclasses Attack and is listed in attacks/registry.py.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from typing import ClassVar

import msgspec

from peerage.errors import LocalError
from peerage.lab.experiment import Experiment, Report, Spec
from peerage.lab.generations import GENERATIONS
from peerage.lab.measure import Result
from peerage.lab.member import Member


class Variant(StrEnum):
    """The three runs of an attack."""

    CALM = "calm"
    BARE = "bare"
    DEFENDED = "defended"


class AttackSpec(Spec, frozen=True, kw_only=True):
    """An experiment under attack; `share` of the peers is hostile, or hit."""

    attack: str
    share: float = 0.2
    variant: Variant = Variant.DEFENDED

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        super().__post_init__()
        if not 0 < self.share < 1:
            raise LocalError("the share of peers that an attack takes lies between 0 and 1")


class Extra(msgspec.Struct, frozen=True):
    """A figure of one attack only; `unit` is one of "%", "s" and "" (a number)."""

    label: str
    value: float | None
    unit: str = "%"


class AttackResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the three runs yielded."""

    attack: str
    variant: Variant
    extras: list[Extra]
    result: Result


class Attack(Experiment):
    """An experiment in which something goes wrong."""

    name: ClassVar[str]
    about: ClassVar[str]  # one sentence: what the attackers do
    defence: ClassVar[str]  # one sentence: what holds against it
    overlays: ClassVar[tuple[str, ...]] = tuple(GENERATIONS)  # on which it makes sense, the usual one first
    usual_share: ClassVar[float] = 0.2

    spec: AttackSpec

    def __init__(self, rng: random.Random, spec: AttackSpec, report: Report) -> None:
        chosen = random.Random(f"attackers {spec.seed}")  # noqa: S311 -- a simulation, not a secret
        count = max(1, round(spec.share * spec.peers)) if self.has_attackers else 0
        first = GENERATIONS[spec.generation].servers
        self.attackers = frozenset(chosen.sample(range(first, spec.peers), min(count, spec.peers - first - 1)))
        super().__init__(rng, spec, report)

    has_attackers: ClassVar[bool] = True

    @property
    def is_calm(self) -> bool:
        """Whether this is the run in which nothing happens."""
        return self.spec.variant is Variant.CALM

    @property
    def is_bare(self) -> bool:
        """Whether this is the run without the defence."""
        return self.spec.variant is Variant.BARE

    def arm(self, member: Member) -> None:
        """Turn the members on the attackers' seats."""
        member.hostile = member.seat in self.attackers
        if member.hostile and not self.is_calm:
            self.turn(member)

    # --- what an attack brings ----------------------------------------------------------------------------------------

    def turn(self, member: Member) -> None:
        """Make a member do harm."""

    @classmethod
    def without_defence(cls) -> AbstractContextManager[None]:
        """Take the defence away as long as `with` lasts."""
        return _nothing()

    def extras(self) -> list[Extra]:
        """Return what this attack is looked at for, beside the figures of every experiment."""
        return []


@contextmanager
def _nothing() -> Iterator[None]:
    yield
