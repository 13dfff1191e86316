from __future__ import annotations

import pytest
from catalogue_samples import KEYS
from hypothesis import example, given
from hypothesis import strategies as st

from peerage.catalogue.media_type import MediaType
from peerage.catalogue.query import (
    AnyOf,
    Comparison,
    DurationIs,
    ExtensionIs,
    HolderIs,
    MimeIs,
    SizeIs,
    Term,
    TypeIs,
    Words,
)
from peerage.catalogue.query_parser import parse
from peerage.errors import QueryError
from peerage.identity.keys import format_id
from peerage.limits import MAX_QUERY_CHARS, MAX_QUERY_TERMS


def wanted(text: str) -> list[Term]:
    return [term for group in parse(text).wanted for term in group.terms]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Blue train", [Words(("blue",)), Words(("train",))]),
        ("blu*", [Words(("blu",), prefix=True)]),
        ('"Blue Train"', [Words(("blue", "train"))]),
        ('"blue tra"*', [Words(("blue", "tra"), prefix=True)]),
        ("“blue train”", [Words(("blue", "train"))]),
        ("jay-z", [Words(("jay", "z"))]),
        ("東京*", [Words(("東", "京"), prefix=True)]),
        ("Artist - Title", [Words(("artist",)), Words(("title",))]),
        ("mission: impossible", [Words(("mission",)), Words(("impossible",))]),
        ("or", [Words(("or",))]),
        ("TYPE:Audio", [TypeIs(MediaType.AUDIO)]),
        ("type:folder", [TypeIs(MediaType.FOLDER)]),
        ("type:audio/flac", [MimeIs("audio/flac")]),
        ("ext:.FLAC", [ExtensionIs("flac")]),
        ("size:>10MB", [SizeIs(Comparison.GREATER, 10_000_000)]),
        ("size:<=1.5KiB", [SizeIs(Comparison.LESS_OR_EQUAL, 1536)]),
        ("size:=7", [SizeIs(Comparison.EQUAL, 7)]),
        ("size:>999999999999999999P", [SizeIs(Comparison.GREATER, 2**62)]),
        ("duration:<5m", [DurationIs(Comparison.LESS, 300)]),
        ("duration:>=1h30m10s", [DurationIs(Comparison.GREATER_OR_EQUAL, 5410)]),
        ("duration:>1:02:03", [DurationIs(Comparison.GREATER, 3723)]),
        ("duration:<90", [DurationIs(Comparison.LESS, 90)]),
        (f"from:{format_id(KEYS[0].peer_id)}", [HolderIs(KEYS[0].peer_id)]),
    ],
)
def test_terms(text: str, terms: list[Term]) -> None:
    assert wanted(text) == terms


def test_or_binds_closer_than_side_by_side() -> None:
    query = parse("beatles OR stones OR type:video live")
    assert query.wanted == (
        AnyOf((Words(("beatles",)), Words(("stones",)), TypeIs(MediaType.VIDEO))),
        AnyOf((Words(("live",)),)),
    )


def test_exclusions() -> None:
    query = parse('train -live -"steam engine" -ext:mp3')
    assert query.unwanted == (Words(("live",)), Words(("steam", "engine")), ExtensionIs("mp3"))
    assert query.wanted == (AnyOf((Words(("train",)),)),)


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("", 0, "nothing to look for"),
        ("?!", 0, "nothing to look for"),
        ("  -live", 2, "say also what to look for"),
        ('blue "train', 5, "not closed"),
        ("OR blue", 0, "left side"),
        ("-x OR blue", 3, "left side"),
        ("a OR OR b", 5, "left side"),
        ("blue OR", 5, "right side"),
        ("blue OR ?", 5, "right side"),
        ("blue OR -train", 8, "exclusion"),
        ("blue b*", 6, "at least 2 letters"),
        ("colour:red", 0, "no filter colour"),
        ("x type:", 7, "right after the colon"),
        ("x type:song", 7, "the types are"),
        ("x ext:a.b", 6, "looks like ext:flac"),
        ("x size:10MB", 7, "more or less"),
        ("x size:>big", 7, "a size looks like"),
        ("x duration:<soon", 11, "a duration looks like"),
        ("x duration:<", 11, "more or less"),
        ("x from:me", 7, "is not an id"),
        ("x" * (MAX_QUERY_CHARS + 1), MAX_QUERY_CHARS, "at most"),
        ("x " * (MAX_QUERY_TERMS + 1), 2 * MAX_QUERY_TERMS, "at most"),
    ],
)
def test_errors_point_at_the_character(text: str, position: int, reason: str) -> None:
    with pytest.raises(QueryError, match=reason) as caught:
        parse(text)
    assert caught.value.position == position
    assert caught.value.text == text


_pieces = st.lists(
    st.sampled_from(
        ["a", "bé", "-", '"', "*", "OR", " ", "type:", "size:>", "1", "audio", ":", "東", "\n", "'", ")", "\0"]
    )
)


@given(st.one_of(st.text(max_size=300), _pieces.map("".join)))
@example("-" * 256)
@example('"*' * 128)
def test_any_text_is_a_query_or_a_query_error(text: str) -> None:
    try:
        query = parse(text)
    except QueryError as error:
        position = error.position
    else:
        position = 0
        assert query.wanted
        assert len(query.terms()) + len(query.unwanted) <= MAX_QUERY_TERMS
    assert 0 <= position <= len(text)
