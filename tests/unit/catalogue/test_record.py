from __future__ import annotations

import msgspec
import pytest
from catalogue_samples import KEYS, Kind, Meta, Visibility, describe, record
from hypothesis import given
from hypothesis import strategies as st

from peerage.catalogue.record import FIELD_GAP, Record, decode, display_name, encode
from peerage.errors import ForgedError, LocalError, ProtocolError
from peerage.limits import MAX_RECORD_BYTES, MAX_RECORD_PATH


def raw(value: Record, **changes: object) -> bytes:
    """Encode a record with fields changed as only a hostile peer would."""
    names = [field.name for field in msgspec.structs.fields(Record)]
    fields = [changes.get(name, getattr(value, name)) for name in names]
    return msgspec.msgpack.encode(fields)


def test_a_signed_record_survives_the_wire() -> None:
    one = record("Blue Train.flac", path=("Jazz",), meta=Meta("Blue Train", "John Coltrane", "", 643.5, 900_000))
    other = decode(encode(one))
    other.verify()
    assert other == one
    assert other.peer_id == KEYS[1].peer_id
    assert (other.media_type, other.extension, other.duration) == ("audio", "flac", 643.5)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Other.flac"},
        {"size": 1},
        {"visibility": 1},
        {"issued": 1},
        {"holder": KEYS[2].public_key},
        {"content": bytes(32)},
        {"signature": bytes(64)},
    ],
)
def test_forged_record(changes: dict[str, object]) -> None:
    forged = decode(raw(record("Blue Train.flac"), **changes))
    with pytest.raises(ForgedError):
        forged.verify()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "gpj.\u202eexe"},
        {"name": "a\nb"},
        {"name": ""},
        {"name": "é" * 128},
        {"path": ["x" * 255] * 3},
        {"path": ["x"] * (MAX_RECORD_PATH + 1)},
        {"path": ["\x1b[2J"]},
        {"size": -1},
        {"size": 2**63},
        {"issued": 2**64 - 1},
        {"kind": 7},
        {"visibility": 3},
        {"mime": "audio"},
        {"mime": "a/b\n"},
        {"mime": "inode/directory"},
        {"content": b"short"},
        {"holder": b"short"},
        {"signature": b""},
        {"meta": ["", "", "", float("nan"), 0]},
        {"meta": ["", "", "", float("inf"), 0]},
        {"meta": ["x" * 257, "", "", 0, 0]},
        {"meta": ["\u2067", "", "", 0, 0]},
    ],
)
def test_what_no_honest_peer_sends_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ProtocolError):
        decode(raw(record("Blue Train.flac"), **changes))


def test_oversize_record_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProtocolError, match="at most"):
        decode(bytes(MAX_RECORD_BYTES + 1))


@given(st.binary(max_size=300))
def test_garbage_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(data)


@given(st.text(max_size=400), st.lists(st.text(max_size=300), max_size=30), st.text(max_size=400))
def test_any_file_name_makes_a_valid_record(name: str, path: list[str], title: str) -> None:
    made = record(name, path=tuple(path), meta=Meta(title=title))
    made.verify()
    assert len(encode(made)) <= MAX_RECORD_BYTES


def test_the_longest_record_fits() -> None:
    widest = "\U0001d11e"
    full = Meta(*[widest * 256] * 3, 1e8, 2**62)
    made = record(widest * 64, path=tuple([widest * 8] * 16), meta=full, size=2**62, mime="a/" + "b" * 98)
    assert len(encode(made)) <= MAX_RECORD_BYTES


def test_the_innermost_folders_are_kept() -> None:
    made = record("x", path=tuple(f"{number:03}" + "y" * 97 for number in range(20)))
    assert [folder[:3] for folder in made.path] == ["015", "016", "017", "018", "019"]


def test_impossible_descriptions_are_the_callers_mistake() -> None:
    with pytest.raises(LocalError):
        Record.sign(KEYS[0], describe("x", size=-1), 0)
    with pytest.raises(LocalError):
        Record.sign(KEYS[0], describe("x", mime="inode/directory"), 0)


def test_words_come_from_all_texts_with_gaps() -> None:
    made = record("01 Train.mp3", path=("Jazz",), meta=Meta(title="Blue", artist="Coltrane"))
    assert made.words() == [
        "01", "train", "mp3", FIELD_GAP, "blue", FIELD_GAP, "coltrane", FIELD_GAP, FIELD_GAP, "jazz",
    ]  # fmt: skip


def test_the_slot_is_who_calls_it_what_and_where() -> None:
    one = record("x")
    assert one.slot() == record("x", issued=5, size=7, visibility=Visibility.FRIENDS).slot()
    assert len({one.slot(), record("y").slot(), record("x", KEYS[2]).slot(), record("x", path=("z",)).slot()}) == 4
    assert 0 <= one.slot() < 2**63


def test_folders_have_no_extension() -> None:
    assert record("v1.5", kind=Kind.FOLDER).extension == ""
    assert record("v1.5", kind=Kind.FOLDER).media_type == "folder"


def test_display_name_is_one_harmless_line() -> None:
    assert display_name("a\x1b[31m\r\nb") == "a\ufffd[31m\ufffd\ufffdb"
    assert display_name("  ") == "unnamed"
    assert len(display_name("é" * 500).encode()) <= 255
