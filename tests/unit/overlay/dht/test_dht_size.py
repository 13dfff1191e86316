import random

from dht_samples import rules

from peerage.overlay.dht.contacts import SPACE
from peerage.overlay.dht.size import NetworkSize


def distances(rng, peers, count=20):
    """Return the distances of the nearest of so many peers from a random point."""
    return sorted(rng.getrandbits(256) for _ in range(peers))[:count]


def test_with_nothing_measured_everything_is_near():
    size = NetworkSize(rules())
    assert size.peers == 1
    assert size.radius == size.near == SPACE - 1
    assert size.prefix_bits == 0
    size.note([1, 2, 3], 0.0)
    assert size.peers == 1


def test_the_estimate_is_within_a_quarter():
    rng = random.Random(1)
    for peers in (100, 1000, 10_000):
        size = NetworkSize(rules())
        for now in range(15):
            size.note(distances(rng, peers), now)
        assert 0.75 * peers < size.peers < 1.25 * peers
        expected = rules().region * SPACE / peers
        assert 0.7 * expected < size.radius < 1.4 * expected
        cells = 1 << size.prefix_bits
        assert peers / 4 <= cells * 2 * 24 <= 3 * peers or peers <= 200


def test_sybils_round_a_few_points_do_not_spoil_it():
    rng = random.Random(2)
    size = NetworkSize(rules())
    for now in range(15):
        crowd = [rng.getrandbits(200) for _ in range(45)] if now % 3 == 0 else []
        size.note(sorted(distances(rng, 1000) + crowd)[:20], now)
    assert 700 < size.peers < 1500


def test_it_forgets_what_the_network_was():
    rng = random.Random(3)
    size = NetworkSize(rules())
    for now in range(15):
        size.note(distances(rng, 100), now)
    size.note_home(distances(rng, 5000), 3600.0)
    assert size.peers > 3000


def test_home_counts_once():
    rng = random.Random(4)
    size = NetworkSize(rules())
    for now in range(4):
        size.note(distances(rng, 1000), now)
    for now in range(4, 50):
        size.note_home(distances(rng, 10), now)
    assert size.peers > 500


def test_what_a_node_measured_when_it_had_just_come_counts_for_a_short_time():
    rng = random.Random(5)
    size = NetworkSize(rules())
    for now in range(8):
        size.note(distances(rng, 100), now)
    assert size.peers < 300
    for now in range(120, 240, 30):
        size.note(distances(rng, 10_000), now)
    assert size.peers > 5000


def test_what_was_measured_half_an_hour_ago_counts_for_who_has_been_there_for_long():
    rng = random.Random(6)
    size = NetworkSize(rules())
    for now in range(0, 7200, 120):
        size.note(distances(rng, 1000), now)
    for now in range(7201, 7205):  # four walks into a crowd
        size.note(distances(rng, 100_000), now)
    assert size.peers < 3000
