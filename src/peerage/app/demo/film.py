"""Makes a long film out of a short one: a WebM file whose clusters are played again and again, with cues for seeking.

A WebM file is EBML (RFC 8794): elements of an id, a size and content, which may be elements again; Matroska (RFC 9559)
says which there are. Invariant: what comes out has its cues before the first cluster, so a player can seek in it
before it has the end; times never go back. Only files like our own are read: known sizes, times in milliseconds.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from peerage.errors import StoreError

_HEADER, _SEGMENT = 0x1A45DFA3, 0x18538067
_INFO, _TRACKS, _CLUSTER, _CUES, _TAGS = 0x1549A966, 0x1654AE6B, 0x1F43B675, 0x1C53BB6B, 0x1254C367
_DURATION: Final = 0x4489
_TIME, _POSITION, _BEFORE = 0xE7, 0xA7, 0xAB  # of a cluster: its time, its place, the size of the one before
_CUE, _CUE_TIME, _CUE_PLACE, _CUE_TRACK, _CUE_CLUSTER = 0xBB, 0xB3, 0xB7, 0xF7, 0xF1
_TAG, _TARGETS, _SIMPLE, _NAME, _TEXT = 0x7373, 0x63C0, 0x67C8, 0x45A3, 0x4487
_WIDE: Final = 8  # bytes of sizes and numbers that are written, so that lengths do not depend on values
_FRAME: Final = 40  # milliseconds; a clip is as long as a whole number of them


class _Element(NamedTuple):
    """One element; `start` is where its id stands."""

    id: int
    start: int
    content: bytes


class _Cue(NamedTuple):
    """A place to seek to: at so many milliseconds, in which cluster of the clip."""

    time: int
    track: int
    cluster: int


def lengthen(clip: bytes, times: int, note: str) -> bytes:
    """Return a film that plays a clip so many times; `note` goes into its tags. Raises StoreError for other files."""
    header, segment = _first(clip)
    parts = list(_elements(segment.content))
    clusters = [each for each in parts if each.id == _CLUSTER]
    period = _period(_only(parts, _INFO))
    cues = _cues_of(_only(parts, _CUES), [each.start for each in clusters])
    head = b"".join(
        (
            _info(_only(parts, _INFO), times * period),
            _written(_TRACKS, _only(parts, _TRACKS).content),
            _tags(note),
        )
    )
    body = [_moved(cluster, turn * period) for turn in range(times) for cluster in clusters]
    where = len(head) + len(_cues(cues, [0] * len(body), period))
    places = []
    for cluster in body:
        places.append(where)
        where += len(cluster)
    return _written(header.id, header.content) + _written(
        _SEGMENT, b"".join((head, _cues(cues, places, period), *body))
    )


# --- reading ------------------------------------------------------------------------------------------------------


def _elements(data: bytes) -> Iterator[_Element]:
    """Go through elements that stand one behind the other."""
    at = 0
    while at < len(data):
        start = at
        width = _width(data, at)
        number = int.from_bytes(data[at : at + width], "big")
        at += width
        width = _width(data, at)
        size = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
        at += width
        if at + size > len(data):
            raise StoreError("the film is cut off, or is none")
        yield _Element(number, start, data[at : at + size])
        at += size


def _width(data: bytes, at: int) -> int:
    """Return how many bytes a number takes: one more than its first byte has leading zeros."""
    if at >= len(data) or not data[at]:
        raise StoreError("the film is cut off, or is none")
    return 9 - data[at].bit_length()


def _first(clip: bytes) -> tuple[_Element, _Element]:
    found = list(_elements(clip))
    if [each.id for each in found] != [_HEADER, _SEGMENT]:
        raise StoreError("the film is not as it must be: a header and one segment")
    return found[0], found[1]


def _only(parts: list[_Element], number: int) -> _Element:
    found = [each for each in parts if each.id == number]
    if len(found) != 1:
        raise StoreError(f"the film is not as it must be: it has {len(found)} elements {number:X}")
    return found[0]


def _number(element: _Element) -> int:
    return int.from_bytes(element.content, "big")


def _period(info: _Element) -> int:
    """Return after how many milliseconds the clip begins again."""
    raw = _only(list(_elements(info.content)), _DURATION).content
    duration: float = struct.unpack(">d" if len(raw) == _WIDE else ">f", raw)[0]
    return math.ceil(duration / _FRAME) * _FRAME


def _cues_of(cues: _Element, starts: list[int]) -> list[_Cue]:
    number_of = {start: number for number, start in enumerate(starts)}
    found = []
    for cue in _elements(cues.content):
        inside = list(_elements(cue.content))
        place = list(_elements(_only(inside, _CUE_PLACE).content))
        cluster = number_of.get(_number(_only(place, _CUE_CLUSTER)))
        if cluster is None:
            raise StoreError("the film is not as it must be: a cue that names no cluster")
        found.append(_Cue(_number(_only(inside, _CUE_TIME)), _number(_only(place, _CUE_TRACK)), cluster))
    return found


# --- writing ------------------------------------------------------------------------------------------------------


def _written(number: int, content: bytes) -> bytes:
    size = (1 << 7 * _WIDE) | len(content)
    return number.to_bytes((number.bit_length() + 7) // 8, "big") + size.to_bytes(_WIDE, "big") + content


def _wide(number: int, value: int) -> bytes:
    return _written(number, value.to_bytes(_WIDE, "big"))


def _info(info: _Element, duration: int) -> bytes:
    kept = (each for each in _elements(info.content) if each.id != _DURATION)
    content = b"".join(_written(each.id, each.content) for each in kept)
    return _written(_INFO, content + _written(_DURATION, struct.pack(">d", duration)))


def _tags(note: str) -> bytes:
    simple = _written(_SIMPLE, _written(_NAME, b"COMMENT") + _written(_TEXT, note.encode()))
    return _written(_TAGS, _written(_TAG, _written(_TARGETS, b"") + simple))


def _moved(cluster: _Element, later: int) -> bytes:
    """Return a cluster as it stands in a later turn."""
    inside = list(_elements(cluster.content))
    time = _number(_only(inside, _TIME)) + later
    kept = (_written(each.id, each.content) for each in inside if each.id not in {_TIME, _POSITION, _BEFORE})
    return _written(_CLUSTER, _wide(_TIME, time) + b"".join(kept))


def _cues(cues: list[_Cue], places: list[int], period: int) -> bytes:
    """Return the cues of all turns, for clusters at these places behind the head of the segment."""
    count = 1 + max(cue.cluster for cue in cues)
    turns = len(places) // count
    written = []
    for turn in range(turns):
        for cue in cues:
            place = _wide(_CUE_TRACK, cue.track) + _wide(_CUE_CLUSTER, places[turn * count + cue.cluster])
            written.append(_written(_CUE, _wide(_CUE_TIME, cue.time + turn * period) + _written(_CUE_PLACE, place)))
    return _written(_CUES, b"".join(written))
