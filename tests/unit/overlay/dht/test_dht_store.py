from dht_samples import OWN, peer_id, rules
from hypothesis import given, settings
from hypothesis import strategies as st

from peerage.overlay.dht.store import Offer, Publisher, Shelves

NOW, LATER = 1000.0, 2000.0


def shelves(**changes):
    return Shelves(OWN, rules(**changes))


def slot(number, kind=0):
    return (kind, number.to_bytes(32, "big"))


def publisher(number, subnet=""):
    return Publisher(peer_id(number), subnet, "5.6.7.8")


def offer(where, label=b"", item="item", size=100, expires=LATER):
    return Offer(where, label, item, size, expires)


def test_what_is_put_is_there_until_it_expires():
    made = shelves()
    assert made.put(offer(slot(1)), publisher(1), NOW) is True
    assert [each.item for each in made.get(slot(1), NOW)] == ["item"]
    assert made.get(slot(1), LATER) == []
    assert made.get(slot(1, kind=1), NOW) == []
    assert made.expire(LATER) == 1
    assert len(made) == made.size == 0


def test_renewing_replaces_and_lasts_longer():
    made = shelves()
    made.put(offer(slot(1)), publisher(1), NOW)
    assert made.put(offer(slot(1), item="new", expires=3000.0), publisher(1), NOW) is False
    assert [each.item for each in made.get(slot(1), LATER)] == ["new"]
    assert len(made) == 1


def test_only_the_own_entry_is_dropped():
    made = shelves()
    made.put(offer(slot(1)), publisher(1), NOW)
    assert not made.drop(slot(1), peer_id(2), b"")
    assert not made.drop(slot(2), peer_id(1), b"")
    assert made.drop(slot(1), peer_id(1), b"")
    assert len(made) == 0


def test_a_publisher_has_its_share():
    made = shelves(stored_per_publisher=2)
    kept = [made.put(offer(slot(number)), publisher(1), NOW) for number in range(1, 4)]
    assert kept == [True, True, None]
    assert made.put(offer(slot(3)), publisher(2), NOW)
    made.drop(slot(1), peer_id(1), b"")
    assert made.put(offer(slot(4)), publisher(1), NOW)


def test_a_subnet_has_its_share():
    made = shelves(stored_per_subnet=2)
    kept = [made.put(offer(slot(1)), publisher(number, "4:1"), NOW) for number in range(1, 4)]
    assert kept == [True, True, None]
    assert made.put(offer(slot(1)), publisher(9, "4:2"), NOW)
    assert made.put(offer(slot(1)), publisher(10), NOW)


def test_a_key_has_its_share_and_gives_it_to_the_living():
    made = shelves(per_key=2)
    assert [made.put(offer(slot(1)), publisher(number), NOW) for number in range(1, 4)] == [True, True, None]
    assert made.load(slot(1)) == 100
    assert made.load(slot(2)) < 100
    assert made.put(offer(slot(1), expires=9000.0), publisher(4), LATER)


def test_a_publisher_and_a_subnet_have_their_share_of_a_key():
    made = shelves(per_key_publisher=2, per_key_subnet=3)
    kept = [made.put(offer(slot(1), label=b"%d" % each), publisher(1, "4:1"), NOW) for each in range(3)]
    assert kept == [True, True, None]
    assert made.put(offer(slot(1)), publisher(2, "4:1"), NOW)
    assert made.put(offer(slot(1)), publisher(3, "4:1"), NOW) is None
    assert made.put(offer(slot(2)), publisher(3, "4:1"), NOW)


def test_when_all_is_full_the_farthest_key_gives_way_and_never_a_nearer_one():
    made = shelves(stored=3)
    for number in (10, 20, 30):
        made.put(offer(slot(number)), publisher(number), NOW)
    assert made.put(offer(slot(40)), publisher(40), NOW) is None
    assert made.put(offer(slot(5)), publisher(5), NOW)
    assert made.get(slot(30), NOW) == []
    assert made.get(slot(10), NOW)
    assert made.put(offer(slot(20)), publisher(6), NOW) is None


def test_bytes_are_bounded_too():
    made = shelves(stored_bytes=1000)
    for number in (10, 20, 30):
        assert made.put(offer(slot(number), size=100), publisher(number), NOW)
    assert made.put(offer(slot(40), size=100), publisher(40), NOW) is None
    assert made.put(offer(slot(1), size=700), publisher(1), NOW)
    assert made.size <= 1000
    assert made.get(slot(1), NOW)


@settings(max_examples=15)
@given(st.randoms(use_true_random=False))
def test_whatever_is_put_the_bounds_hold_and_the_books_are_right(rng):
    made = shelves(stored=20, stored_bytes=8000, per_key=6, per_key_publisher=2, stored_per_publisher=7)
    slots = [slot(number) for number in range(1, 9)]
    for step in range(150):
        one = publisher(rng.randrange(1, 6), f"4:{rng.randrange(3)}")
        where = rng.choice(slots)
        label = b"%d" % rng.randrange(3)
        if rng.random() < 0.8:
            made.put(offer(where, label, size=rng.randrange(1, 800), expires=step + rng.randrange(1, 60)), one, step)
        elif rng.random() < 0.5:
            made.drop(where, one.peer_id, label)
        else:
            made.expire(step)
        everything = [each for where in slots for each in made.get(where, 0)]
        assert len(made) == len(everything) <= 20
        assert made.size == sum(each.size for each in everything)
        for where in slots:
            assert len(made.get(where, 0)) <= 6
    made.expire(10_000)
    assert len(made) == made.size == made.fill == 0
