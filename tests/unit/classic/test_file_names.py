"""Names for the wire of 2007: reversible, never two files under one name, nothing that hurts an old peer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.classic.file_names import WireName, from_wire, is_sendable, short_id, to_wire, to_wire_with_id

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)
contents = st.binary(min_size=32, max_size=32)


@given(names)
def test_every_name_comes_back(name: str) -> None:
    assert from_wire(to_wire(name)) == WireName(name)


@given(names, contents)
def test_every_name_with_its_content_comes_back(name: str, content: bytes) -> None:
    assert from_wire(to_wire_with_id(name, content)) == WireName(name, short_id(content))


@given(names, names, contents, contents)
def test_no_two_files_have_one_name(one: str, other: str, first: bytes, second: bytes) -> None:
    assert (to_wire(one) == to_wire(other)) == (one == other)
    assert to_wire(one) != to_wire_with_id(other, first)
    same = to_wire_with_id(one, first) == to_wire_with_id(other, second)
    assert same == (one == other and short_id(first) == short_id(second))


@given(names)
def test_a_name_is_one_field_without_a_colon_or_a_way_out(name: str) -> None:
    wire = to_wire(name)
    assert wire.split() == [wire]
    assert wire.encode().split() == [wire.encode()]
    assert not {*wire} & {*':/\\<>"|?*', "\0"}
    assert wire.isprintable()


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("notes.txt", "notes.txt"),
        ("My Song: live.mp3", "My%20Song%3A%20live.mp3"),
        ("100%.txt", "100%25.txt"),
        ("über.txt", "über.txt"),
        ("a\u3000b", "a%E3%80%80b"),
        ("line\nbreak", "line%0Abreak"),
    ],
)
def test_ordinary_names_stay_as_they_are(name: str, wire: str) -> None:
    assert to_wire(name) == wire


def test_the_content_stands_before_the_ending() -> None:
    content = bytes(32)
    assert to_wire_with_id("notes.txt", content) == f"notes%={'a' * 16}.txt"
    assert to_wire_with_id("notes", content) == f"notes%={'a' * 16}"
    assert to_wire_with_id(".hidden", content) == f".hidden%={'a' * 16}"


@given(st.text(max_size=60))
def test_any_text_from_the_wire_means_something(wire: str) -> None:
    from_wire(wire.encode("utf-8", "replace").decode())


@pytest.mark.parametrize(
    ("field", "fits"), [("a", True), ("", False), ("a b", False), ("a\u00a0b", False), ("x" * 5000, False)]
)
def test_what_can_be_a_field(field: str, fits: bool) -> None:
    assert is_sendable(field) is fits
