"""What decides a run of the model, and what it needs to run at all.

Invariant: the same specification gives the same figures, in one process or spread over many. This module loads without
numpy, so that whoever lacks it is told what to install.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

import msgspec

from peerage.errors import LocalError
from peerage.lab.geography import FARTHEST, NEAREST
from peerage.lab.holdings import Stock
from peerage.lab.measure import KINDS

INSTALL: Final = 'install it with: pip install "peerage[lab]"'
MOST_PEERS: Final = 20_000_000  # arrays of 2 GB; beyond that seats no longer fit the numbers that they are kept in

GENERATIONS: Final = ("index-1999", "index", "flood-2001", "flood", "supernode", "dht")
"""What there is a model of, in the order of history."""


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides a run; the fields are those of lab.experiment.Spec.

    `gone` is the share of all peers that have gone, unnoticed by those who know them: what churn leaves behind.
    """

    generation: str = "flood"
    seed: int = 1
    peers: int = 1_000_000
    queries: int = 1000
    nearest: float = NEAREST
    farthest: float = FARTHEST
    gone: float = 0.0
    stock: Stock = Stock()
    wanted: int = 20
    deadline: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.generation not in GENERATIONS:
            raise LocalError(f"there is no model of {self.generation!r}; choose from: {', '.join(GENERATIONS)}")
        if not 100 <= self.peers <= MOST_PEERS:
            raise LocalError(f"the model takes 100 to {MOST_PEERS:,} peers, not {self.peers}")
        if self.queries < len(KINDS):
            raise LocalError(f"one query for each class of items is the least: --queries {len(KINDS)} or more")
        if not 0 <= self.gone < 1 or not 0 < self.nearest <= self.farthest or self.deadline <= 0:
            raise LocalError("gone lies between 0 and 1, latencies and deadline are above 0")


class Shard(msgspec.Struct, frozen=True):
    """One part of the queries of a run: every `count`th, from `number` on."""

    number: int = 0
    count: int = 1


def chosen(names: str) -> list[str]:
    """Return the generations that `names` means: "all", or names with commas between them; LocalError lists them."""
    wanted = list(GENERATIONS) if names == "all" else [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in GENERATIONS]
    if unknown or not wanted:
        which = f"there is no model of {unknown[0]!r}" if unknown else "no overlay named"
        raise LocalError(f"{which}; choose from: all, {', '.join(GENERATIONS)}")
    return list(dict.fromkeys(wanted))


def check_numpy() -> None:
    """Raise LocalError with what to install when there is no numpy."""
    if find_spec("numpy") is None:
        raise LocalError(f"the model needs numpy; {INSTALL}")
