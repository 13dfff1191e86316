import random
from functools import partial

import pytest
from dht_samples import OWN, contact, near, peer_id, rules
from hypothesis import given, settings
from hypothesis import strategies as st

from peerage.overlay.dht.contacts import SPACE, number_of
from peerage.overlay.dht.routing import RoutingTable


def table(**changes):
    return RoutingTable(OWN, rules(**changes))


def filled(numbers, **changes):
    made = table(**changes)
    for number in numbers:
        made.add(contact(number), 0.0)
    return made


def test_a_node_does_not_know_itself():
    made = table()
    assert not made.add(contact(0), 0.0)
    assert not made.wants(contact(0))
    made.hear(contact(0))
    assert made.take_spare() is None
    assert len(made) == 0


def test_a_full_bucket_keeps_its_old_contacts():
    made = filled([SPACE // 2 + each for each in range(3)], bucket=3)
    newcomer = contact(SPACE // 2 + 9)
    assert not made.wants(newcomer)
    assert not made.add(newcomer, 1.0)
    assert newcomer.peer_id not in made
    assert made.add(contact(1), 1.0)  # of another bucket


def test_who_fails_once_is_told_to_nobody_and_twice_is_gone():
    made = filled([5, 6])
    made.failed(peer_id(5))
    assert [number_of(each.peer_id) for each in made.closest(5, 10)] == [6]
    made.alive(peer_id(5), 1.0)
    assert len(made.closest(5, 10)) == 2
    made.failed(peer_id(5))
    made.failed(peer_id(5))
    assert peer_id(5) not in made
    assert len(made) == 1


def test_a_spare_takes_the_place_of_who_has_gone():
    made = filled([SPACE // 2 + each for each in range(2)], bucket=2)
    spare = contact(SPACE // 2 + 9)
    made.hear(spare)
    assert made.take_spare() is None  # no room yet
    made.remove(peer_id(SPACE // 2))
    assert made.take_spare() == spare
    assert made.take_spare() is None


def test_spares_are_bounded_and_the_newest_are_kept():
    made = table(spares=3)
    for each in range(10):
        made.hear(contact(SPACE // 2 + each))
    taken = [number_of(made.take_spare().peer_id) - SPACE // 2 for _ in range(3)]
    assert sorted(taken) == [7, 8, 9]
    assert made.take_spare() is None


def test_the_emptiest_bucket_gets_its_spare_first():
    made = filled([SPACE // 2 + each for each in range(5)])
    made.hear(contact(SPACE // 2 + 9))
    made.hear(near(3))
    assert made.take_spare() == near(3)


def test_one_subnet_has_its_share_of_a_bucket_and_of_the_table():
    made = table(subnet_bucket=2, subnet_table=3)
    taken = [made.add(near(0, each, f"5.6.7.{each}"), 0.0) for each in range(1, 5)]
    assert taken == [True, True, False, False]
    assert [made.add(near(bits, 0, "5.6.7.9"), 0.0) for bits in (1, 2)] == [True, False]
    assert made.add(near(2, 0, "5.6.8.9"), 0.0)
    made.remove(near(0, 1).peer_id)
    assert made.add(near(2, 1, "5.6.7.9"), 0.0)


def test_private_networks_have_no_share():
    made = table()
    assert all(made.add(near(0, each, "192.168.0.1"), 0.0) for each in range(20))


def test_who_moves_to_a_full_subnet_goes():
    made = table(subnet_table=1)
    made.add(near(0, 0, "5.6.7.1"), 0.0)
    made.add(near(1, 0, "5.6.8.1"), 0.0)
    assert not made.add(near(1, 0, "5.6.7.2"), 1.0)
    assert len(made) == 1
    assert made.add(near(0, 0, "5.6.7.3"), 1.0)
    assert made.closest(0, 1)[0].addresses[0].host == "5.6.7.3"


def test_contacts_on_this_computer_are_counted():
    made = table()
    made.add(near(0, 0, "127.0.0.1"), 0.0)
    assert made.here == 1
    made.add(near(0, 0, "5.6.7.8"), 0.0)
    assert made.here == 0


def test_the_stalest_of_each_bucket_in_turn():
    made = table()
    for bits, when in ((0, 1.0), (1, 2.0), (2, 90.0)):
        made.add(near(bits, 1), when)
        made.add(near(bits, 2), when + 5)
    found = [made.stalest(100.0, 50.0) for _ in range(4)]
    assert {each.peer_id for each in found} == {near(0, 1).peer_id, near(1, 1).peer_id}
    assert made.stalest(50.0, 60.0) is None


def test_near_is_who_few_are_nearer_than():
    made = filled([1, 2, 3, 1000])
    assert made.is_near(4, 4)
    assert not made.is_near(4, 3)
    assert made.is_near(0, 1)
    assert not made.is_near(2000, 4)


@given(st.lists(st.integers(1, SPACE - 1), unique=True, max_size=60), st.integers(0, SPACE - 1), st.integers(1, 30))
def test_the_closest_are_the_closest(numbers, target, count):
    made = filled(numbers, bucket=100)
    best = sorted(numbers, key=lambda each: each ^ target)[:count]
    assert [number_of(each.peer_id) for each in made.closest(target, count)] == best


@given(st.lists(st.integers(1, 2**16), unique=True, max_size=60), st.integers(0, 2**16), st.integers(1, 30))
def test_the_closest_are_the_closest_in_a_crowd(numbers, target, count):
    made = filled(numbers, bucket=100)
    best = sorted(numbers, key=lambda each: each ^ target)[:count]
    assert [number_of(each.peer_id) for each in made.closest(target, count)] == best


@settings(max_examples=30)
@given(st.randoms(use_true_random=False))
def test_whatever_happens_the_books_are_right(rng: random.Random):
    made = table(bucket=3, spares=2, subnet_table=4)
    for step in range(200):
        number = rng.randrange(1, 64) << rng.choice([0, 100, 249])
        other = contact(number, f"5.6.{rng.randrange(3)}.1")
        deeds = [
            partial(made.add, other, step),
            partial(made.hear, other),
            partial(made.failed, other.peer_id),
            partial(made.alive, other.peer_id, step),
            made.take_spare,
        ]
        rng.choice(deeds)()
        here = made.contacts()
        assert len(made) == len(here) == len({each.peer_id for each in here})
        hosts = [each.addresses[0].host for each in here]
        assert all(hosts.count(host) <= 4 for host in hosts)


@pytest.mark.parametrize("count", [1, 5])
def test_who_asks_is_not_told_of_itself(count):
    made = filled(range(1, 9))
    assert peer_id(1) not in {each.peer_id for each in made.closest(1, count, avoid=peer_id(1))}
