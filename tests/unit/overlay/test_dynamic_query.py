import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.identity.keys import PeerId
from peerage.overlay.dynamic_query import DynamicQuery, Goal, QueryRules, Target, horizon


def peer(number: int) -> PeerId:
    return PeerId(bytes([number]) * 32)


def targets(*near: int, degree: int = 6) -> list[Target]:
    return [Target(peer(number), degree, each) for number, each in enumerate(near)]


def dynamic(links, *, wanted=10, max_ttl=7, depth=2, deadline=30.0, population=0, **rules) -> DynamicQuery:
    goal = Goal(wanted, max_ttl, depth, deadline, population)
    return DynamicQuery(QueryRules(**rules), goal, links, random.Random(1))  # noqa: S311 -- a test


def ttls(step) -> list[int]:
    return sorted(ttl for _, ttl in step.asks)


def test_a_few_links_whose_tables_match_are_asked_first_and_near():
    step = dynamic(targets(3, 1, 2, 1, 3, 2), probes=3).next(0, 0.0)
    assert {link for link, _ in step.asks} >= {peer(1), peer(3)}
    assert ttls(step) == [1, 1, 2]


def test_where_no_table_matches_all_are_asked_just_beyond_the_tables():
    step = dynamic(targets(3, 3, 3, 3)).next(0, 0.0)
    assert ttls(step) == [3, 3, 3, 3]


def test_what_is_not_found_is_looked_for_one_link_farther_each_time():
    query = dynamic(targets(3, 3, 3), horizon=10**9)
    assert [ttls(query.next(0, float(now))) for now in range(5)] == [[ttl] * 3 for ttl in (3, 4, 5, 6, 7)]
    assert query.next(0, 6.0) is None


def test_what_is_common_is_not_looked_for_any_farther_than_needed():
    query = dynamic(targets(*[1] * 8), wanted=10)
    assert ttls(query.next(0, 0.0)) == [1, 1, 1]
    step = query.next(3, 1.0)  # each host has one: seven more are needed, from five links that were not asked
    assert sum(horizon(6, 6, ttl) for ttl in ttls(step)) >= 7
    assert max(ttls(step)) <= 2
    assert len(step.asks) <= 5
    assert query.next(10, 2.0) is None


def test_the_estimate_decides_how_far():
    def second(found):
        query = dynamic(targets(*[1] * 8), wanted=100)
        query.next(0, 0.0)
        return sum(horizon(6, 6, ttl) for ttl in ttls(query.next(found, 1.0)))

    assert second(50) < second(10) < second(3)


def test_enough_is_enough():
    assert dynamic(targets(1, 1), wanted=5).next(5, 0.0) is None


def test_nobody_to_ask():
    assert dynamic([]).next(0, 0.0) is None


def test_the_horizon_ends_the_search():
    query = dynamic(targets(*[3] * 6), horizon=500)
    steps = 0
    while query.next(0, float(steps)) is not None:
        steps += 1
    assert query.hosts >= 500
    assert steps == 2  # ttl 3 reaches some 150 hosts, ttl 4 some 750


def test_the_ttl_of_the_search_is_the_bound():
    query = dynamic(targets(3, 1, 3), max_ttl=2)
    asked = []
    while (step := query.next(0, float(len(asked)))) is not None:
        asked += ttls(step)
    assert max(asked) == 2


def test_little_time_makes_long_strides():
    patient, hasty = dynamic(targets(3, 3), deadline=30.0), dynamic(targets(3, 3), deadline=0.3)
    assert ttls(patient.next(0, 0.0)) == [3, 3]
    assert ttls(hasty.next(0, 0.0)) == [7, 7]


def test_waiting_follows_how_long_answers_take():
    slow, quick = dynamic(targets(3, 3)), dynamic(targets(3, 3))
    slow.next(0, 0.0)
    quick.next(0, 0.0)
    for _ in range(20):
        slow.note_answer(2, 1.6)
        quick.note_answer(2, 0.02)
    assert slow.next(0, 1.0).wait == pytest.approx(4 * 1.0)  # the most that a hop may take
    assert quick.next(0, 1.0).wait == pytest.approx(4 * 0.05)


def test_lying_about_the_number_of_links():
    assert horizon(10**9, 6, 3) == horizon(64, 6, 3)
    assert horizon(-5, 6, 3) == horizon(2, 6, 3)
    liar = dynamic([Target(peer(0), 10**9, 3), *targets(3, 3, 3)[1:]])
    liar.next(0, 0.0)
    assert liar.hosts < QueryRules().horizon


