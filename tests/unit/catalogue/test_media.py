from __future__ import annotations

import wave
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutagen.flac import FLAC
from mutagen.id3 import TIT2
from mutagen.wave import WAVE

from peerage.catalogue.media import read_meta
from peerage.catalogue.record import Meta


def make_wave(path: Path) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16_000))
    return path


def make_flac(path: Path, **tags: str) -> Path:
    info = (4096).to_bytes(2, "big") * 2 + bytes(6)  # block and frame sizes
    info += ((44_100 << 44) | (1 << 41) | (15 << 36) | 44_100 * 90).to_bytes(8, "big") + bytes(16)
    path.write_bytes(b"fLaC" + bytes([0x80, 0, 0, len(info)]) + info)
    file = FLAC(path)
    file.update(tags)
    file.save()
    return path


def test_a_tagged_file(tmp_path: Path) -> None:
    meta = read_meta(make_flac(tmp_path / "a.flac", title="Blue Train", artist="John Coltrane", album="Blue"))
    assert meta is not None
    assert (meta.title, meta.artist, meta.album, meta.duration) == ("Blue Train", "John Coltrane", "Blue", 90.0)


def test_tags_of_others_are_made_safe(tmp_path: Path) -> None:
    meta = read_meta(make_flac(tmp_path / "a.flac", title="\u202eevil\n" + "x" * 1000))
    assert meta is not None
    assert meta.title.startswith("\ufffdevil\ufffdxx")
    assert len(meta.title) == 256


def test_duration_and_bitrate_without_tags(tmp_path: Path) -> None:
    assert read_meta(make_wave(tmp_path / "a.wav")) == Meta(duration=1.0, bitrate=128_000)


def test_id3_inside_a_wave_file(tmp_path: Path) -> None:
    file = WAVE(make_wave(tmp_path / "a.wav"))
    file.add_tags()
    file.tags.add(TIT2(text=["Blue"]))
    file.save()
    assert read_meta(tmp_path / "a.wav") == Meta(title="Blue", duration=1.0, bitrate=128_000)


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.mp4", "a.ogg", "a.wma", "a.avi", "a.mkv", "a.m4a"])
def test_files_that_are_not_what_their_name_says(tmp_path: Path, name: str) -> None:
    for data in (b"", b"nonsense" * 100, bytes(5000)):
        (tmp_path / name).write_bytes(data)
        assert read_meta(tmp_path / name) is None
    assert read_meta(tmp_path / "missing" / name) is None


def test_other_files_are_not_opened(tmp_path: Path) -> None:
    assert read_meta(tmp_path / "no-such-file.pdf") is None


_HEADS = [b"ID3\x04\0\0", b"fLaC\0\0\0\x22", b"OggS\0\x02", b"\0\0\0\x18ftypM4A ", b"RIFF\xff\0\0\0WAVEfmt ", b"\xff\xfb\x90\x64", b"0&\xb2u\x8ef\xcf\x11"]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(_HEADS), st.binary(max_size=400), st.sampled_from(["mp3", "flac", "ogg", "m4a", "wav", "wma"]))
def test_broken_tags_never_raise(tmp_path: Path, head: bytes, rest: bytes, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_bytes(head + rest)
    read_meta(path)
