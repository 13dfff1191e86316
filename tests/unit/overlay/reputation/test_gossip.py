"""News goes out once, in small batches, to whoever does not know it yet."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from votes import RULES, key_of, vote

from peerage.overlay.reputation.gossip import Gossip, batches_for

NEIGHBOUR = key_of("neighbour").peer_id
VOTES = [vote(f"voter {number}", 1) for number in range(30)]


def test_own_votes_go_one_link_others_one_more():
    gossip = Gossip(RULES)
    gossip.add(VOTES[0], 0, None)
    gossip.add(VOTES[1], 2, key_of("other").peer_id)
    batches = batches_for(gossip.take(0.0), NEIGHBOUR)
    assert [(each.hops, each.votes) for each in batches] == [(1, (VOTES[0],)), (3, (VOTES[1],))]
    assert not len(gossip)


def test_a_vote_ends_after_so_many_links():
    gossip = Gossip(RULES)
    gossip.add(VOTES[0], RULES.hops, NEIGHBOUR)
    assert not len(gossip)
    gossip.add(VOTES[0], RULES.hops - 1, NEIGHBOUR)
    assert len(gossip) == 1


def test_nobody_hears_what_he_told_or_cast():
    gossip = Gossip(RULES)
    gossip.add(VOTES[0], 1, NEIGHBOUR)
    gossip.add(vote("neighbour", 2), 1, key_of("other").peer_id)
    assert batches_for(gossip.take(0.0), NEIGHBOUR) == []


def test_batches_are_small_and_rare_and_the_nearest_go_first():
    gossip = Gossip(RULES)
    for number, each in enumerate(VOTES):
        gossip.add(each, 3 if number < 20 else 1, None)
    first = gossip.take(100.0)
    assert [each.vote for each in first] == VOTES[20:30]
    assert gossip.pause(101.0) == RULES.interval - 1
    assert gossip.pause(110.0) == 0
    assert [each.vote for each in gossip.take(110.0)] == VOTES[:10]


@given(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 7)), max_size=60))
def test_what_waits_is_bounded_and_the_farthest_give_way(news):
    rules = msgspec.structs.replace(RULES, waiting=10, sent=100)
    gossip = Gossip(rules)
    for number, travelled in news:
        gossip.add(VOTES[number], travelled, None)
        assert len(gossip) <= 10
    hops = [each.hops for each in gossip.take(0.0)]
    assert hops == sorted(hops)
    assert all(each <= RULES.hops for each in hops)
