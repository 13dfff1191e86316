from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.catalogue.text import is_showable, search_words, showable, words_of_all


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Café Müller", "cafe muller"),
        ("STRASSE", "straße"),
        ("Ærø Łódź", "aero lodz"),
        ("ΑΘΗΝΑΣ", "αθηνας"),
        ("Ёлка", "елка"),
        ("ﬁnale №5", "finale no5"),
        ("e\u0301te\u0301", "été"),
        ("שָׁלוֹם", "שלום"),
        ("ＦＵＬＬ　width", "full width"),
    ],
)
def test_accents_case_and_forms_do_not_matter(one: str, other: str) -> None:
    assert search_words(one) == search_words(other)


def test_scripts_without_spaces_are_cut_into_characters() -> None:
    assert search_words("東京タワーx2") == ["東", "京", "タ", "ワ", "ー", "x2"]
    assert search_words("が") == search_words("か\u3099") == ["が"]
    assert search_words("서울시") == ["서", "울", "시"]


def test_marks_that_carry_vowels_stay() -> None:
    assert search_words("हिन्दी") == ["हिन्दी"]


def test_punctuation_separates_and_pictures_are_words() -> None:
    assert search_words("01_Blue-Train (live)🎵.flac") == ["01", "blue", "train", "live", "🎵", "flac"]


@given(st.text())
def test_words_hold_nothing_that_means_something_to_the_index(text: str) -> None:
    for word in search_words(text):
        assert word
        assert not any(character in ' "*\0\ue000()' for character in word)


@given(st.lists(st.one_of(st.sampled_from(["", "Blue Train.flac", "jay-z", "été"]), st.text()), min_size=1))
def test_several_texts_give_the_words_of_each(texts: list[str]) -> None:
    texts = [text.replace("\0", "") for text in texts]
    expected = [[*search_words(text), "|"] for text in texts]
    assert words_of_all(texts, "|") == [word for words in expected for word in words][:-1]


@given(st.text(alphabet=st.characters()), st.integers(1, 64))
def test_what_was_made_showable_is(text: str, room: int) -> None:
    clean = showable(text, room)
    assert is_showable(clean)
    assert len(clean.encode()) <= room


@pytest.mark.parametrize(
    "trick", ["\u202e", "\u2066", "\n", "\x1b", "\u200b", "\x00", "\ud800", "\u2028", "\U000e0041"]
)
def test_direction_and_control_characters_are_replaced(trick: str) -> None:
    assert not is_showable(f"invoice{trick}fdp.exe")
    assert showable(f"invoice{trick}fdp.exe", 100) == "invoice\ufffdfdp.exe"


def test_joiners_that_scripts_need_stay() -> None:
    assert is_showable("می\u200cخواهم 👩\u200d🚀")
