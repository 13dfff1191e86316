import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.catalogue.query_parser import parse
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay.keywords import MAX_FILL, need_of, number_of
from peerage.overlay.supernode.leaves import Denied, Leaf, LeafBook
from peerage.overlay.supernode.rules import SupernodeRules

RULES = SupernodeRules(leaves_per_subnet=2, kept=60.0, queries_rate=1.0, queries_burst=3.0, records_burst=100.0)


def peer(number: int) -> PeerId:
    return PeerId(number.to_bytes(32, "big"))


def admit(book, number, host=""):
    return book.admit(peer(number), Address(host or f"20.{number}.0.1", 7411))


def words(book, leaf, *told):
    book.add_numbers(leaf, map(number_of, told))


def says_yes(book, text):
    return book.table().may_match(need_of(parse(text)))


def test_there_are_no_more_leaves_than_places():
    book = LeafBook(RULES, 2)
    assert isinstance(admit(book, 1), Leaf)
    assert isinstance(admit(book, 2), Leaf)
    assert admit(book, 3) is Denied.FULL
    assert isinstance(admit(book, 1), Leaf)
    assert (len(book), book.room) == (2, 0)


def test_one_subnet_has_few_of_the_places():
    book = LeafBook(RULES, 9)
    assert isinstance(admit(book, 1, "20.1.1.1"), Leaf)
    assert isinstance(admit(book, 2, "20.1.1.2"), Leaf)
    assert admit(book, 3, "20.1.1.3") is Denied.SUBNET
    book.remove(peer(1))
    assert isinstance(admit(book, 3, "20.1.1.3"), Leaf)
    assert all(isinstance(admit(book, 4 + each, f"192.168.1.{each + 1}"), Leaf) for each in range(4))


def test_a_lost_leaf_is_silent_keeps_its_place_and_gives_way_to_others():
    book = LeafBook(RULES, 2)
    for number, word in ((1, "blue"), (2, "red")):
        words(book, admit(book, number), word)
    book.lost(peer(1), 10.0)
    assert book.get(peer(1)) is None
    assert not says_yes(book, "blue")
    assert says_yes(book, "red")
    words_kept = admit(book, 1).numbers
    assert len(words_kept) == 1
    assert says_yes(book, "blue")
    book.lost(peer(1), 20.0)
    assert isinstance(admit(book, 3), Leaf)
    assert admit(book, 1) is Denied.FULL


def test_lost_leaves_are_forgotten_after_a_while():
    book = LeafBook(RULES, 2)
    admit(book, 1)
    book.lost(peer(1), 10.0)
    assert book.overdue(69.0) == []
    assert book.overdue(70.0) == [peer(1)]


def test_who_leaves_takes_the_words_along():
    book = LeafBook(RULES, 2)
    words(book, admit(book, 1), "blue", "train")
    words(book, admit(book, 2), "red", "train")
    assert says_yes(book, "blue train")
    book.remove(peer(1))
    assert not says_yes(book, "blue")
    assert says_yes(book, "red train")
    book.forget_numbers(book.get(peer(2)))
    assert not says_yes(book, "red")


def test_nobody_asks_more_by_attaching_again():
    book = LeafBook(RULES, 2)
    admit(book, 1)
    assert [book.may_ask(peer(1), 0.0) for _ in range(4)] == [True] * 3 + [False]
    book.remove(peer(1))
    admit(book, 1)
    assert not book.may_ask(peer(1), 0.5)
    assert book.may_ask(peer(1), 1.0)


def test_records_come_at_a_bounded_rate():
    book = LeafBook(RULES, 2)
    assert book.may_bring(peer(1), 100, 0.0)
    assert not book.may_bring(peer(1), 1, 0.0)
    assert book.may_bring(peer(1), 100, 1.0)


def test_words_of_one_leaf_are_bounded(monkeypatch):
    monkeypatch.setattr("peerage.overlay.supernode.leaves.LEAF_WORDS", 5)
    book = LeafBook(RULES, 2)
    leaf = admit(book, 1)
    words(book, leaf, *"abcdefgh")
    words(book, leaf, *"ijk")
    assert len(leaf.numbers) == 5


def test_who_could_be_a_supernode_can_be_called():
    book = LeafBook(RULES, 3)
    for number in (1, 2, 3):
        admit(book, number).capable = number != 2
    book.lost(peer(3), 0.0)
    assert book.callable_up() == [peer(1)]


@given(st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=60), max_size=12))
def test_the_table_says_yes_to_all_and_no_to_most(all_numbers):
    book = LeafBook(RULES, 20)
    for number, numbers in enumerate(all_numbers):
        leaf = admit(book, number)
        book.add_numbers(leaf, numbers)
    table = book.table()
    for numbers in all_numbers:
        for number in numbers:
            slot = number >> 32 - table.bits
            assert table.slots[slot >> 3] & 1 << (slot & 7)
    assert table.fill <= min(MAX_FILL, 0.13)


@pytest.mark.parametrize("connections", [0, 56, 100, 256, 10_000])
def test_there_are_no_more_places_than_links(connections):
    rules = msgspec.structs.replace(RULES)
    places = rules.places(connections)
    assert 0 <= places <= rules.leaves
    assert not places or places + rules.degree < connections
