import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from overlay_world import record

from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Meta
from peerage.errors import ProtocolError, QueryError
from peerage.identity.keys import PeerKey
from peerage.overlay.keywords import (
    MAX_BITS,
    MIN_BITS,
    KeywordBag,
    KeywordTable,
    merged,
    need_of,
    need_of_locator,
    number_of,
    number_of_locator,
    numbers_of,
    read_snapshot,
)
from peerage.overlay.locators import locator_of

KEY = PeerKey.from_seed(b"k" * 32)


def table_of(*words: str) -> KeywordTable:
    bag = KeywordBag()
    bag.add(map(number_of, words))
    return bag.table()


def matches(table: KeywordTable, text: str) -> bool:
    return table.may_match(need_of(parse(text)))


def test_the_hash_is_the_one_of_the_protocol_page():
    assert number_of("blue") == zlib.crc32(b"blue") * 0x9E3779B1 % 2**32
    slot = number_of("blue") >> 32 - MIN_BITS
    table = table_of("blue")
    assert table.bits == MIN_BITS
    assert [at for at, byte in enumerate(table.slots) if byte] == [slot // 8]
    assert table.slots[slot // 8] == 1 << slot % 8


def test_all_words_must_be_there():
    table = table_of("blue", "train")
    assert matches(table, "blue train")
    assert matches(table, '"train blue"')
    assert not matches(table, "blue note")
    assert not matches(table, "note")


def test_one_of_several_is_enough():
    table = table_of("blue", "train")
    assert matches(table, "note OR train")
    assert not matches(table, "note OR red")
    assert not matches(table, "blue note OR red")


@pytest.mark.parametrize("text", ["tra*", "type:audio", "size:>1GB", "note OR ext:flac", "note OR tr*"])
def test_what_a_table_cannot_tell_may_match(text):
    assert matches(table_of("blue"), text)


def test_the_whole_words_before_a_beginning_must_be_there():
    assert matches(table_of("blue"), '"blue tra"*')
    assert not matches(table_of("red"), '"blue tra"*')


def test_exclusions_are_not_asked_of_tables():
    assert matches(table_of("blue", "train"), "blue -train")


def test_a_locator_is_found_by_itself():
    bag = KeywordBag()
    here, elsewhere = locator_of(b"1" * 32), locator_of(b"2" * 32)
    bag.add((number_of_locator(here),))
    assert bag.table().may_match(need_of_locator(here))
    assert not bag.table().may_match(need_of_locator(elsewhere))


WORD = st.sampled_from(["blue", "Train", "jay-z", "ß", "東京", "été", "a", "flac", "42", "naïve", "\U0001f3b5", "ＡＢ"])
TEXT = st.lists(WORD, min_size=1, max_size=4).map(" ".join)
TERM = st.one_of(
    WORD,
    WORD.map(lambda word: f"{word}*"),
    st.lists(WORD, min_size=1, max_size=2).map(lambda words: f'"{" ".join(words)}"'),
    st.sampled_from(["type:audio", "ext:flac", "size:>1", "-blue", "blue OR train", "-ext:mp3"]),
)


@given(TEXT, TEXT, st.lists(TEXT, max_size=2), st.lists(TERM, min_size=1, max_size=4), st.integers(MIN_BITS, 14))
def test_a_table_never_denies_what_its_records_answer(name, title, path, terms, bits):
    made = record(KEY, f"{name}.flac", path=tuple(path), meta=Meta(title=title))
    try:
        query = parse(" ".join(terms))
    except QueryError:
        return
    bag = KeywordBag()
    bag.add(numbers_of(made))
    if query.matches(made):
        need = need_of(query)
        assert bag.table().may_match(need)
        assert bag.table().scaled(bits).may_match(need)
        assert merged([bag.table(), KeywordTable(bits)]).may_match(need)


@given(st.sets(st.integers(0, 2**32 - 1), max_size=300), st.integers(MIN_BITS, 16), st.integers(MIN_BITS, 16))
def test_another_size_is_the_same_table_with_other_precision(numbers, bits, other):
    bag = KeywordBag()
    bag.add(numbers)
    smaller, larger = sorted((bits, other))
    table = bag.table()
    assert table.scaled(larger).scaled(smaller) == table.scaled(smaller)
    assert table.scaled(smaller).scaled(larger).scaled(smaller) == table.scaled(smaller)
    expected = {number >> 32 - smaller for number in numbers}
    if smaller <= table.bits:
        set_slots = int.from_bytes(table.scaled(smaller).slots, "little")
        assert {slot for slot in range(1 << smaller) if set_slots >> slot & 1} == expected


@given(st.sets(st.integers(0, 2**32 - 1), max_size=50), st.sets(st.integers(0, 2**32 - 1), max_size=50))
def test_what_goes_over_the_wire_arrives(before, added):
    older, newer = KeywordBag(), KeywordBag()
    older.add(before)
    newer.add(before | added)
    table = newer.table()
    assert read_snapshot(table.bits, table.snapshot()) == table
    base = older.table().scaled(table.bits)
    assert read_snapshot(base.bits, base.snapshot()).patched(base.patch_to(table)) == table


def test_a_table_grows_with_what_is_in_it_and_stays_small_on_the_wire():
    few = table_of(*(f"word{number}" for number in range(60)))
    assert (few.bits, len(few.snapshot()) < 200) == (13, True)
    many = table_of(*(f"word{number}" for number in range(12_000)))
    assert many.bits == MAX_BITS
    assert many.fill < 0.012
    assert len(many.snapshot()) < 32_000
    assert matches(many, "word0 word11999")
    assert not matches(many, "word0 word12000")


def test_few_others_are_taken_for_what_is_there():
    table = table_of(*(f"word{number}" for number in range(60)))
    wrong = sum(matches(table, f"other{number}") for number in range(5000))
    assert wrong < 5000 * 0.02


# --- attacks ---------------------------------------------------------------------------------------------------------


def test_full_table():
    full = zlib.compress(b"\xff" * 128)
    with pytest.raises(ProtocolError, match="full"):
        read_snapshot(10, full)
    with pytest.raises(ProtocolError, match="full"):
        KeywordTable(10).patched(full)


def test_packed_bomb():
    bomb = zlib.compress(bytes(64 * 1024 * 1024), 9)
    with pytest.raises(ProtocolError, match="not 128 bytes"):
        read_snapshot(10, bomb)


@pytest.mark.parametrize("bits", [-1, 0, 3, MIN_BITS - 1, MAX_BITS + 1, 1000])
def test_table_of_an_odd_size(bits):
    with pytest.raises(ProtocolError, match="bits"):
        read_snapshot(bits, zlib.compress(bytes(128)))


@pytest.mark.parametrize("data", [b"", b"x", zlib.compress(bytes(127)), zlib.compress(bytes(129))])
def test_broken_table(data):
    with pytest.raises(ProtocolError):
        read_snapshot(10, data)


@given(st.binary(max_size=200))
def test_garbage_table(data):
    with pytest.raises(ProtocolError):
        read_snapshot(12, data)


def test_something_behind_the_table():
    with pytest.raises(ProtocolError):
        read_snapshot(10, zlib.compress(bytes(128)) + b"more")
