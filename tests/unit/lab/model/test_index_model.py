"""Indexes of the model answer what they know, and are asked as often as real ones."""

from __future__ import annotations

from peerage.lab.holdings import Held
from peerage.lab.measure import KindResult
from peerage.lab.model.shards import run_here
from peerage.lab.model.spec import ModelSpec


def results(generation: str, gone: float = 0.0) -> dict[Held, KindResult]:
    spec = ModelSpec(generation=generation, peers=1000, queries=150, gone=gone)
    return {each.kind: each for each in run_here(spec).kinds}


def test_one_central_index_is_asked_once_and_bears_it_all() -> None:
    for each in results("index-1999").values():
        assert each.success == 1.0
        assert each.messages == 3.0  # the question, the answer, its end


def test_of_several_indexes_the_last_is_asked_only_for_what_is_rare() -> None:
    found = results("index")

    assert all(each.success == 1.0 for each in found.values())
    assert 11.0 <= found[Held.SINGLE].messages < 11.3  # four questions and ends, three that know it
    assert 9.0 <= found[Held.POPULAR].messages < 11.0
    assert found[Held.POPULAR].hits > 15


def test_without_the_only_index_nothing_is_found_and_with_several_nearly_all() -> None:
    seeds = range(1, 12)
    lost = [
        s
        for s in seeds
        if not run_here(ModelSpec(generation="index-1999", peers=200, queries=9, seed=s, gone=0.5))
        .of(Held.RARE)
        .success
    ]
    kept = [
        s
        for s in seeds
        if run_here(ModelSpec(generation="index", peers=200, queries=9, seed=s, gone=0.5)).of(Held.RARE).success > 0.3
    ]

    assert 2 <= len(lost) <= 9
    assert len(kept) >= 8
