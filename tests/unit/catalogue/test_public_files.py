"""Public files by parts of their names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from peerage.catalogue.database import Database
from peerage.catalogue.library import Library
from peerage.catalogue.public_files import PublicFiles
from peerage.catalogue.record import Visibility
from peerage.content.hasher import ManifestHasher
from peerage.identity.keys import PeerKey
from peerage.transport.tcp import SystemClock


@pytest.fixture
async def library() -> AsyncIterator[Library]:
    key = PeerKey.generate()
    database = await Database.open(None, key.peer_id)
    with ThreadPoolExecutor(2) as executor:
        yield Library(database, key, ManifestHasher(), SystemClock(), executor)
    await database.close()


@pytest.fixture
def files(library: Library) -> PublicFiles:
    return PublicFiles(library._book._database)


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


async def names(files: PublicFiles, part: str, limit: int = 100) -> list[tuple[str, bool]]:
    return sorted((each.name, each.alone) for each in await files.containing(part, limit))


async def test_a_part_of_the_name_in_any_case_and_never_of_the_folder(
    library: Library, files: PublicFiles, tmp_path: Path
) -> None:
    folder = tmp_path / "Notes folder"
    for number, name in enumerate(
        ["Notes.txt", "my-NOTES.pdf", "sub/deep notes.md", "Ärger.txt", "100%_a.txt", "other.bin"]
    ):
        write(folder, name, str(number))
    await library.share(folder)
    assert await names(files, "notes") == [("Notes.txt", True), ("deep notes.md", True), ("my-NOTES.pdf", True)]
    assert await names(files, "folder") == []
    assert await names(files, "ärger") == [("Ärger.txt", True)]
    assert await names(files, "%_a") == [("100%_a.txt", True)]
    assert len(await names(files, "", 3)) == 3
    assert [Path(each.path).name for each in await files.named("Notes.txt")] == ["Notes.txt"]
    assert await files.named("notes.txt") == []


async def test_only_public_shares_that_are_there(library: Library, files: PublicFiles, tmp_path: Path) -> None:
    public, friends, link = (write(tmp_path / each, "x.txt", each) for each in ("public", "friends", "link"))
    await library.share(friends, Visibility.FRIENDS)
    await library.share(link, Visibility.LINK)
    assert await names(files, "x") == []
    await library.share(public)
    assert [each.path for each in await files.named("x.txt")] == [str(public)]
    public.unlink()
    await library.rescan()
    assert await names(files, "x") == []


async def test_one_name_for_several_contents(library: Library, files: PublicFiles, tmp_path: Path) -> None:
    for folder, content in (("a", "one"), ("b", "two"), ("c", "one")):
        await library.share(write(tmp_path / folder, "same.txt", content))
    assert await names(files, "same") == [("same.txt", False), ("same.txt", False)]
    assert [Path(each.path).parent.name for each in await files.named("same.txt")] == ["a", "b"]
