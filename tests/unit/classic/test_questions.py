"""Searches without ids: once, not far, not many; and answers only to what was asked."""

from __future__ import annotations

import pytest

from peerage.classic.questions import OldHit, OpenQuestions, Question, SeenQueries
from peerage.identity.address import Address
from peerage.limits import (
    CLASSIC_KEY_CHARS,
    CLASSIC_QUERY_BURST,
    CLASSIC_RELAY_BURST,
    CLASSIC_SEEN_QUERIES,
    CLASSIC_SEEN_SECONDS,
    CLASSIC_TTL,
    MAX_OWN_SEARCHES,
)
from peerage.wire.classic import QueryRequest

HOLDER = Address("10.0.0.2", 5000)


def query(key: str = "key", ttl: int | None = 4, return_id: str = "10.0.0.1:5000") -> QueryRequest:
    return QueryRequest(return_id, key, ttl)


@pytest.mark.parametrize(("ttl", "further"), [(4, 4), (1_000_000, CLASSIC_TTL), (0, 0), (-9, 0), (None, None)])
def test_the_ttl_has_bounds(ttl: int | None, further: int | None) -> None:
    assert SeenQueries(0.0).ttl_of(query(ttl=ttl), 0.0, for_itself=True) == further


def test_a_search_is_carried_out_once_in_a_while() -> None:
    seen = SeenQueries(0.0)
    assert seen.ttl_of(query(), 0.0, for_itself=True) == 4
    assert seen.ttl_of(query(ttl=3), 1.0, for_itself=False) is None
    assert seen.ttl_of(query("other"), 1.0, for_itself=True) == 4
    assert seen.ttl_of(query(return_id="10.0.0.9:1"), 1.0, for_itself=True) == 4
    assert seen.ttl_of(query(), CLASSIC_SEEN_SECONDS, for_itself=True) == 4


def test_long_fields_are_not_kept() -> None:
    seen = SeenQueries(0.0)
    assert seen.ttl_of(query("k" * (CLASSIC_KEY_CHARS + 1)), 0.0, for_itself=True) is None
    assert seen.ttl_of(query(return_id="h" * CLASSIC_KEY_CHARS + ":1"), 0.0, for_itself=True) is None


def test_rates_for_oneself_and_for_others() -> None:
    seen = SeenQueries(0.0)
    own = sum(seen.ttl_of(query(f"own{n}"), 0.0, for_itself=True) is not None for n in range(1000))
    others = sum(seen.ttl_of(query(f"other{n}"), 0.0, for_itself=False) is not None for n in range(1000))
    assert (own, others) == (CLASSIC_QUERY_BURST, CLASSIC_RELAY_BURST)


def test_what_is_remembered_is_bounded() -> None:
    seen = SeenQueries(0.0)
    for number in range(CLASSIC_SEEN_QUERIES + 100):
        seen.ttl_of(query(f"key{number}"), number / 1000, for_itself=True)
    assert len(seen._seen) == CLASSIC_SEEN_QUERIES


def test_an_answer_reaches_every_question_it_fits() -> None:
    questions, one, other = OpenQuestions(), list[OldHit](), list[OldHit]()
    first = questions.begin(Question(("Notes",), one.append))
    questions.begin(Question(("txt", "pdf"), other.append))
    hit = OldHit("my-NOTES.txt", HOLDER)
    assert questions.offer(hit, "10.0.0.2")
    assert not questions.offer(hit, "10.0.0.2")  # once is enough
    assert not questions.offer(OldHit("song.mp3", HOLDER), "10.0.0.2")
    questions.end(first)
    assert questions.offer(OldHit("notes2.pdf", HOLDER), "10.0.0.2")
    assert (one, len(other)) == ([hit], 2)
    assert not questions.full
    for _ in range(MAX_OWN_SEARCHES):
        questions.begin(Question(("x",), one.append))
    assert questions.full
