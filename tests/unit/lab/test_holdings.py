import random
from collections import Counter

import pytest

from peerage.errors import LocalError
from peerage.lab.holdings import Held, Holdings, Stock
from peerage.lab.lines import LINES, draw, mix
from peerage.lab.vocabulary import Vocabulary


def make(seats: int = 3000, **stock) -> Holdings:
    return Holdings(random.Random(2), seats, Stock(**stock))


def test_every_item_lies_on_as_many_seats_as_it_has_copies():
    holdings = make()
    lying = Counter(item.number for seat in holdings.seats for item in seat)
    assert all(lying[item.number] == item.copies for item in holdings.items)


def test_rare_and_single_items_are_held_by_exactly_their_share():
    holdings = make(rare=7, single=9)
    copies = {held: [item.copies for item in holdings.items if item.held is held] for held in Held}
    assert copies[Held.RARE] == [3] * 7
    assert copies[Held.SINGLE] == [1] * 9
    assert min(copies[Held.POPULAR]) >= 30
    assert max(copies[Held.POPULAR]) == 150
    assert max(copies[Held.OTHER]) < 30


def test_copies_follow_zipfs_law():
    first, second, _, fourth, *_ = [item.copies for item in make(exponent=1.0).items]
    assert (second, fourth) == (first / 2, pytest.approx(first / 4, abs=1))


def test_free_riders_hold_nothing_and_some_hold_much_more_than_others():
    sizes = sorted(len(seat) for seat in make(freeriders=0.4).seats)
    empty = sum(size == 0 for size in sizes) / len(sizes)
    assert 0.4 <= empty < 0.75
    assert sizes[-1] > 8 * sum(sizes) / len(sizes)


def test_popular_items_are_asked_for_more_often():
    holdings, rng = make(), random.Random(1)
    asked = Counter(holdings.ask_for(Held.POPULAR, rng).rank for _ in range(3000))
    assert asked[0] > 2 * asked[3] > 0
    assert {holdings.ask_for(Held.SINGLE, rng).held for _ in range(50)} == {Held.SINGLE}


def test_the_same_seed_gives_the_same_world():
    one, other = make(200), make(200)
    assert one.items == other.items
    assert one.seats == other.seats


def test_names_are_three_words_that_no_other_item_has():
    names = [item.words for item in make(500).items]
    assert len(set(names)) == len(names)
    assert {len(words) for words in names} == {3}


def test_words_are_different_and_some_are_common():
    words = Vocabulary(random.Random(1), 1000)
    common = Counter(words.common() for _ in range(2000))
    rare = Counter(words.rare() for _ in range(2000))
    assert common.most_common(1)[0][1] > 20 * rare.most_common(1)[0][1]
    assert not common.keys() & rare.keys()


@pytest.mark.parametrize(("seats", "stock"), [(1, {}), (10, {"freeriders": 1.0})])
def test_worlds_without_content_are_refused(seats, stock):
    with pytest.raises(LocalError):
        make(seats, **stock)


def test_a_class_without_items_cannot_be_asked_for():
    with pytest.raises(LocalError, match="no rare items"):
        make(rare=0).ask_for(Held.RARE, random.Random())


@pytest.mark.parametrize("name", LINES)
def test_lines_are_drawn_by_their_shares(name):
    rng = random.Random(1)
    drawn = Counter(draw(mix(name), rng).name for _ in range(4000))
    assert all(drawn[line.name] / 4000 == pytest.approx(line.share, abs=0.04) for line in mix(name))


def test_unknown_lines_are_refused_with_the_names():
    with pytest.raises(LocalError, match="none, home, 2002"):
        mix("tin cans")
