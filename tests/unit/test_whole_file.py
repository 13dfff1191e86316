"""Files that are replaced whole: the old or the new, never half, and never more open to others than they should be."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from peerage.whole_file import write_whole

DURABLE = pytest.mark.parametrize("durable", [True, False])
PRIVATE = pytest.mark.parametrize("private", [True, False])


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@PRIVATE
@DURABLE
def test_a_file_is_made_and_replaced_and_nothing_lies_beside_it(tmp_path: Path, private: bool, durable: bool) -> None:
    path = tmp_path / "list.json"
    for data in (b"the first, which is longer", b"the second", b""):
        write_whole(path, data, private=private, durable=durable)
        assert path.read_bytes() == data
        assert names(tmp_path) == ["list.json"]


def test_only_a_durable_write_waits_for_the_disk_and_it_does_so_before_the_file_is_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "list.json", []
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", lambda handle: seen.append((os.fstat(handle).st_size, path.read_bytes())))
    write_whole(path, b"newer", durable=False)
    assert seen == []
    write_whole(path, b"the newest")
    assert seen == [(10, b"newer")]


@PRIVATE
def test_a_disk_that_refuses_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private: bool
) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(b"old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new", private=private)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["list.json"]


def test_what_cannot_be_replaced_is_left_and_the_new_file_goes(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.mkdir()
    with pytest.raises(OSError):
        write_whole(path, b"new")
    assert names(tmp_path) == ["list.json"]


@pytest.mark.parametrize("place", ["gone/list.json", "file/list.json", "x" * 300])
def test_a_place_where_nothing_can_be_written_is_an_error_and_harms_no_later_write(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(OSError):
            write_whole(tmp_path / place, b"new")
    assert names(tmp_path) == ["file"]
    (tmp_path / "gone").mkdir()
    write_whole(tmp_path / "gone" / "list.json", b"new")
    assert names(tmp_path / "gone") == ["list.json"]


def test_a_private_file_is_private_from_its_first_byte_whatever_it_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    path, seen = tmp_path / "secret", []
    monkeypatch.setattr(os, "fsync", lambda handle: seen.append(stat.S_IMODE(os.fstat(handle).st_mode)))
    write_whole(path, b"a secret", private=True)
    assert mode(path) == 0o600
    path.chmod(0o666)
    write_whole(path, b"another", private=True)
    assert mode(path) == 0o600
    assert seen == [0o600, 0o600]


def test_a_file_that_is_not_private_is_made_as_the_umask_says(tmp_path: Path, umask: int) -> None:
    write_whole(tmp_path / "list.json", b"new")
    assert mode(tmp_path / "list.json") == 0o666 & ~umask


@pytest.mark.parametrize("chosen", [0o600, 0o640, 0o644, 0o400])
def test_a_file_that_somebody_closed_to_others_stays_closed(tmp_path: Path, umask: int, chosen: int) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"old")
    path.chmod(chosen)
    for data in (b"new", b"newer"):
        write_whole(path, data)
        assert path.read_bytes() == data
        assert mode(path) == chosen & ~umask


@PRIVATE
def test_what_a_crash_left_behind_is_overwritten(tmp_path: Path, private: bool) -> None:
    path = tmp_path / "list.json"
    stale = tmp_path / "list.json.new"
    stale.write_bytes(b"half of something that is longer")
    stale.chmod(0o444)
    write_whole(path, b"new", private=private)
    assert path.read_bytes() == b"new"
    assert not mode(path) & 0o077 or not private
    assert names(tmp_path) == ["list.json"]


@PRIVATE
def test_attack_a_link_in_the_way_is_not_followed(tmp_path: Path, private: bool) -> None:
    path, victim = tmp_path / "list.json", tmp_path / "victim"
    victim.write_bytes(b"of somebody else")
    for target in (victim, tmp_path / "made through it", tmp_path / "list.json.new"):
        (tmp_path / "list.json.new").symlink_to(target)
        write_whole(path, b"new", private=private)
        assert path.read_bytes() == b"new"
        assert not path.is_symlink()
        assert names(tmp_path) == ["list.json", "victim"]
    assert victim.read_bytes() == b"of somebody else"


def test_a_folder_in_the_way_is_an_error_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(b"old")
    (tmp_path / "list.json.new").mkdir()
    with pytest.raises(OSError):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["list.json", "list.json.new"]


def test_two_threads_that_write_one_file_at_once_spoil_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, sync = tmp_path / "list.json", os.fsync
    waits, goes_on = threading.Event(), threading.Event()

    def slow(handle: int) -> None:
        sync(handle)
        if not waits.is_set():
            waits.set()
            assert goes_on.wait(60)

    monkeypatch.setattr(os, "fsync", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(write_whole, path, b"the slow one")
        try:
            assert waits.wait(60)
            write_whole(path, b"the quick one")
            assert path.read_bytes() == b"the quick one"
            assert names(tmp_path) == ["list.json", "list.json.new"]
        finally:
            goes_on.set()
        first.result(60)
    assert path.read_bytes() == b"the slow one"
    assert names(tmp_path) == ["list.json"]
