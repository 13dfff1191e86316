import pytest
from overlay_world import record

from peerage.catalogue.query_parser import parse
from peerage.identity.keys import PeerKey
from peerage.overlay.dht.words import Rarity, words_to_ask, words_to_post

KEY = PeerKey.from_seed(b"k" * 32)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("The Quick Brown Fox.mp3", ["quick", "brown", "fox"]),
        ("Album 03 - Zephyrine (1080p).mkv", ["zephyrine", "03"]),
        ("xylophone concerto in d minor for orchestra.pdf", ["xylophone", "concerto", "orchestra"]),
        ("a.mp3", []),
        ("東京物語.mkv", ["東", "京", "物"]),
    ],
)
def test_the_rarest_words_are_posted(name, words):
    assert words_to_post(record(KEY, name), Rarity(), 3) == words


def test_what_this_node_shares_often_is_not_rare():
    rarity = Rarity()
    for number in range(50):
        rarity.learn(record(KEY, f"Philharmonic symphony {number}.flac").words())
    shared = record(KEY, "Philharmonic symphony kazoo.flac")
    assert words_to_post(shared, rarity, 1) == ["kazoo"]
    for number in range(50):
        rarity.forget(record(KEY, f"Philharmonic symphony {number}.flac").words())
    assert words_to_post(shared, rarity, 1) == ["philharmonic"]


def test_the_count_of_words_is_bounded(monkeypatch):
    monkeypatch.setattr("peerage.overlay.dht.words._COUNTED", 10)
    rarity = Rarity()
    rarity.learn(f"word{number}" for number in range(100))
    assert len(rarity._counts) == 10


def test_a_word_made_by_a_program_is_of_no_use():
    assert Rarity()("x" * 41) == 0
    assert words_to_post(record(KEY, "x" * 100 + ".flac"), Rarity(), 3) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("blue saxophone", ["saxophone", "blue"]),
        ('"giant steps"', ["giant", "steps"]),
        ("coltrane type:audio -live", ["coltrane"]),
        ("saxo*", []),
        ('"john" colt*', ["john"]),
        ("type:audio size:>1MB", []),
        ("monk OR mingus", ["monk", "mingus"]),
        ("monk OR type:video", []),
        ("blue OR green zanzibar", ["zanzibar"]),
    ],
)
def test_what_of_a_query_is_looked_up(text, words):
    assert words_to_ask(parse(text), Rarity(), 2) == words


def test_a_word_that_is_common_is_looked_up_when_there_is_no_other():
    assert words_to_ask(parse("the"), Rarity(), 2) == ["the"]
