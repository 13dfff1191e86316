import os

import pytest

from peerage.catalogue.hashing import FileStat
from peerage.content.manifest import FolderFile, PieceHasher, PieceSpace, folder_of
from peerage.content.reader import SharedContent, SharedFile, SharedFiles
from peerage.errors import ChangedError, StoreError
from peerage.limits import KIB


def piece_of(holder, index: int) -> bytes:
    """Read a piece; an index that does not exist gets a buffer of one byte."""
    space = holder.space
    buffer = bytearray(space.length_of(index) if index < space.count else 1)
    holder.read_piece(index, memoryview(buffer))
    return bytes(buffer)


def manifest_of(data: bytes):
    hasher = PieceHasher(len(data))
    hasher.feed(memoryview(data))
    return hasher.finish()


@pytest.fixture
def shared(tmp_path):
    """Two files, and a reader that keeps one of them open."""
    data = {"a": bytes(300 * KIB), "b": b"beta"}
    for name, content in data.items():
        (tmp_path / name).write_bytes(content)
    files = [SharedFile(str(tmp_path / name), FileStat.of((tmp_path / name).stat())) for name in data]
    space = PieceSpace(folder_of([FolderFile(name, manifest_of(content)) for name, content in data.items()]))
    reader = SharedFiles(limit=1)
    yield SharedContent(space, files, reader)
    reader.close()


def test_pieces_of_shared_files(shared):
    for _ in range(2):
        assert piece_of(shared, 0) == bytes(256 * KIB)
        assert piece_of(shared, 1) == bytes(44 * KIB)
        assert piece_of(shared, 2) == b"beta"
    with pytest.raises(IndexError):
        piece_of(shared, 3)


def touch(path):
    os.utime(path, ns=(1, 1))


def rewrite(path):
    path.write_bytes(b"gamm")


def grow(path):
    path.write_bytes(b"beta and more")


def replace(path):
    path.with_name("new").write_bytes(b"gamm")
    path.with_name("new").replace(path)


def backdate(path):
    found = path.stat()
    path.write_bytes(b"gamm")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def link(path):
    path.rename(path.with_name("moved"))
    path.symlink_to(path.with_name("moved"))


@pytest.mark.parametrize("change", [touch, grow, replace, backdate, link, os.unlink])
@pytest.mark.parametrize("is_open", [False, True])
def test_a_file_that_changed_is_never_served_as_the_old_content(shared, tmp_path, change, is_open):
    if is_open:
        piece_of(shared, 2)
    change(tmp_path / "b")
    for _ in range(2):
        with pytest.raises(ChangedError):
            piece_of(shared, 2)
    assert piece_of(shared, 1) == bytes(44 * KIB)


def test_a_file_that_changes_while_it_is_read(shared, tmp_path, monkeypatch):
    real = os.preadv

    def slow(handle, buffers, offset):
        grow(tmp_path / "b")
        return real(handle, buffers, offset)

    monkeypatch.setattr(os, "preadv", slow)
    with pytest.raises(ChangedError):
        piece_of(shared, 2)


def test_a_folder_that_vanished(shared, tmp_path):
    shared._files[1] = SharedFile(str(tmp_path / "a" / "b"), shared._files[1].stat)
    with pytest.raises(ChangedError, match="gone"):
        piece_of(shared, 2)


def test_a_file_that_may_not_be_read_any_more(shared, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("peerage.content.reader.os.open", refuse)
    with pytest.raises(StoreError, match="Permission denied"):
        piece_of(shared, 2)


def test_the_files_must_be_those_of_the_manifest(shared):
    with pytest.raises(ChangedError):
        SharedContent(shared.space, [], SharedFiles())
