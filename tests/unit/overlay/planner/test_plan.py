"""The policy of the planner: who is asked when, and on what means."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerage.catalogue.query_parser import parse
from peerage.limits import PLAN_FEW
from peerage.overlay.base import Budget, Cost
from peerage.overlay.planner.plan import Needs, Over, Rarity, SearchPlan, has_whole_word, routes_for

ALL = ("local", "flood", "index", "supernode", "dht")
NEIGHBOURS, INDEX, SUPERNODE, DHT, FLOOD = range(1, 6)
AMPLE = Budget(1000, 1_000_000)


def plan(names=ALL, *, now=0.0, **needs):
    routes = [route for _, route in routes_for(names)]
    return SearchPlan(routes, Needs(**{"wanted": 100, "seconds": 10.0, "budget": AMPLE} | needs), now)


def started(plan, now):
    return [start.stage for start in plan.decide(now).starts]


def spend(messages, *, asked=1):
    return Cost(messages_sent=messages, bytes_sent=10 * messages, peers_asked=asked)


def answered(plan, stage, now, *, messages=3, found=0):
    """A stage asks, finds something and ends."""
    if stage:
        plan.note_cost(stage, spend(messages), now)
    for _ in range(found):
        plan.note_found(stage, now)
    plan.note_ended(stage)


def run_through(plan, found=()):
    """Let every stage end as soon as it begins; returns the order in which they began."""
    order, now, counts = [], 0.0, dict(found)
    while (decision := plan.decide(now)).over is None:
        for start in decision.starts:
            order.append(start.stage)
            answered(plan, start.stage, now, found=counts.get(start.stage, 0))
        now += 0.1
    return order


def test_a_flood_beside_others_looks_round_first_and_goes_far_last():
    stages = routes_for(ALL)
    assert [route.name for _, route in stages] == ["local", "neighbours", "index", "supernode", "dht", "flood"]
    assert [ALL[place] for place, _ in stages] == ["local", "flood", "index", "supernode", "dht", "flood"]
    assert stages[1][1].ttl is not None
    assert stages[5][1].ttl is None


def test_a_flood_alone_is_asked_once_and_in_full():
    ((place, route),) = routes_for(["flood"])
    assert (place, route.ttl, route.dear) == (0, None, False)


def test_an_overlay_nobody_knows_takes_part():
    assert [route.name for _, route in routes_for(["carrier-pigeon"])] == ["carrier-pigeon"]
    assert run_through(plan(["carrier-pigeon"])) == [0]


def test_the_cheap_ones_come_first():
    assert run_through(plan()) == [0, NEIGHBOURS, INDEX, SUPERNODE, DHT]


def test_a_stage_waits_until_the_one_before_is_quiet_not_until_it_ends():
    search = plan(wanted=100)
    assert started(search, 0.0) == [0]
    search.note_ended(0)
    assert started(search, 0.0) == [NEIGHBOURS]
    search.note_cost(NEIGHBOURS, spend(5), 0.1)
    search.note_found(NEIGHBOURS, 0.2)
    assert started(search, 0.7) == []
    assert search.decide(0.7).wake == pytest.approx(0.8)
    assert started(search, 0.8) == [INDEX]
    assert "nothing new from neighbours" in search.why(INDEX)


def test_while_nothing_at_all_is_found_the_next_comes_sooner():
    search = plan()
    search.decide(0.0)
    search.note_ended(0)
    search.decide(0.0)
    assert started(search, 0.29) == []
    assert started(search, 0.3) == [INDEX]


def test_who_keeps_finding_is_not_overtaken():
    search = plan()
    search.decide(0.0)
    search.note_ended(0)
    search.decide(0.0)
    for step in range(1, 20):
        search.note_found(NEIGHBOURS, step / 2)
        assert started(search, step / 2 + 0.1) == []


def test_rare_words_go_to_the_hash_table_at_once():
    search = plan(rarity=Rarity.RARE)
    assert started(search, 0.0) == [0, DHT]
    assert search.why(DHT) == "the words are rare"
    search.note_ended(0)
    assert started(search, 1.1) == [NEIGHBOURS]


def test_common_words_do_not_go_there_when_something_was_found():
    search = plan(rarity=Rarity.COMMON)
    assert DHT not in run_through(search, found={NEIGHBOURS: 1})
    assert "common" in search.why(DHT)
    assert DHT in run_through(plan(rarity=Rarity.COMMON))


def test_without_a_whole_word_the_hash_table_is_of_no_use():
    search = plan(whole_word=False)
    assert DHT not in run_through(search)
    assert "no whole word" in search.why(DHT)


@pytest.mark.parametrize(
    ("text", "whole"), [("blue", True), ("blu*", False), ("size:>1MB", False), ("blue tra*", True), ('"a blu"*', True)]
)
def test_whole_words(text, whole):
    assert has_whole_word(parse(text)) is whole


def test_enough_ends_the_search_and_says_so():
    search = plan(wanted=2)
    search.decide(0.0)
    answered(search, 0, 0.0, found=2)
    assert search.decide(0.0).over is Over.FOUND
    assert search.why(NEIGHBOURS) == "enough was found before"


def test_what_was_found_cheaply_keeps_the_dear_ones_out():
    search = plan(wanted=100)
    order = run_through(search, found={NEIGHBOURS: 30})
    assert order == [0, NEIGHBOURS, INDEX, SUPERNODE]
    assert search.why(DHT) == "30 were found without it"
    few = run_through(plan(wanted=4), found={NEIGHBOURS: PLAN_FEW - 1})
    assert DHT in few


def test_a_flood_goes_far_only_when_nobody_spoke_for_the_whole_network():
    search = plan()
    assert FLOOD not in run_through(search)
    assert search.why(FLOOD) == "supernode spoke for the whole network"
    alone = plan()
    now = 0.0
    order = []
    while (decision := alone.decide(now)).over is None:
        for start in decision.starts:
            order.append(start.stage)
            alone.note_ended(start.stage)  # nobody there to ask
        now += 0.1
    assert order == [0, NEIGHBOURS, INDEX, SUPERNODE, DHT, FLOOD]


def test_the_far_flood_does_not_wait_for_ever_for_one_that_hangs():
    search = plan(["flood", "dht"], seconds=30.0)
    search.decide(0.0)
    answered(search, 0, 0.0)
    assert started(search, 0.0) == [1]
    assert started(search, 5.0) == []
    assert search.decide(5.0).wake == pytest.approx(7.5)
    assert started(search, 7.5) == [2]


def test_a_failure_ends_its_stage_and_is_told():
    search = plan()
    search.decide(0.0)
    search.note_ended(0, "the disk refused")
    assert "the disk refused" in search.why(0)
    assert started(search, 0.0) == [NEIGHBOURS]


def test_silence_ends_a_search_when_everybody_was_asked():
    search = plan(["flood"], seconds=8.0)
    assert started(search, 0.0) == [0]
    search.note_cost(0, spend(5), 0.0)
    search.note_cost(0, spend(6), 1.0)
    assert search.decide(2.9).over is None
    assert search.decide(3.0).over is Over.COMPLETE


def test_what_still_sends_is_not_silent():
    search = plan(["flood"], seconds=30.0)
    search.decide(0.0)
    for second in range(1, 30):
        search.note_cost(0, spend(second), float(second))
        assert search.decide(float(second)).over is None
    assert search.decide(30.0).over is Over.TIME


def test_near_the_end_nobody_new_is_asked():
    search = plan(seconds=1.0)
    search.decide(0.0)
    search.note_ended(0)
    search.decide(0.0)
    search.note_found(NEIGHBOURS, 0.3)
    search.decide(0.95)
    assert search.why(INDEX) == "no time was left"
    assert search.decide(1.0).over is Over.TIME


def test_means_are_set_aside_and_given_back():
    search = plan(budget=Budget(100, 100_000))
    search.decide(0.0)
    search.note_ended(0)
    (near,) = search.decide(0.0).starts
    assert near.budget.messages == 100 * 2 // 19
    search.note_cost(NEIGHBOURS, spend(1), 0.1)
    search.note_ended(NEIGHBOURS)
    (index,) = search.decide(0.1).starts
    assert index.budget.messages == 99 * 2 // 17


def test_a_small_budget_reaches_as_far_as_it_can():
    search = plan(budget=Budget(3, 3000))
    order = run_through(search)
    assert order == [0, NEIGHBOURS]
    assert search.over is Over.BUDGET
    assert "budget" in search.why(SUPERNODE)


def test_stopping_gives_every_stage_a_reason():
    search = plan()
    search.decide(0.0)
    search.stop()
    assert search.over is Over.STOPPED
    assert all(search.why(stage) for stage in range(6))
    assert search.why(DHT) == "the search was stopped before"


@settings(deadline=None)  # a busy computer is no error
@given(
    names=st.lists(st.sampled_from([*ALL, "other"]), min_size=1, max_size=6, unique=True),
    messages=st.integers(1, 60),
    size=st.integers(1, 5000),
    rarity=st.sampled_from(Rarity),
    events=st.lists(
        st.tuples(st.sampled_from(["find", "end", "spend"]), st.integers(0, 6), st.floats(0, 1)), max_size=40
    ),
)
def test_whatever_happens_the_means_suffice_and_no_stage_starts_twice(names, messages, size, rarity, events):
    search = plan(names, budget=Budget(messages, size), rarity=rarity, seconds=5.0)
    granted, spent, now, count = {}, {}, 0.0, len(routes_for(names))
    for what, stage, pause in [*events, *[("end", each, 0.6) for each in range(7)], ("wait", 0, 9.0)]:
        decision = search.decide(now)
        for start in decision.starts:
            assert start.stage not in granted
            granted[start.stage] = start.budget
            spent[start.stage] = 0
        if decision.over is not None:
            break
        assert now < decision.wake <= 5.0
        now += pause
        if stage not in granted:
            continue
        if what == "find":
            search.note_found(stage, now)
        elif what == "end":
            search.note_ended(stage)
        elif routes_for(names)[stage][1].weight:
            room = min(granted[stage].messages, granted[stage].bytes)
            spent[stage] = min(room, spent[stage] + 3)
            search.note_cost(stage, Cost(messages_sent=spent[stage], bytes_sent=spent[stage]), now)
        assert sum(spent.values()) <= min(messages, size)
    assert search.decide(now).over is not None
    assert search.decide(now).starts == ()
    assert all(search.why(stage) for stage in range(count))