def test_waiting_is_bounded_whatever_answers_say():
    query = dynamic(targets(3, 3))
    query.next(0, 0.0)
    query.note_answer(0, 1e9)
    query.note_answer(255, 0.0)
    assert query.next(0, 1.0).wait <= 4.0


LINKS = st.lists(st.tuples(st.integers(-1, 255), st.integers(1, 3)), max_size=12)


@given(LINKS, st.integers(1, 1000), st.integers(1, 7), st.lists(st.integers(0, 400), min_size=40, max_size=40))
def test_however_it_goes_it_ends_and_never_asks_twice(links, wanted, max_ttl, founds):
    made = [Target(peer(number), degree, near) for number, (degree, near) in enumerate(links)]
    query = dynamic(made, wanted=wanted, max_ttl=max_ttl, deadline=10.0)
    asked: dict[PeerId, int] = {}
    now, found = 0.0, 0
    for more in [*founds, *[0] * 100]:
        step = query.next(found, now)
        if step is None:
            break
        assert step.asks
        assert step.wait >= 0
        assert len({link for link, _ in step.asks}) == len(step.asks)
        for link, ttl in step.asks:
            assert asked.get(link, 0) < ttl <= max_ttl
            asked[link] = ttl
        now += step.wait
        found += more
    else:
        pytest.fail("it did not end")
    if found < wanted and query.hosts < QueryRules().horizon:
        assert all(asked.get(target.link, 0) == max_ttl for target in made if target.near <= max_ttl)


def test_where_all_are_linked_those_whose_tables_match_are_asked_and_nobody_twice():
    query = dynamic(targets(1, 2, 1, 2, 1, 1, 1), depth=1, probes=3, population=8)
    first, second = query.next(0, 0.0), query.next(1, 1.0)
    assert ttls(first) == [1, 1, 1]
    assert ttls(second) == [1, 1]
    asked = {link for step in (first, second) for link, _ in step.asks}
    assert asked == {peer(0), peer(2), peer(4), peer(5), peer(6)}
    assert query.next(1, 2.0) is None


def test_where_all_are_linked_and_nothing_was_found_the_others_are_asked_in_spite_of_their_tables():
    query = dynamic(targets(1, 2, 2), depth=1, population=4)
    assert ttls(query.next(0, 0.0)) == [1]
    assert {link for link, _ in query.next(0, 1.0).asks} == {peer(1), peer(2)}
    assert query.next(0, 2.0) is None


def test_with_nobody_linked_and_nobody_there_nobody_is_asked():
    assert dynamic([], population=1).next(0, 0.0) is None


def asked_in_all(query: DynamicQuery, found: int) -> list[int]:
    asked = ttls(query.next(0, 0.0))
    while (step := query.next(found, 0.01 * len(asked))) is not None:
        asked += ttls(step)
    return asked


@pytest.mark.parametrize("found", [0, 1])
def test_where_it_is_known_how_many_there_are_only_so_many_are_asked_as_reach_nearly_all(found):
    links = targets(*[2] * 36, degree=36)
    few = asked_in_all(dynamic(links, depth=1, max_ttl=4, population=60), found)
    many = asked_in_all(dynamic(links, depth=1, max_ttl=4, population=250), found)
    assert set(few) == set(many) == {2}
    assert 1 <= len(few) < 4  # each reaches half of the 23 that are not next door
    assert 10 < len(many) < 20


def test_where_there_are_more_than_two_links_away_a_question_goes_three():
    links = targets(*[2] * 36, degree=36)
    assert max(asked_in_all(dynamic(links, depth=1, max_ttl=4, population=3000), 0)) == 3
    farther = dynamic(links, depth=1, max_ttl=4, population=200_000, horizon=10**9)
    assert max(asked_in_all(farther, 0)) == 4


def test_hosts_that_are_reached_twice_count_once():
    query = dynamic(targets(*[2] * 30, degree=36), depth=1, population=100, max_ttl=4)
    query.next(0, 0.0)
    assert 80 <= query.hosts < 90


def test_however_few_are_not_known_to_have_nothing_those_who_may_have_it_are_asked():
    query = dynamic(targets(*[1] * 5, *[2] * 31, degree=36), depth=1, population=38, max_ttl=4)
    assert {link for link, _ in query.next(0, 0.0).asks} == {peer(number) for number in range(5)}


def test_what_is_so_rare_that_nearly_all_must_be_asked_is_not_asked_for_far_away():
    query = dynamic(targets(*[1] * 3, *[2] * 33, degree=36), depth=1, wanted=20, max_ttl=4, population=250)
    assert ttls(query.next(0, 0.0)) == [1, 1, 1]
    assert set(ttls(query.next(1, 0.1))) == {2}
