"""What the demo network shares: real files of each kind, which say themselves what they are."""

from __future__ import annotations

import struct
import wave
import zlib
from pathlib import Path

import pytest

from peerage.app.demo.made import evening, rings, waves, write_about, write_melody, write_picture, write_primes
from peerage.app.demo.shelves import FILM, SEARCHES, fill
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Description, Record


def test_a_melody_can_be_played_and_says_what_it_was_made_for(tmp_path: Path) -> None:
    plain, stamped = tmp_path / "plain.wav", tmp_path / "stamped.wav"
    write_melody(plain, (440.0, 220.0))
    write_melody(stamped, (440.0, 220.0), "odd")
    frames = []
    for path in (plain, stamped):
        with wave.open(str(path), "rb") as file:
            assert file.getnframes() == pytest.approx(1.6 * file.getframerate(), rel=0.01)
            frames.append(file.readframes(file.getnframes()))
    assert frames[0] == frames[1]
    assert max(map(abs, struct.unpack(f"<{len(frames[0]) // 2}h", frames[0]))) > 10_000
    data = stamped.read_bytes()
    assert data.endswith(b"ICMT\x04\0\0\0odd\0")
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8


@pytest.mark.parametrize("picture", [waves, rings, evening])
def test_a_picture_is_a_png_of_many_colours(tmp_path: Path, picture) -> None:
    path = tmp_path / "picture.png"
    write_picture(path, picture, "here", (40, 20))
    data, at, chunks = path.read_bytes(), 8, {}
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        chunks[data[at + 4 : at + 8]] = data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(data[at + 4 : at + 8 + size])
        at += 12 + size
    assert chunks[b"IHDR"] == struct.pack(">IIBBBBB", 40, 20, 8, 2, 0, 0, 0)
    assert chunks[b"tEXt"] == b"Comment\0here"
    rows = zlib.decompress(chunks[b"IDAT"])
    assert len(rows) == 20 * (1 + 3 * 40)
    assert len({rows[121 * y + 1 + 3 * x :][:3] for y in range(20) for x in range(40)}) > 50


def test_primes_and_words(tmp_path: Path) -> None:
    path = tmp_path / "text"
    assert write_primes(path, "end\n") == 78_498
    assert path.read_text().splitlines()[:3] == ["2", "3", "5"]
    assert path.read_text().splitlines()[-2:] == ["999983", "end"]
    write_about(path, "end\n")
    assert path.read_text("utf-8").startswith("# peerage ")


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[list[Path]]]:
    """What the demo network of each of two nodes would share; and who shares what, of the first."""
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    fill(other, "of the other")
    return one, other, fill(one, "of the one")


def test_each_word_is_found_at_several_nodes(homes: tuple[Path, Path, list[list[Path]]]) -> None:
    folder, _, shelves = homes
    assert {path for shelf in shelves for path in shelf} == set(folder.iterdir())
    assert len([shelf for shelf in shelves if folder / FILM in shelf]) == 4
    for word in SEARCHES:
        query = parse(word)
        found = [any(query.matches(_record(path)) for path in shelf) for shelf in shelves]
        assert sum(found) >= 3, word


def test_the_files_of_one_node_are_not_those_of_another(homes: tuple[Path, Path, list[list[Path]]]) -> None:
    one, other, _ = homes
    for path in one.iterdir():
        assert path.read_bytes() != (other / path.name).read_bytes()


def test_the_film_is_long_enough_to_be_seen_coming(homes: tuple[Path, Path, list[list[Path]]]) -> None:
    folder = homes[0]
    assert (folder / FILM).stat().st_size > 4_000_000
    assert sum(path.stat().st_size for path in folder.iterdir()) < 25_000_000


def _record(path: Path) -> Record:
    return Record.draft(bytes(32), Description(content=bytes(32), name=path.name, size=1, mime=""))
