import random

import pytest

from peerage.catalogue.query_parser import parse
from peerage.identity.keys import PeerId
from peerage.limits import AUDIT_INTERVAL, LIAR_SECONDS
from peerage.overlay.flood.audit import Audit

A, B = PeerId(b"a" * 32), PeerId(b"b" * 32)
TEXTS = ("blue train", "red house", "kind of blue", "night song", "type:audio green", "winter -rain")


@pytest.fixture
def audit() -> Audit:
    made = Audit(random.Random(1))  # noqa: S311 -- a test
    for text in TEXTS:
        made.note_query(parse(text))
    return made


def ask(audit: Audit, link: PeerId, asked: int, answered: int) -> None:
    for number in range(asked):
        audit.note_asked(link)
        if number < answered:
            audit.note_answered(link)


def test_who_answers_much_is_suspected_and_nobody_else(audit):
    ask(audit, A, 100, 80)
    ask(audit, B, 100, 20)
    assert audit.suspects(0.0) == [A]


def test_few_questions_say_nothing(audit):
    ask(audit, A, 31, 31)
    assert audit.suspects(0.0) == []


def test_a_decoy_is_made_of_words_of_different_queries(audit):
    ask(audit, A, 100, 80)
    words = audit.decoy(A, b"1" * 16, 0.0).split()
    assert len(set(words)) == 5
    assert set(words) <= {word for text in TEXTS for word in text.replace("-", " ").split()}


def test_without_queries_heard_there_is_no_decoy():
    silent = Audit(random.Random(1))  # noqa: S311 -- a test
    ask(silent, A, 100, 80)
    assert silent.decoy(A, b"1" * 16, 0.0) is None


def test_nobody_is_asked_decoys_all_the_time(audit):
    ask(audit, A, 100, 80)
    audit.decoy(A, b"1" * 16, 0.0)
    assert audit.suspects(AUDIT_INTERVAL - 1) == []
    assert audit.suspects(AUDIT_INTERVAL) == [A]


def test_two_lies_are_believed_to_be_lies_for_an_hour(audit):
    ask(audit, A, 100, 80)
    for now, question_id in ((0.0, b"1" * 16), (60.0, b"2" * 16)):
        assert not audit.is_liar(A, now)
        audit.decoy(A, question_id, now)
        assert audit.take_answer(question_id, A, now + 1)
    assert audit.is_liar(A, 62.0)
    audit.forget_link(A)  # who comes back is still known
    assert audit.is_liar(A, 61.0 + LIAR_SECONDS - 1)
    assert not audit.is_liar(A, 61.0 + LIAR_SECONDS)


def test_an_answer_counts_once_and_only_from_whom_the_decoy_went_to(audit):
    ask(audit, A, 100, 80)
    audit.decoy(A, b"1" * 16, 0.0)
    assert not audit.take_answer(b"1" * 16, B, 1.0)
    assert audit.take_answer(b"1" * 16, A, 1.0)
    assert not audit.take_answer(b"1" * 16, A, 1.0)
    assert not audit.is_liar(A, 1.0)


def test_a_silent_suspect_is_left_alone(audit):
    ask(audit, A, 1000, 1000)
    for number in range(20):
        audit.decoy(A, bytes([number]) * 16, number * 60.0)
    assert not audit.is_liar(A, 1200.0)
