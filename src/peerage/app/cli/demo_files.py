"""Real files for `peerage demo`, made from what every Python installation has.

Invariant: everything lies below the folder that is given; nothing outside it is written, and nothing is fetched.
"""

from __future__ import annotations

import csv
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics
from typing import Final, NamedTuple

from peerage.app.demo.made import NOTES, write_about, write_melody, write_primes
from peerage.limits import MIB

BIG_NAME: Final = "Python standard library.tar"
BIG_BYTES: Final = 64 * MIB  # large enough to lose a source on the way
_MAX_LIBRARY_FILE: Final = MIB  # leaves out compiled giants, so that the archive ends close to its mark
_MAX_ROUNDS: Final = 1000  # of putting the library into the archive again, should it be that small


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
    write_melody(path)
    return Gift(path, f"a melody of {len(NOTES)} notes")


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
    write_about(path)
    return Gift(path, "what Peerage is, in words")


def _primes(path: Path) -> Gift:
    return Gift(path, f"all {write_primes(path):,} primes below a million")
