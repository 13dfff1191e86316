"""The film of the demo network: a short clip made long, which a player can seek in before it has the end."""

from __future__ import annotations

import struct
from importlib.resources import files

import pytest

from peerage.app.demo import film
from peerage.app.demo.film import lengthen
from peerage.errors import StoreError

CLIP = files("peerage.app.demo").joinpath("pieces.webm").read_bytes()


def inside(data: bytes, number: int) -> list[bytes]:
    return [each.content for each in film._elements(data) if each.id == number]


def value(data: bytes, number: int) -> int:
    (found,) = inside(data, number)
    return int.from_bytes(found, "big")


@pytest.fixture(scope="module")
def segment() -> bytes:
    (segment,) = inside(lengthen(CLIP, 3, "for the test"), film._SEGMENT)
    return segment


def clusters(segment: bytes) -> list[film._Element]:
    return [each for each in film._elements(segment) if each.id == film._CLUSTER]


def test_the_clip_in_the_package_is_small() -> None:
    assert len(CLIP) < 400_000


def test_every_turn_comes_behind_the_one_before(segment: bytes) -> None:
    times = [value(each.content, film._TIME) for each in clusters(segment)]
    assert times == sorted(set(times))
    count = len(times) // 3
    assert times[count] - times[0] == times[2 * count] - times[count] > times[count - 1]


def test_the_sound_and_the_picture_are_those_of_the_clip(segment: bytes) -> None:
    (original,) = inside(CLIP, film._SEGMENT)
    blocks = [inside(each.content, 0xA3) for each in clusters(original)]
    assert [inside(each.content, 0xA3) for each in clusters(segment)] == 3 * blocks
    assert inside(segment, film._TRACKS) == inside(original, film._TRACKS)


def test_the_cues_stand_before_the_clusters_and_name_them(segment: bytes) -> None:
    order = [each.id for each in film._elements(segment)]
    assert order.index(film._CUES) < order.index(film._CLUSTER)
    place_of = {each.start: value(each.content, film._TIME) for each in clusters(segment)}
    (cues,) = inside(segment, film._CUES)
    points = inside(cues, film._CUE)
    assert len(points) >= 30
    for point in points:
        (place,) = inside(point, film._CUE_PLACE)
        begins = place_of[value(place, film._CUE_CLUSTER)]
        assert begins <= value(point, film._CUE_TIME) < begins + 3000


def test_it_says_how_long_it_is_and_what_it_was_made_for(segment: bytes) -> None:
    (info,) = inside(segment, film._INFO)
    (duration,) = inside(info, film._DURATION)
    (seconds,) = struct.unpack(">d", duration)
    assert seconds == pytest.approx(3 * 24_000, rel=0.01)
    (tags,) = inside(segment, film._TAGS)
    assert b"for the test" in tags
    assert lengthen(CLIP, 1, "one") != lengthen(CLIP, 1, "two")


@pytest.mark.parametrize("other", [b"", b"\0" * 100, b"a text, and no film", CLIP[:1000], CLIP[:-1], CLIP + CLIP])
def test_other_files_are_refused(other: bytes) -> None:
    with pytest.raises(StoreError):
        lengthen(other, 2, "")
