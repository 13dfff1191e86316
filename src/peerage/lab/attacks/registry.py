"""Which attacks there are, and how the three runs of one are started.

Invariant: every name of the command line stands here once.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Final

import msgspec

from peerage.errors import LocalError
from peerage.lab.attacks.attack import Attack, AttackResult, AttackSpec, Variant
from peerage.lab.attacks.dos import Dos
from peerage.lab.attacks.eclipse import Eclipse
from peerage.lab.attacks.massfailure import MassFailure
from peerage.lab.attacks.partition import Partition
from peerage.lab.attacks.pollute import Pollute
from peerage.lab.attacks.spoof import Spoof
from peerage.lab.attacks.supernode_loss import SupernodeLoss
from peerage.lab.attacks.sybil import Sybil
from peerage.lab.experiment import Experiment, Report, run_experiment
from peerage.lab.fleet import Job

ATTACKS: Final[dict[str, type[Attack]]] = {
    each.name: each for each in (Spoof, Pollute, Sybil, Eclipse, Dos, Partition, MassFailure, SupernodeLoss)
}
"""Every attack by name."""


def attack_named(name: str) -> type[Attack]:
    """Return an attack; raises LocalError that lists them."""
    if name not in ATTACKS:
        raise LocalError(f"there is no attack called {name!r}; choose from: {', '.join(ATTACKS)}")
    return ATTACKS[name]


def jobs(spec: AttackSpec, seeds: int) -> list[Job[AttackResult]]:
    """Return the runs of an attack: three for each seed."""
    found = []
    for variant in Variant:
        for seed in range(spec.seed, spec.seed + seeds):
            one = msgspec.structs.replace(spec, variant=variant, seed=seed)
            found.append(Job(f"{spec.attack}, {variant}, seed {seed}", run_attack, (one,)))
    return found


def run_attack(spec: AttackSpec, report: Report) -> AttackResult:
    """Run one of the three."""
    kind = attack_named(spec.attack)
    made: list[Attack] = []

    def make(rng: random.Random, _spec: object, report: Report) -> Experiment:
        made.append(kind(rng, spec, report))
        return made[0]

    with kind.without_defence() if spec.variant is Variant.BARE else nullcontext():
        result = run_experiment(spec, report, make)
    return AttackResult(attack=spec.attack, variant=spec.variant, extras=made[0].extras(), result=result)


def overlay_for(kind: type[Attack], name: str | None) -> str:
    """Return the generation that an attack runs on; raises LocalError when it makes no sense there."""
    if name is None:
        return kind.overlays[0]
    if name not in kind.overlays:
        raise LocalError(f"{kind.name} is no attack on {name}; choose from: {', '.join(kind.overlays)}")
    return name


def variants_of(results: Sequence[AttackResult], variant: Variant) -> list[AttackResult]:
    """Return the results of one variant, one for each seed."""
    return [each for each in results if each.variant is variant]
