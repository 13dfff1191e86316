"""The list of downloads on disk: all or nothing for each entry, and damage to one harms no other."""

import os

import msgspec
import pytest

from peerage.catalogue.hashing import FileStat
from peerage.catalogue.record import Visibility
from peerage.content.choice import Rule
from peerage.content.finished import PlacedFile
from peerage.content.picker import Priority
from peerage.content.source import Source
from peerage.content.transfer_book import BookEntry, TransferBook
from peerage.errors import StoreError
from peerage.identity.address import Address

ENTRY = BookEntry(
    content=bytes(range(32)),
    target="/somewhere/else",
    only="*.txt",
    size=5,
    visibility=Visibility.FRIENDS,
    rules=(Rule("a*", Priority.HIGH), Rule("b", Priority.SKIP)),
    wanted=4,
    got=3,
    paused=True,
    added=2.0,
    level=3,
    sources=(Source(b"p" * 32, (Address("10.0.0.1", 7),)),),  # type: ignore[arg-type]
    files=(PlacedFile(0, "/somewhere/else/a", FileStat(1, 2, 3, 4)),),
)


def other(number: int) -> BookEntry:
    return msgspec.structs.replace(ENTRY, content=bytes([number]) * 32, added=float(number))


@pytest.fixture
def book(tmp_path):
    return TransferBook(tmp_path / "state")


def test_entries_come_back_as_they_were_the_oldest_first(book):
    for number in (3, 1, 2):
        book.save(other(number))
    book.save(ENTRY)
    assert book.load() == [other(1), ENTRY, other(2), other(3)]


def test_an_empty_or_missing_folder_is_an_empty_list(book):
    assert book.load() == []
    assert book.load() == []


def test_a_later_entry_replaces_an_earlier_one(book):
    book.save(ENTRY)
    changed = msgspec.structs.replace(ENTRY, done=True)
    book.save(changed)
    assert book.load() == [changed]


def test_a_damaged_entry_is_left_alone_and_harms_no_other(book, tmp_path, caplog):
    book.save(ENTRY)
    book.save(other(7))
    [path] = [each for each in (tmp_path / "state").iterdir() if b"/else" in each.read_bytes()][:1]
    path.write_bytes(path.read_bytes()[:40])
    assert len(book.load()) == 1
    assert path.exists()
    assert str(path) in caplog.text


def test_a_crash_while_writing_leaves_the_old_entry(book, tmp_path, monkeypatch):
    book.save(ENTRY)

    def crash(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(StoreError, match="no space is left"):
        book.save(msgspec.structs.replace(ENTRY, paused=False))
    monkeypatch.undo()
    assert TransferBook(tmp_path / "state").load() == [ENTRY]


def test_manifests_are_kept_beside_the_entries_and_go_with_them(book, tmp_path):
    assert book.manifest(ENTRY.content) == b""
    book.save_manifest(ENTRY.content, b"manifest")
    book.save(ENTRY)
    assert book.manifest(ENTRY.content) == b"manifest"
    book.remove(ENTRY.content)
    assert book.manifest(ENTRY.content) == b""
    assert list((tmp_path / "state").iterdir()) == []
    book.remove(ENTRY.content)


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path):
    (tmp_path / "state").write_bytes(b"a file")
    with pytest.raises(StoreError, match="state"):
        TransferBook(tmp_path / "state").load()
