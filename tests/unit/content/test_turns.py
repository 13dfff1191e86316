"""Which downloads run: the first in line, and what happens when they get nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from peerage.content.turns import Decision, Turns
from peerage.limits import BENCH_SECONDS, IDLE_SECONDS, YIELD_SECONDS

NOBODY = Decision()


def test_the_first_in_line_run_and_only_so_many() -> None:
    turns = Turns(most=3)
    assert turns.decide([b"a", b"b", b"c", b"d"], {}, 0, 0.0, anew=False) == Decision((b"a", b"b", b"c"))
    assert turns.decide([b"a", b"b", b"c", b"d"], {}, 2, 0.0, anew=False) == Decision((b"a", b"b"))
    assert turns.decide([b"a", b"b", b"c"], {b"a": 0.0, b"b": 0.0}, 2, 0.0, anew=False) == NOBODY
    assert turns.decide([b"a", b"b"], {b"b": 0.0}, 9, 0.0, anew=False) == Decision((b"a",))


def test_who_runs_goes_on_until_the_owner_changes_something() -> None:
    turns = Turns(most=3)
    assert turns.decide([b"new", b"a"], {b"a": 0.0}, 1, 0.0, anew=False) == NOBODY
    assert turns.decide([b"new", b"a"], {b"a": 0.0}, 1, 0.0, anew=True) == Decision((b"new",), (b"a",))
    assert turns.decide([b"a", b"b", b"c"], {b"a": 0.0, b"b": 0.0, b"c": 0.0}, 1, 0.0, anew=True) == Decision(
        (), (b"b", b"c")
    )


def test_a_dead_one_does_not_keep_others_waiting() -> None:
    turns = Turns(most=3)
    assert turns.decide([b"a", b"b"], {b"a": IDLE_SECONDS - 1}, 1, 0.0, anew=False) == NOBODY
    assert turns.decide([b"a", b"b"], {b"a": IDLE_SECONDS}, 1, 0.0, anew=False) == Decision((b"b",))
    running = {b"a": IDLE_SECONDS, b"b": 0.0}
    assert turns.decide([b"a", b"b"], running, 1, 0.0, anew=True) == NOBODY
    assert turns.decide([b"a", b"b", b"c"], {b"a": 0.0, b"b": 0.0}, 1, 0.0, anew=False) == NOBODY  # a lives again


def test_when_all_are_dead_the_deadest_stands_back_for_a_while() -> None:
    turns = Turns(most=2)
    line = [b"a", b"b", b"c"]
    assert turns.decide(line, {b"a": YIELD_SECONDS - 1, b"b": 5.0}, 0, 0.0, anew=False) == NOBODY
    assert turns.decide(line, {b"a": YIELD_SECONDS, b"b": 5.0}, 0, 0.0, anew=False) == Decision(stop=(b"a",))
    assert turns.decide(line, {b"b": 5.0}, 0, 1.0, anew=False) == Decision((b"c",))
    assert turns.decide([b"a", b"b"], {b"b": 5.0}, 0, 1.0, anew=False) == Decision((b"a",))  # nobody else waits
    assert turns.decide(line, {b"b": 5.0}, 0, BENCH_SECONDS, anew=False) == Decision((b"a",))
    assert turns.decide([b"a", b"b"], {b"a": 999.0, b"b": 999.0}, 0, 0.0, anew=False) == NOBODY  # nobody waits


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 30).map(lambda n: bytes([n])), unique=True, max_size=20),
    st.dictionaries(st.integers(0, 30).map(lambda n: bytes([n])), st.floats(0, 1000), max_size=5),
    st.integers(0, 8),
    st.booleans(),
)
def test_never_too_many_run(line: list[bytes], running: dict[bytes, float], at_once: int, anew: bool) -> None:
    line = [*line, *(content for content in running if content not in line)]
    turns = Turns(most=5)
    decision = turns.decide(line, running, at_once, 0.0, anew=anew)
    after = (set(running) - set(decision.stop)) | set(decision.start)
    assert len(after) <= 5
    assert not set(decision.start) & set(running)
    assert set(decision.stop) <= set(running)
    if anew and at_once:
        fresh_or_busy = {each for each in after if each not in running or running[each] < IDLE_SECONDS}
        assert len(fresh_or_busy) <= at_once
