import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.errors import LimitError
from peerage.identity.keys import PeerId
from peerage.overlay.flood.state import AnswerSize, Dropped, FloodRules, FloodState, Onward, Passage

A, B, C = (PeerId(letter * 32) for letter in (b"a", b"b", b"c"))
Q1, Q2 = b"1" * 16, b"2" * 16


def state(**rules) -> FloodState:
    return FloodState(FloodRules(**rules), 0.0)


def size(hits: int = 1, hops: int = 0, length: int = 100) -> AnswerSize:
    return AnswerSize(hops, hits, length)


def test_a_question_goes_on_with_one_link_less():
    assert state().take_question(Q1, 4, A, 0.0) == Onward(3, first=True, fair=True)


def test_the_last_link_is_only_answered():
    assert state().take_question(Q1, 1, A, 0.0) == Onward(0, first=True, fair=True)


def test_a_question_goes_no_farther_than_this_node_allows():
    assert state(max_ttl=5).take_question(Q1, 7, A, 0.0) == Onward(4, first=True, fair=True)


@pytest.mark.parametrize("ttl", [8, 9, 255])
def test_a_ttl_above_all_bounds_is_dropped(ttl):
    assert state().take_question(Q1, ttl, A, 0.0) is Dropped.TTL


def test_a_question_without_ttl_is_dropped():
    assert state().take_question(Q1, 0, A, 0.0) is Dropped.TTL


def test_a_question_is_taken_once():
    flood = state()
    flood.take_question(Q1, 4, A, 0.0)
    assert flood.take_question(Q1, 4, B, 1.0) is Dropped.DUPLICATE
    assert flood.take_question(Q1, 3, A, 1.0) is Dropped.DUPLICATE


def test_a_copy_that_may_travel_farther_goes_on_but_is_not_answered_again():
    flood = state()
    flood.take_question(Q1, 1, A, 0.0)
    assert flood.take_question(Q1, 4, B, 0.1) == Onward(3, first=False, fair=True)
    assert flood.take_question(Q1, 4, C, 0.2) is Dropped.DUPLICATE
    assert flood.take_answer(Q1, C, size(), 0.3) == Passage(A, 1)  # the way back stays the fastest


def test_in_2001_a_copy_that_was_faster_hides_those_that_could_travel_farther():
    flood = FloodState(FloodRules.classic_2001(), 0.0)
    flood.take_question(Q1, 1, A, 0.0)
    assert flood.take_question(Q1, 4, B, 0.1) is Dropped.DUPLICATE


def test_own_question_that_comes_back_is_dropped():
    flood = state()
    flood.begin(Q1, 10.0, 0.0)
    flood.end(Q1)
    assert flood.take_question(Q1, 4, B, 1.0) is Dropped.DUPLICATE


def test_questions_are_forgotten_after_their_time():
    flood = state(seen_seconds=10.0)
    flood.take_question(Q1, 4, A, 0.0)
    assert flood.take_question(Q1, 4, A, 10.0) == Onward(3, first=True, fair=True)


def test_a_link_brings_no_more_than_its_rate():
    flood = state(incoming_rate=2.0, incoming_burst=3.0)
    verdicts = [flood.take_question(bytes([number]) * 16, 4, A, 0.0) for number in range(5)]
    assert verdicts == [Onward(3, first=True, fair=True)] * 3 + [Dropped.RATE] * 2
    assert flood.take_question(b"x" * 16, 4, B, 0.0) == Onward(3, first=True, fair=True)
    assert flood.take_question(b"y" * 16, 4, A, 0.5) == Onward(3, first=True, fair=True)
    assert flood.take_question(b"z" * 16, 4, A, 0.5) is Dropped.RATE


def test_a_link_is_sent_no_more_than_its_rate():
    flood = state(relayed_rate=1.0, relayed_burst=2.0)
    assert [flood.may_relay(A, 0.0) for _ in range(3)] == [True, True, False]
    assert flood.may_relay(B, 0.0)
    assert flood.may_relay(A, 1.0)


