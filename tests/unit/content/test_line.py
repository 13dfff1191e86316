"""The line in which downloads stand: places, moves, levels."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerage.content import line as line_module
from peerage.content.line import GAP, Line
from peerage.errors import LocalError

A, B, C, D = (bytes([number]) * 32 for number in range(4))


def line_of(*contents: bytes) -> Line:
    line = Line()
    for content in contents:
        line.join(content, 0)
    return line


def test_who_comes_later_stands_behind() -> None:
    line = line_of(B, A, C)
    assert list(line) == [B, A, C]
    assert line.place_of(B) < line.place_of(A) < line.place_of(C)
    assert len(line) == 3
    assert A in line
    assert D not in line


def test_who_is_more_urgent_joins_before_the_others() -> None:
    line = line_of(A, B)
    assert line.join(C, 1) == [C]
    line.join(D, -1)
    assert list(line) == [C, A, B, D]
    line.join(D, 1)
    assert list(line) == [C, D, A, B]
    line.join(C, 0)
    assert list(line) == [D, A, B, C]


def test_moves_change_as_few_places_as_can_be() -> None:
    line = line_of(A, B, C)
    assert line.move(C, "top") == [C]
    assert list(line) == [C, A, B]
    assert sorted(line.move(C, "down")) == [A, C]
    assert list(line) == [A, C, B]
    assert sorted(line.move(B, "up")) == [B, C]
    assert list(line) == [A, B, C]
    assert line.move(A, "bottom") == [A]
    assert list(line) == [B, C, A]
    assert line.move(B, "top") == line.move(B, "up") == line.move(A, "down") == line.move(A, "bottom") == []
    with pytest.raises(LocalError, match="no place"):
        line.move(D, "top")


def test_who_left_comes_back_to_his_place() -> None:
    line = line_of(A, B, C)
    place = line.place_of(B)
    line.remove(B)
    line.remove(B)
    assert line.put(B, place, 0) == place
    assert list(line) == [A, B, C]
    assert line.put(D, place, 0) == place + 1
    assert list(line) == [A, B, D, C]


def test_when_no_number_is_left_all_get_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_module, "GAP", 4)
    line = line_of(A)
    for number in range(10):
        changed = line.join(bytes([100 + number]) * 32, 1)
        if len(changed) > 1:
            break
    assert set(changed) == set(line)
    assert list(line)[-1] == A
    assert list(line)[:-1] == [bytes([100 + each]) * 32 for each in range(number + 1)]


def test_places_stay_countable() -> None:
    line = line_of(A, B)
    for _ in range(20_000):
        line.move(A, "top")
        line.move(B, "top")
    assert abs(line.place_of(B)) < 2**53
    assert 20_000 * GAP < 2**53


OPERATIONS = st.one_of(
    st.tuples(st.just("join"), st.sampled_from([A, B, C, D]), st.integers(-1, 1)),
    st.tuples(st.just("remove"), st.sampled_from([A, B, C, D]), st.just(0)),
    st.tuples(st.sampled_from(["top", "up", "down", "bottom"]), st.sampled_from([A, B, C, D]), st.just(0)),
)


@settings(deadline=None)
@given(st.lists(OPERATIONS, max_size=40))
def test_the_order_is_that_of_a_list(operations: list[tuple[str, bytes, int]]) -> None:
    line, model, levels = Line(), [], {}
    for name, content, level in operations:
        if name == "join":
            model = [each for each in model if each != content]
            at = len(model)
            while at and levels[model[at - 1]] < level:
                at -= 1
            model.insert(at, content)
            levels[content] = level
            line.join(content, level)
        elif name == "remove":
            model = [each for each in model if each != content]
            line.remove(content)
        elif content in model:
            at = model.index(content)
            model.remove(content)
            last = len(model)
            model.insert({"top": 0, "up": max(0, at - 1), "down": min(last, at + 1), "bottom": last}[name], content)
            line.move(content, name)  # type: ignore[arg-type]
        assert list(line) == model
        places = [line.place_of(each) for each in model]
        assert places == sorted(set(places))
