"""Pollution: half of all answers are decoys that liars praise; ten votes a user must be enough to see through it.

One world a seed (`lab/attacks/pollute.py`): 300 peers, a fifth of them hostile, each with five keys to vote with.
Measured are searches of twenty people with ten votes of their own, for what none of them has voted on.
"""

from __future__ import annotations

from typing import Any

from peerage.lab.attacks.attack import AttackSpec, Variant
from peerage.lab.attacks.registry import run_attack

AVOIDED = "polluted first results avoided"
HIDDEN = "honest results hidden"


def measure(seed: int, peers: int = 300) -> dict[str, Any]:
    """Run one world; shares from 0 to 1."""
    spec = AttackSpec(
        attack="pollute", generation="flood", variant=Variant.DEFENDED, peers=peers, queries=3, share=0.2, seed=seed
    )
    result = run_attack(spec, lambda _step, _share: None)
    found = {extra.label: extra.value for extra in result.extras}
    return {
        "avoided": found[AVOIDED],
        "honest_hidden": found[HIDDEN],
        "decoys_hidden": found["decoys hidden"],
        "polluted_first_by_holders": found["polluted, of the first results by holders alone"],
        "polluted_first_shown": found["polluted, of the first results shown"],
        "cpu_seconds": round(result.result.cpu_seconds, 1),
        "digest": result.result.digest,
    }