def test_one_who_asks_much_leaves_half_of_each_link_to_the_others():
    flood = state(relayed_burst=40.0, incoming_burst=100.0)

    def relayed(link, count, start):
        passed = 0
        for number in range(start, start + count):
            onward = flood.take_question(number.to_bytes(16, "big"), 4, link, 0.0)
            passed += flood.may_relay(C, 0.0, fair=onward.fair)
        return passed

    assert relayed(B, 1, 0) == 1
    assert 10 <= relayed(A, 60, 100) <= 20
    assert relayed(B, 15, 1) == 15


def test_alone_one_may_use_all_of_a_link():
    flood = state(relayed_burst=10.0)
    fair = [flood.take_question(number.to_bytes(16, "big"), 4, A, 0.0).fair for number in range(12)]
    assert [flood.may_relay(C, 0.0, fair=each) for each in fair] == [True] * 10 + [False] * 2


def test_what_a_link_brought_long_ago_counts_no_more():
    flood = state(incoming_burst=100.0)
    for number in range(50):
        flood.take_question(number.to_bytes(16, "big"), 4, A, 0.0)
    flood.take_question(b"b" * 16, 4, B, 0.0)
    assert not flood.take_question(b"a" * 16, 4, A, 0.0).fair
    flood.take_question(b"c" * 16, 4, B, 60.0)
    assert flood.take_question(b"d" * 16, 4, A, 60.0).fair


def test_an_honest_node_stays_below_what_its_neighbours_take():
    rules = FloodRules()
    assert rules.own_rate + rules.relayed_rate <= rules.incoming_rate
    assert rules.own_burst + rules.relayed_burst <= rules.incoming_burst
    assert rules.route_seconds <= rules.seen_seconds


def test_an_answer_goes_back_where_the_question_came_from():
    flood = state()
    flood.take_question(Q1, 4, A, 0.0)
    assert flood.take_answer(Q1, B, size(3), 1.0) == Passage(A, 3)


def test_an_answer_to_an_own_question_stays_here():
    flood = state()
    flood.begin(Q1, 10.0, 0.0)
    assert flood.take_answer(Q1, B, size(3), 1.0) == Passage(None, 3)
    flood.end(Q1)
    assert flood.take_answer(Q1, B, size(3), 1.0) is Dropped.UNKNOWN


def test_an_answer_nobody_asked_for_is_dropped():
    assert state().take_answer(Q1, B, size(), 0.0) is Dropped.UNKNOWN


def test_an_answer_after_the_routes_time_is_dropped():
    flood = state(route_seconds=30.0)
    flood.take_question(Q1, 4, A, 0.0)
    assert flood.take_answer(Q1, B, size(), 29.9) == Passage(A, 1)
    assert flood.take_answer(Q1, B, size(), 30.0) is Dropped.UNKNOWN


def test_an_answer_does_not_go_back_where_it_came_from():
    flood = state()
    flood.take_question(Q1, 4, A, 0.0)
    assert flood.take_answer(Q1, A, size(), 0.0) is Dropped.ECHO


def test_an_answer_from_farther_than_any_question_goes_is_dropped():
    flood = state(max_ttl=3)
    flood.take_question(Q1, 3, A, 0.0)
    assert flood.take_answer(Q1, B, size(hops=2), 0.0) == Passage(A, 1)
    assert flood.take_answer(Q1, B, size(hops=3), 0.0) is Dropped.FAR


def test_hits_of_one_link_leave_room_for_others():
    flood = state(question_hits=10, question_hits_per_link=6)
    flood.take_question(Q1, 4, A, 0.0)
    assert flood.take_answer(Q1, B, size(9), 0.0) == Passage(A, 6)
    assert flood.take_answer(Q1, B, size(1), 0.0) is Dropped.ENOUGH
    assert flood.take_answer(Q1, C, size(9), 0.0) == Passage(A, 4)
    assert flood.take_answer(Q1, C, size(1), 0.0) is Dropped.ENOUGH


def test_answers_are_bounded_in_bytes():
    flood = state(question_bytes=1000)
    flood.take_question(Q1, 4, A, 0.0)
    assert flood.take_answer(Q1, B, size(length=900), 0.0) == Passage(A, 1)
    assert flood.take_answer(Q1, B, size(length=101), 0.0) is Dropped.ENOUGH
    assert flood.take_answer(Q1, B, size(length=100), 0.0) == Passage(A, 1)


