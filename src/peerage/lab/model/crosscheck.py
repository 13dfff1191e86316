"""Holds the model against the real code: the same parameters, figure by figure.

The model runs more queries than the real code, since its own are cheap, and what chance does to a few is not what is
asked for. Invariant: nothing is tuned here; a difference is shown as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from peerage.lab.experiment import Spec
from peerage.lab.figures import FIGURES, Figure
from peerage.lab.measure import Result, Spread, spread
from peerage.lab.model.spec import ModelSpec

TOLERANCE: Final = 0.10  # of messages and success: what is promised
COMPARED: Final = ("success-", "messages-", "bytes-", "hops", "first-")
PROMISED: Final = ("success-", "messages-")
MORE_QUERIES: Final = 10


class Difference(msgspec.Struct, frozen=True):
    """One figure of both; `share` is how much larger that of the model is, for a success rate in points."""

    figure: str
    label: str
    real: Spread
    model: Spread
    share: float
    promised: bool

    @property
    def agrees(self) -> bool:
        """Whether the two agree as far as is promised."""
        return abs(self.share) <= TOLERANCE


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """One generation, both ways; what `--json` prints."""

    generation: str
    real: list[Result]
    model: list[Result]
    differences: list[Difference]


def model_of(spec: Spec) -> ModelSpec:
    """Return the specification of the model for a world of real nodes."""
    return ModelSpec(
        generation=spec.generation,
        seed=spec.seed,
        peers=spec.peers,
        queries=MORE_QUERIES * spec.queries,
        nearest=spec.nearest,
        farthest=spec.farthest,
        stock=spec.stock,
        wanted=spec.wanted,
        deadline=spec.deadline,
    )


def differences(real: Sequence[Result], model: Sequence[Result]) -> list[Difference]:
    """Compare the results of one generation, over all seeds."""
    found = (_difference(figure, real, model) for figure in FIGURES if figure.key.startswith(COMPARED))
    return [each for each in found if each is not None]


def _difference(figure: Figure, real: Sequence[Result], model: Sequence[Result]) -> Difference | None:
    theirs, ours = spread(map(figure.take, real)), spread(map(figure.take, model))
    if theirs is None or ours is None:
        return None
    by = ours.mean - theirs.mean
    if not figure.key.startswith("success-") and theirs.mean:
        by /= theirs.mean
    return Difference(figure.key, figure.label, theirs, ours, by, figure.key.startswith(PROMISED))
