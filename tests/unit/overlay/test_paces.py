"""How fast each peer may go, by the clock of the test."""

from __future__ import annotations

from peerage.overlay.paces import Paces

ANNA, BERT = b"a" * 32, b"b" * 32


def test_each_has_a_burst_and_then_the_rate():
    paces = Paces(2.0, 3.0)
    assert [paces.take(ANNA, 1, 0.0) for _ in range(4)] == [True, True, True, False]
    assert paces.take(BERT, 3, 0.0)
    assert [paces.take(ANNA, 1, 0.5) for _ in range(2)] == [True, False]


def test_work_is_charged_to_those_who_are_known_even_into_debt():
    paces = Paces(1.0, 2.0)
    paces.charge(ANNA, 100, 0.0)  # never let in, so nothing is known of it
    assert paces.take(ANNA, 1, 0.0)
    paces.charge(ANNA, 5, 0.0)
    assert not paces.take(ANNA, 1, 4.0)
    assert paces.take(ANNA, 1, 5.0)


def test_attack_linking_again_gives_no_more_and_the_memory_is_bounded():
    paces = Paces(0.001, 1.0, remembered=2)
    assert paces.take(ANNA, 1, 0.0)
    assert not paces.take(ANNA, 1, 599.0)  # a refusal is a use: it lives on
    assert not paces.take(ANNA, 1, 900.0)
    for number in range(10):
        assert paces.take(bytes([number]) * 32, 1, 900.0)
    assert len(paces._buckets) == 2
