import random

from peerage.overlay.dht.limits import DHT_RPC_TIMEOUT, DHT_RPC_TIMEOUT_MAX, DHT_RPC_TIMEOUT_MIN
from peerage.overlay.dht.timing import Patience


def test_it_begins_with_the_default():
    assert Patience().seconds == DHT_RPC_TIMEOUT
    assert Patience(2).seconds == 2 * DHT_RPC_TIMEOUT


def test_it_follows_the_slow_answers_not_the_mean():
    rng = random.Random(1)
    patience = Patience()
    for _ in range(3000):
        patience.note(rng.uniform(0.1, 0.3) if rng.random() < 0.9 else rng.uniform(0.6, 0.8))
    assert 1.0 < patience.seconds < 1.9


def test_it_stays_between_its_bounds():
    patience = Patience()
    for _ in range(2000):
        patience.note(0.0)
    assert patience.seconds == DHT_RPC_TIMEOUT_MIN
    for _ in range(5000):
        patience.note(60.0)
    assert patience.seconds == DHT_RPC_TIMEOUT_MAX


def test_silence_makes_it_wait_longer():
    patience = Patience()
    for _ in range(50):
        patience.note_silence()
    assert patience.seconds > DHT_RPC_TIMEOUT
