"""The database's answers are those of `Query.matches`."""

from __future__ import annotations

import asyncio

from catalogue_samples import KEYS, ME, InlineExecutor, Kind, Meta, Visibility, describe
from hypothesis import given, settings
from hypothesis import strategies as st

from peerage.catalogue.database import Database
from peerage.catalogue.query_parser import parse
from peerage.catalogue.query_sql import compile_query
from peerage.catalogue.record import Record
from peerage.errors import QueryError
from peerage.identity.keys import format_id

WORDS = [
    "blue",
    "Bl\u00fce",
    "train",
    "trains",
    "tr",
    "live",
    "東京",
    "京",
    "東",
    "jay-z",
    "jay",
    "z",
    "ﬁn",
    "ß",
    "ss",
    "ё",
]
_text = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)
_durations = st.sampled_from([0.0, 59.5, 60.0, 300.0])
_meta = st.none() | st.builds(Meta, title=_text, artist=_text, duration=_durations)
_sizes = st.sampled_from([0, 999, 1000, 1001, 10**9, 2**62])


@st.composite
def records(draw: st.DrawFn) -> Record:
    folder = draw(st.booleans()) and draw(st.booleans())
    description = describe(
        draw(_text) + draw(st.sampled_from(["", ".mp3", ".flac", ".pdf"])),
        kind=Kind.FOLDER if folder else Kind.FILE,
        path=tuple(draw(st.lists(_text, max_size=2))),
        meta=None if folder else draw(_meta),
        size=draw(_sizes),
        visibility=draw(st.sampled_from([Visibility.PUBLIC, Visibility.FRIENDS])),
    )
    return Record.sign(draw(st.sampled_from(KEYS[1:])), description, 1)


_operators = st.sampled_from(["<", "<=", ">", ">=", "="])
_terms = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(WORDS).map("{}*".format),
    _text.map('"{}"'.format),
    _text.map('"{}"*'.format),
    st.sampled_from(["type:audio", "type:document", "type:folder", "type:audio/flac", "ext:mp3", "ext:pdf"]),
    st.builds("size:{}{}".format, _operators, st.sampled_from(["0", "1kB", "1000", "1GB", "5P"])),
    st.builds("duration:{}{}".format, _operators, st.sampled_from(["1m", "59.5s", "5m", "0s"])),
    st.sampled_from(KEYS).map(lambda key: f"from:{format_id(key.peer_id)}"),
)
_texts = st.lists(st.tuples(st.sampled_from(["", "", "", "-", "OR "]), _terms), min_size=1, max_size=6).map(
    lambda pieces: " ".join(sign + term for sign, term in pieces)
)


@settings(max_examples=120, deadline=None)
@given(st.lists(records(), max_size=12), st.lists(_texts, min_size=1, max_size=12))
def test_the_database_finds_exactly_what_matches(held: list[Record], texts: list[str]) -> None:
    async def compare() -> None:
        database = await Database.open(None, ME.peer_id, InlineExecutor())
        await database.add(held)
        kept = {(one.content, one.slot()): one for one in reversed(held)}.values()
        for text in texts:
            try:
                query = parse(text)
            except QueryError:
                continue
            found = await database.search(query)
            assert len(found) == len(set(found))
            assert set(found) == {one for one in kept if query.matches(one)}, text
        await database.close()

    asyncio.run(compare())


def test_nothing_that_was_typed_is_in_the_sql() -> None:
    compiled = compile_query(parse("ext:zzzz size:>77 type:audio/yyyy from:" + "a" * 52 + ' xxxx OR ext:wwww -"vvvv"'))
    sql = " ".join(condition.sql for condition in compiled.conditions)
    assert not any(typed in sql for typed in ["zzzz", "77", "yyyy", "xxxx", "wwww", "vvvv"])
