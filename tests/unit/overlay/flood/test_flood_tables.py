import random

import msgspec
import pytest

from peerage.catalogue.query_parser import parse
from peerage.identity.keys import PeerId
from peerage.limits import MAX_LINK_DEGREE, TABLE_BYTES, TABLES_BURST
from peerage.overlay.flood.messages import TableUpdate
from peerage.overlay.flood.state import FloodRules
from peerage.overlay.flood.tables import TableBook, Taken
from peerage.overlay.keywords import KeywordBag, KeywordTable, need_of, number_of

A, B = PeerId(b"a" * 32), PeerId(b"b" * 32)


def table_of(*words: str) -> KeywordTable:
    bag = KeywordBag()
    bag.add(map(number_of, words))
    return bag.table()


def need(text):
    return need_of(parse(text))


def book(**rules) -> TableBook:
    return TableBook(FloodRules(**rules), 0.0)


def update(table: KeywordTable | None, *, level=0, **more) -> TableUpdate:
    fields = {
        "level": level,
        "number": 1,
        "bits": table.bits if table else 0,
        "patch": False,
        "more": False,
        "links": 5,
        "private": False,
        "data": table.snapshot() if table else b"",
    }
    return TableUpdate(**fields | more)


def carry(pieces, to: TableBook, *, link=A, now=0.0):
    return [
        to.take(link, TableUpdate(links=5, private=False, **msgspec.structs.asdict(piece)), now) for piece in pieces
    ]


def test_a_link_that_told_nothing_is_asked():
    assert book().near(A, need("blue")) == 1


def test_a_link_is_asked_from_where_its_tables_match():
    theirs = book()
    theirs.take(A, update(table_of("blue")), 0.0)
    assert theirs.near(A, need("blue")) == 1
    assert theirs.near(A, need("red")) == 2  # nothing is known of its neighbours
    theirs.take(A, update(table_of("red"), level=1), 0.0)
    assert theirs.near(A, need("red")) == 2
    assert theirs.near(A, need("green")) == 3


def test_with_tables_of_one_level_the_second_is_passed_over():
    theirs = book(table_depth=1)
    assert theirs.take(A, update(table_of("red"), level=1), 0.0) is Taken.PART
    theirs.take(A, update(table_of("blue")), 0.0)
    assert theirs.near(A, need("red")) == 2


def test_changes_go_out_as_patches_and_arrive():
    ours, theirs = book(), book()
    words = [f"word{number}" for number in range(100)]
    assert carry(ours.change(0, table_of(*words), 0.0), theirs) == [Taken.TABLE]
    patch = ours.change(0, table_of(*words, "blue"), 1.0)
    assert [piece.patch for piece in patch] == [True]
    assert len(patch[0].data) < 60
    assert carry(patch, theirs) == [Taken.TABLE]
    assert theirs.near(A, need("blue word7")) == 1
    assert theirs.near(A, need("red")) == 2


def test_no_change_is_not_told():
    ours = book()
    ours.change(0, table_of("blue"), 0.0)
    assert ours.change(0, table_of("blue"), 1.0) == []


def test_a_new_link_gets_what_the_others_have_and_then_the_same_patches():
    ours, late = book(), book()
    ours.change(0, table_of("blue"), 0.0)
    ours.change(0, table_of("blue", "red"), 1.0)
    carry(ours.whole(0), late)
    assert late.near(A, need("red")) == 1
    assert carry(ours.change(0, table_of("blue", "red", "green"), 2.0), late) == [Taken.TABLE]
    assert late.near(A, need("green")) == 1


def test_a_table_that_grew_is_sent_whole():
    ours, theirs = book(), book()
    carry(ours.change(0, table_of("blue"), 0.0), theirs)
    larger = table_of(*(f"word{number}" for number in range(1000)))
    pieces = ours.change(0, larger, 1.0)
    assert not pieces[0].patch
    carry(pieces, theirs)
    assert theirs.near(A, need("word999")) == 1


