"""Rows of numbers in arrays do what lists of lists do."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from peerage.lab.model.lists import Lists, distinct, within

rows_of_numbers = st.lists(st.lists(st.integers(0, 50), max_size=6), min_size=1, max_size=8)


@settings(max_examples=60)
@given(rows_of_numbers, st.data())
def test_rows_are_found_again_one_by_one_and_many_at_once(rows: list[list[int]], data: st.DataObject) -> None:
    pairs = [(number, value) for number, row in enumerate(rows) for value in row]
    lists = Lists.grouped(
        np.array([row for row, _ in pairs], dtype=np.int64), np.array([value for _, value in pairs]), len(rows)
    )

    assert [lists.row(number).tolist() for number in range(len(rows))] == rows
    assert lists.lengths().tolist() == [len(row) for row in rows]
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6))
    places, values = lists.expand(np.array(chosen, dtype=np.int64))
    assert list(zip(places.tolist(), values.tolist(), strict=True)) == [
        (place, value) for place, number in enumerate(chosen) for value in rows[number]
    ]


@given(st.lists(st.integers(-5, 5)), st.lists(st.integers(-5, 5)))
def test_numbers_are_told_apart_and_found(some: list[int], others: list[int]) -> None:
    ordered = distinct(np.array(some, dtype=np.int64))

    assert ordered.tolist() == sorted(set(some))
    assert within(ordered, np.array(others, dtype=np.int64)).tolist() == [each in some for each in others]
