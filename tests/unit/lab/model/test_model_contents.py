"""A modelled world holds what a real one does: the same copies, the same kinds of names, queries that make sense."""

from __future__ import annotations

import random

import numpy as np
import pytest

from peerage.errors import LocalError
from peerage.lab.holdings import Held, Holdings, Stock
from peerage.lab.model.contents import Contents
from peerage.lab.model.spec import ModelSpec, Shard
from peerage.lab.model.workload import Workload

SPEC = ModelSpec(peers=2000, queries=90)


def test_items_have_the_copies_that_real_worlds_give_them() -> None:
    contents = Contents(SPEC)
    holdings = Holdings(random.Random(1), SPEC.peers, SPEC.stock)

    assert contents.copies.tolist() == [item.copies for item in holdings.items]
    assert contents.holders.lengths().tolist() == contents.copies.tolist()
    assert all(len(set(contents.holders.row(item).tolist())) == contents.copies[item] for item in range(50))
    for kind in (Held.POPULAR, Held.RARE, Held.SINGLE):
        assert contents.numbers_of(kind)[0].tolist() == [i.number for i in holdings.items if i.held is kind]


def test_free_riders_hold_nothing_and_some_hold_much() -> None:
    contents = Contents(SPEC)
    real = Holdings(random.Random(2), SPEC.peers, SPEC.stock)

    held = contents.items_of.lengths()
    theirs = np.array([len(seat) for seat in real.seats])
    assert abs((held == 0).mean() - (theirs == 0).mean()) < 0.05
    assert 0.6 < np.sort(held)[-20:].mean() / np.sort(theirs)[-20:].mean() < 1.6


def test_two_words_of_a_name_find_the_item_and_few_others() -> None:
    contents = Contents(SPEC)

    found = [contents.matching(int(words[1]), int(words[0])) for words in contents.words[:200]]
    assert all(item in each for item, each in enumerate(found))
    assert sum(map(len, found)) < 260
    assert all(words[1] != words[2] for words in contents.words)


def test_nobody_asks_for_what_he_holds_or_for_what_is_gone() -> None:
    spec = ModelSpec(peers=2000, queries=90, gone=0.4)
    contents = Contents(spec)
    workload = Workload(spec, contents)

    assert 0.5 < workload.alive.mean() < 0.7
    assert [each.kind for each in workload.queries] == [Held.POPULAR] * 30 + [Held.RARE] * 30 + [Held.SINGLE] * 30
    for query in workload.queries:
        holders = contents.holders.row(query.item)
        assert query.asker not in holders
        assert workload.alive[query.asker]
        assert workload.alive[holders].any()
        assert set(query.words) <= set(contents.words[query.item].tolist())


def test_the_parts_of_a_workload_are_all_of_it() -> None:
    workload = Workload(SPEC, Contents(SPEC))

    parts = [each for number in range(4) for each in workload.part(Shard(number, 4))]
    assert sorted(parts) == sorted(workload.queries)


def test_a_class_of_items_that_is_missing_is_told() -> None:
    spec = ModelSpec(peers=200, stock=Stock(single=0))

    with pytest.raises(LocalError, match="no single items"):
        Workload(spec, Contents(spec))


def test_specifications_that_make_no_sense_are_refused() -> None:
    with pytest.raises(LocalError, match="no model of 'napster'"):
        ModelSpec(generation="napster")
    with pytest.raises(LocalError, match="100 to 20,000,000 peers"):
        ModelSpec(peers=99)
    with pytest.raises(LocalError, match="one query for each class"):
        ModelSpec(queries=2)
    with pytest.raises(LocalError, match="gone lies between"):
        ModelSpec(gone=1.0)