def test_own_hits_are_bounded_by_what_is_wanted_and_by_the_way_back():
    flood = state(answer_hits=50, route_seconds=30.0)
    flood.take_question(Q1, 4, A, 0.0)
    assert flood.hits_to_give(Q1, 1000, 1.0) == 50
    assert flood.hits_to_give(Q1, 7, 1.0) == 7
    assert flood.hits_to_give(Q1, 7, 31.0) == 0
    assert flood.hits_to_give(Q2, 7, 1.0) == 0


def test_own_searches_are_bounded():
    flood = state(own_searches=2)
    flood.begin(Q1, 10.0, 0.0)
    flood.begin(Q2, 10.0, 0.0)
    with pytest.raises(LimitError, match="under way"):
        flood.begin(b"3" * 16, 10.0, 0.0)
    flood.end(Q1)
    flood.begin(b"3" * 16, 10.0, 0.0)


def test_own_searches_wait_for_their_turn():
    flood = state(own_rate=2.0, own_burst=1.0)
    assert flood.begin(Q1, 10.0, 0.0) == 0
    assert flood.begin(Q2, 10.0, 0.0) == 0.5
    assert flood.begin(b"3" * 16, 10.0, 0.5) == 0.5
    with pytest.raises(LimitError, match="wait a moment"):
        flood.begin(b"4" * 16, 0.5, 0.5)


def test_a_lost_link_is_forgotten():
    flood = state(incoming_rate=1.0, incoming_burst=1.0)
    flood.take_question(Q1, 4, A, 0.0)
    assert flood.take_question(Q2, 4, A, 0.0) is Dropped.RATE
    flood.forget_link(A)
    assert flood.take_question(Q2, 4, A, 0.0) == Onward(3, first=True, fair=True)


def test_the_tables_are_bounded_and_own_questions_stay():
    flood = state(seen=3, routes=3)
    flood.begin(Q1, 10.0, 0.0)
    for number in range(100):
        flood.take_question(number.to_bytes(16, "big"), 4, A, 0.0)
        flood.forget_link(A)
    assert flood.take_answer((96).to_bytes(16, "big"), B, size(), 0.0) is Dropped.UNKNOWN
    assert flood.take_answer((97).to_bytes(16, "big"), B, size(), 0.0) == Passage(A, 1)
    assert flood.take_answer(Q1, B, size(), 0.0) == Passage(None, 1)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 255), st.sampled_from([A, B, C]), st.floats(0, 5)), max_size=60
    )
)
def test_whatever_comes_each_copy_goes_on_farther_and_none_too_far(events):
    flood = state(max_ttl=7)
    now, taken = 0.0, {}
    for number, ttl, link, pause in events:
        now = min(now + pause, 119.0)  # within the time for which questions are remembered
        verdict = flood.take_question(bytes([number]) * 16, ttl, link, now)
        if isinstance(verdict, Onward):
            assert taken.get(number, -1) < verdict.ttl < 7
            assert verdict.first == (number not in taken)
            taken[number] = verdict.ttl


@given(st.lists(st.tuples(st.sampled_from([B, C]), st.integers(1, 64), st.integers(0, 9), st.integers(1, 65536))))
def test_whatever_comes_back_no_more_passes_than_the_route_has_room_for(answers):
    flood = state(question_hits=100, question_hits_per_link=60, question_bytes=200_000)
    flood.take_question(Q1, 7, A, 0.0)
    passed, length = {B: 0, C: 0}, 0
    for link, hits, hops, weight in answers:
        verdict = flood.take_answer(Q1, link, AnswerSize(hops, hits, weight), 0.0)
        if isinstance(verdict, Passage):
            assert verdict.back == A
            assert 1 <= verdict.hits <= hits
            passed[link] += verdict.hits
            length += weight
    assert max(passed.values()) <= 60
    assert sum(passed.values()) <= 100
    assert length <= 200_000
