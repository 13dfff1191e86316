import errno
import os
from pathlib import Path

import pytest

from peerage.content import disk
from peerage.errors import DiskFullError, StoreError


@pytest.fixture
def folder(tmp_path):
    handle = os.open(tmp_path, os.O_RDONLY)
    yield handle
    os.close(handle)


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (errno.ENOSPC, DiskFullError, "no space"),
        (errno.EDQUOT, DiskFullError, "no space"),
        (errno.EACCES, StoreError, "permission denied"),
        (errno.EROFS, StoreError, "read-only"),
        (errno.ENOENT, StoreError, "vanished"),
        (errno.EFBIG, StoreError, "size"),
        (errno.EIO, StoreError, "Input/output error"),
    ],
)
def test_every_error_of_the_disk_says_what_to_do(code, kind, text):
    with pytest.raises(kind, match=text) as caught, disk.storing(Path("some/file")):
        raise OSError(code, os.strerror(code))
    assert str(caught.value).startswith("some/file: ")


def test_our_own_errors_stay_as_they_are():
    with pytest.raises(KeyError), disk.storing(Path()):
        raise KeyError


def test_folders_are_made_on_the_way_and_links_are_not_followed(folder, tmp_path):
    os.close(disk.open_below(folder, "a/b/c", os.O_RDWR, create=True))
    assert (tmp_path / "a/b/c").is_file()
    with pytest.raises(FileNotFoundError):
        disk.open_below(folder, "a/x/c", os.O_RDONLY)
    (tmp_path / "a/link").symlink_to(tmp_path / "a/b")
    (tmp_path / "a/b/link").symlink_to(tmp_path / "a/b/c")
    for path in ("a/link/c", "a/b/link"):
        with pytest.raises(OSError):
            disk.open_below(folder, path, os.O_RDWR, create=True)


def test_no_handle_is_left_open(folder):
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    for _ in range(5):
        os.close(disk.open_below(folder, "a/b/c", os.O_RDWR, create=True))
        with pytest.raises(FileNotFoundError):
            disk.open_below(folder, "a/x/y/z", os.O_RDONLY)
    assert before == (len(os.listdir("/proc/self/fd")) if before else 0)


def test_folders_of_some_paths_deepest_first():
    assert disk.folders_of(["a", "b/c/d", "b/e"]) == [["b", "c"], ["b"], []]
    assert disk.folders_of([]) == [[]]


def test_a_write_in_portions_and_a_read_in_portions(folder, monkeypatch):
    handle = disk.open_below(folder, "file", os.O_RDWR, create=True)
    write, read = os.pwrite, os.pread
    monkeypatch.setattr(os, "pwrite", lambda handle, data, offset: write(handle, data[:3], offset))
    monkeypatch.setattr(os, "pread", lambda handle, length, offset: read(handle, min(length, 4), offset))
    disk.write_all(handle, memoryview(b"0123456789"), 5)
    assert disk.read_all(handle, 10, 5) == b"0123456789"
    assert disk.read_all(handle, 100, 10) == b"56789"
    assert disk.read_all(handle, 4, 100) == b""
    disk.flush(handle)
    os.close(handle)


def test_flushing(folder, monkeypatch):
    disk.flush_folder(folder)
    assert disk.flush_file_system(folder) == (os.uname().sysname == "Linux")

    def refuse(handle):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    disk.flush_folder(folder)  # a network file system that cannot

    def broken(handle):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError):
        disk.flush_folder(folder)


def test_a_lock_is_for_one(tmp_path):
    one, other = (disk.open_folder(tmp_path) for _ in range(2))
    assert disk.lock(one)
    assert not disk.lock(other)
    os.close(one)
    assert disk.lock(other)
    os.close(other)
