from __future__ import annotations

import pytest
from catalogue_samples import KEYS, Kind, Meta, record

from peerage.catalogue.query_parser import parse
from peerage.identity.keys import format_id

TRACK = record(
    "01 Blue Train.flac",
    path=("Müsik", "Jazz"),
    size=50_000_000,
    meta=Meta("Blue Train", "John Coltrane", "Best of", 643.0, 900_000),
)


@pytest.mark.parametrize(
    "text",
    [
        "train blue",
        "coltr*",
        '"john coltrane"',
        "musik MÜSIK",
        "jazz flac",
        "blue -red",
        "red OR blue",
        "red OR type:audio",
        "type:audio ext:flac size:>10MB duration:<11m",
        "size:>=50MB size:<=50MB size:=50MB",
        "type:audio/flac",
        f"from:{format_id(KEYS[1].peer_id)}",
        "-duration:>20m blue",
        '"blue tra"*',
    ],
)
def test_matches(text: str) -> None:
    assert parse(text).matches(TRACK)


@pytest.mark.parametrize(
    "text",
    [
        "train red",
        "colt",
        '"coltrane john"',
        '"flac blue"',  # the end of the name and the beginning of the title
        '"coltrane best"',
        "blue -john",
        "red OR type:video",
        "blue -type:audio",
        "ext:mp3",
        "size:>50MB",
        "duration:<5m",
        f"from:{format_id(KEYS[2].peer_id)}",
    ],
)
def test_does_not_match(text: str) -> None:
    assert not parse(text).matches(TRACK)


def test_a_thing_without_duration_fits_no_duration() -> None:
    book = record("book.pdf")
    assert not parse("duration:<5m").matches(book)
    assert not parse("duration:>5m").matches(book)
    assert parse("book -duration:<5m").matches(book)


def test_parts_of_words_in_scripts_without_spaces() -> None:
    tower = record("東京タワーの夜.jpg")
    assert parse("タワー").matches(tower)
    assert parse("東京 夜").matches(tower)
    assert not parse("京東").matches(tower)


def test_folders_are_found_by_type() -> None:
    folder = record("Blue Train", kind=Kind.FOLDER)
    assert parse("blue type:folder").matches(folder)
    assert not parse("ext:train").matches(folder)
