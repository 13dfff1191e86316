"""Real files for `peerage demo`, made from what every Python installation has.

Invariant: everything lies below the folder that is given; nothing outside it is written, and nothing is fetched.
"""

from __future__ import annotations

import csv
import itertools
import math
import struct
import sysconfig
import tarfile
import wave
from collections.abc import Iterator
from importlib.metadata import metadata
from pathlib import Path
from pydoc_data.topics import topics
from typing import Final, NamedTuple

from peerage.limits import MIB

BIG_NAME: Final = "Python standard library.tar"
BIG_BYTES: Final = 64 * MIB  # large enough to lose a source on the way
_MAX_LIBRARY_FILE: Final = MIB  # leaves out compiled giants, so that the archive ends close to its mark
_MAX_ROUNDS: Final = 1000  # of putting the library into the archive again, should it be that small

_RATE: Final = 8000  # samples a second
_NOTES: Final = (523.25, 587.33, 659.25, 783.99, 880.0)  # C D E G A, in hertz
_SECONDS_A_NOTE: Final = 0.8


class Gift(NamedTuple):
    """Something that one node of the demonstration has to share."""

    path: Path
    what: str


def make_gifts(folder: Path) -> list[Gift]:
    """Make something different for each of five nodes."""
    return [
        _reference(folder / "Python language reference"),
        _melody(folder / "Five notes.wav"),
        _modules(folder / "Modules of the standard library.csv"),
        _readme(folder / "About Peerage.md"),
        _primes(folder / "Primes below a million.txt"),
    ]


def make_big_file(folder: Path) -> Path:
    """Pack the standard library of this Python into one archive of 64 MiB or a little more."""
    path = folder / BIG_NAME
    root = Path(sysconfig.get_path("stdlib"))
    with tarfile.open(path, "w") as archive:
        for name, source in _library_files(root):
            archive.add(source, name, recursive=False)
            if archive.offset >= BIG_BYTES:
                break
    return path


def _library_files(root: Path) -> Iterator[tuple[str, Path]]:
    """Go through the library, sources first, again and again under another name until there is enough."""
    in_order = sorted(filter(_is_small_file, root.rglob("*")), key=lambda path: (path.suffix != ".py", path))
    for number in range(1, _MAX_ROUNDS if in_order else 1):
        for path in in_order:
            yield f"library-{number}/{path.relative_to(root)}", path


def _is_small_file(path: Path) -> bool:
    return "site-packages" not in path.parts and path.is_file() and path.stat().st_size <= _MAX_LIBRARY_FILE


def _reference(folder: Path) -> Gift:
    folder.mkdir()
    for name, text in sorted(topics.items()):
        (folder / f"{name}.txt").write_text(text, "utf-8")
    return Gift(folder, f"the reference of the Python language, {len(topics)} files")


def _melody(path: Path) -> Gift:
    samples = (
        round(12_000 * math.sin(2 * math.pi * note * at / _RATE) * math.exp(-3 * at / _RATE))
        for note in _NOTES
        for at in range(int(_RATE * _SECONDS_A_NOTE))
    )
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return Gift(path, f"a melody of {len(_NOTES)} notes")


def _modules(path: Path) -> Gift:
    root = Path(sysconfig.get_path("stdlib"))
    sources = sorted(root.glob("*.py"))
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("module", "lines", "bytes"))
        for source in sources:
            content = source.read_bytes()
            table.writerow((source.stem, content.count(b"\n"), len(content)))
    return Gift(path, f"a table of {len(sources)} modules")


def _readme(path: Path) -> Gift:
    about = metadata("peerage")
    text = f"# {about['Name']} {about['Version']}\n\n{about['Summary']}\n"
    if "Description" in about:
        text += f"\n{about['Description']}\n"
    path.write_text(text, "utf-8")
    return Gift(path, "what Peerage is, in words")


def _primes(path: Path) -> Gift:
    sieve = bytearray([0, 0]) + bytearray([1]) * 999_998
    for number in range(2, 1000):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, len(sieve), number)))
    primes = list(itertools.compress(range(len(sieve)), sieve))
    path.write_text("\n".join(map(str, primes)) + "\n", "ascii")
    return Gift(path, f"all {len(primes):,} primes below a million")
