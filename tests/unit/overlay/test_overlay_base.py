import pytest

from peerage.errors import LocalError
from peerage.limits import MAX_SEARCH_HITS, MAX_SEARCH_SECONDS, MAX_SEARCH_TTL
from peerage.overlay.base import Budget, Cost, LocateRequest, SearchRequest


@pytest.mark.parametrize(
    "bad",
    [
        {"wanted": 0},
        {"wanted": MAX_SEARCH_HITS + 1},
        {"ttl": 0},
        {"ttl": MAX_SEARCH_TTL + 1},
        {"deadline": 0},
        {"deadline": float("nan")},
        {"budget": Budget(messages=0)},
        {"budget": Budget(bytes=0)},
    ],
)
def test_bounds_that_make_no_sense_are_refused(bad):
    with pytest.raises(LocalError):
        SearchRequest(text="blue", **bad)
    with pytest.raises(LocalError):
        LocateRequest(content_id=bytes(32), **bad)


def test_a_content_id_has_its_length():
    with pytest.raises(LocalError, match="32 bytes"):
        LocateRequest(content_id=b"short")


def test_a_deadline_beyond_what_relays_remember_is_cut():
    assert SearchRequest(text="blue", deadline=1000).seconds == MAX_SEARCH_SECONDS
    assert SearchRequest(text="blue", deadline=2).seconds == 2


def test_a_cost_exceeds_its_budget_by_messages_or_by_bytes():
    cost = Cost(messages_sent=2, messages_received=1, bytes_sent=10, bytes_received=20)
    assert cost.exceeds(Budget(messages=3, bytes=1000))
    assert cost.exceeds(Budget(messages=100, bytes=30))
    assert not cost.exceeds(Budget(messages=4, bytes=31))


def test_a_cost_keeps_the_first_and_the_farthest():
    cost = Cost()
    cost.note_found(2, 0.5)
    cost.note_found(1, 0.7)
    assert (cost.found, cost.hops, cost.first_found) == (2, 2, 0.5)