def test_a_large_table_goes_in_parts():
    ours, theirs = book(), book()
    bag = KeywordBag()
    rng = random.Random(1)  # noqa: S311 -- a test
    bag.add(rng.getrandbits(32) for _ in range(300_000))
    assert carry(ours.change(0, bag.table(), 0.0), theirs)[-1] is Taken.TABLE
    assert len(ours.whole(0)) > 1
    assert set(carry(ours.whole(0)[:-1], theirs, link=B)) == {Taken.PART}
    assert theirs.neighbours_table() == bag.table()


def test_changes_are_told_a_few_at_once_and_then_one_an_interval():
    ours = book(table_interval=60.0, table_burst=2.0)
    told = [ours.change(0, table_of(f"word{number}"), float(number)) is not None for number in range(5)]
    assert told == [True, True, False, False, False]
    assert ours.change(0, table_of("later"), 62.0)


def test_a_node_that_tells_no_more_is_asked():
    theirs = book()
    theirs.take(A, update(table_of("blue")), 0.0)
    theirs.take(A, update(None), 0.0)
    assert theirs.near(A, need("red")) == 1


def test_the_neighbours_are_merged_whatever_their_sizes():
    theirs = book()
    theirs.take(A, update(table_of("blue")), 0.0)
    theirs.take(B, update(table_of(*(f"word{number}" for number in range(500)))), 0.0)
    table = theirs.neighbours_table()
    assert table.may_match(need("blue"))
    assert table.may_match(need("word499"))
    theirs.forget_link(A)
    assert not theirs.neighbours_table().may_match(need("blue"))


# --- attacks ---------------------------------------------------------------------------------------------------------


def full(bits: int = 10) -> KeywordTable:
    return KeywordTable(bits, b"\xff" * (1 << bits - 3))


def test_full_table_brings_no_questions():
    theirs = book()
    assert theirs.take(A, update(full()), 0.0) is Taken.REFUSED
    assert theirs.near(A, need("blue")) == 2
    theirs.take(A, update(full(), level=1), 0.0)
    assert theirs.near(A, need("blue")) == 3
    assert not theirs.neighbours_table().may_match(need("blue"))


def test_filling_a_table_by_patches():
    theirs = book()
    theirs.take(A, update(KeywordTable(10)), 0.0)
    patch = KeywordTable(10).patch_to(full())
    assert theirs.take(A, update(KeywordTable(10), number=2, patch=True, data=patch), 0.0) is Taken.REFUSED
    assert theirs.near(A, need("blue")) == 2


@pytest.mark.parametrize("number", [0, 1, 3])
def test_patch_for_another_table(number):
    theirs = book()
    patch = update(KeywordTable(10), number=number, patch=True, data=KeywordTable(10).patch_to(table_of("blue")))
    assert theirs.take(A, patch, 0.0) is Taken.REFUSED
    theirs.take(B, update(KeywordTable(10)), 0.0)
    assert theirs.take(B, patch, 0.0) is Taken.REFUSED


def test_endless_table():
    theirs = book()
    part = update(KeywordTable(20), more=True, data=bytes(48 * 1024))
    verdicts = [theirs.take(A, part, 0.0) for _ in range(TABLE_BYTES // (48 * 1024) + 1)]
    assert set(verdicts[:-1]) == {Taken.PART}
    assert verdicts[-1] is Taken.REFUSED


def test_flood_of_tables():
    theirs = book()
    verdicts = [theirs.take(A, update(table_of("blue")), 0.0) for _ in range(100)]
    assert verdicts.count(Taken.TABLE) == TABLES_BURST
    assert set(verdicts[int(TABLES_BURST) :]) == {Taken.RATE}
    assert theirs.take(B, update(table_of("blue")), 0.0) is Taken.TABLE


def test_lying_about_the_number_of_links():
    theirs = book()
    theirs.take(A, update(table_of("blue"), links=255), 0.0)
    assert theirs.links_of(A) == MAX_LINK_DEGREE


def test_a_node_that_has_too_much_for_a_table_says_so():
    ours = book()
    ours.change(0, table_of("blue"), 0.0)
    (piece,) = ours.change(0, full(20), 1.0)
    assert (piece.bits, piece.data) == (0, b"")
