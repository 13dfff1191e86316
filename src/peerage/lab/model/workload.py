"""The queries of a run: who asks for what, in which words; the same for every generation.

Invariant: nobody asks for what he holds, or for what only those hold who have gone; a query is its number, whichever
process runs it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from peerage.errors import LocalError
from peerage.lab.holdings import Held
from peerage.lab.measure import KINDS
from peerage.lab.model.contents import Contents
from peerage.lab.model.lists import Bools, Ints
from peerage.lab.model.randomness import source
from peerage.lab.model.spec import ModelSpec, Shard

_TRIES: Final = 10_000  # draws after which what is sought is taken not to exist


class Query(NamedTuple):
    """One search: for an item, by two words of its name, one of them rare."""

    number: int
    kind: Held
    item: int
    asker: int
    words: tuple[int, int]


class Workload:
    """All queries of a run; `alive` says who is still there."""

    def __init__(self, spec: ModelSpec, contents: Contents) -> None:
        self.alive = source(spec.seed, "gone").random(spec.peers) >= spec.gone
        self._contents = contents
        self._rng = source(spec.seed, "queries")
        self._peers = spec.peers
        self.queries = [self._draw(number, kind) for number, kind in enumerate(_kinds(spec.queries))]

    def part(self, shard: Shard) -> list[Query]:
        """Return the queries of one part."""
        return self.queries[shard.number :: shard.count]

    def _draw(self, number: int, kind: Held) -> Query:
        items, weights = self._contents.numbers_of(kind)
        for _ in range(_TRIES):
            item = int(self._rng.choice(items, p=weights))
            holders = self._contents.holders.row(item)
            asker = int(self._rng.integers(self._peers))
            if not self.alive[asker] or not self.alive[holders].any() or asker in holders:
                continue
            common, first, second = (int(word) for word in self._contents.words[item])
            return Query(number, kind, item, asker, (first, second if self._rng.random() < 0.5 else common))
        raise LocalError(f"nobody is left who could ask for one of the {kind} items")


def _kinds(queries: int) -> list[Held]:
    """Return the class of each query: a third for each."""
    count = len(KINDS)
    return [
        kind
        for number, kind in enumerate(KINDS)
        for _ in range(queries * (number + 1) // count - queries * number // count)
    ]


def living(rows: Ints, alive: Bools) -> Ints:
    """Return those who are still there."""
    return rows[alive[rows]]
