import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from peerage.content import disk
from peerage.content.manifest import FolderFile, FolderManifest, Manifest, PieceHasher, content_id_of, encode, folder_of
from peerage.content.placing import part_name_of
from peerage.content.store import PartialStore
from peerage.errors import DiskFullError, LocalError, StoreError, TargetExistsError
from peerage.limits import KIB

PIECE = 256 * KIB


def piece_of(holder, index: int) -> bytes:
    """Read a piece; an index that does not exist gets a buffer of one byte."""
    space = holder.space
    buffer = bytearray(space.length_of(index) if index < space.count else 1)
    holder.read_piece(index, memoryview(buffer))
    return bytes(buffer)


def bytes_of(size: int, seed: int = 1) -> bytes:
    return bytes((seed * 31 + n) % 251 for n in range(1000)) * (size // 1000 + 1)


def manifest_of(data: bytes):
    hasher = PieceHasher(len(data))
    hasher.feed(memoryview(data))
    return hasher.finish()


class Content:
    """Some bytes, as a file (a single name None) or a folder."""

    def __init__(self, files: dict[str, bytes] | bytes) -> None:
        if isinstance(files, bytes):
            self.manifest: Manifest = manifest_of(files)
            self.data = [files]
        else:
            self.manifest = folder_of([FolderFile(path, manifest_of(data)) for path, data in files.items()])
            assert isinstance(self.manifest, FolderManifest)
            self.data = [files[entry.path] for entry in self.manifest.files]
        self.id = content_id_of(encode(self.manifest))

    def open(self, target: Path, chosen=None) -> PartialStore:
        return PartialStore.open(target, self.manifest, self.id, chosen)

    def piece(self, store: PartialStore, index: int) -> bytes:
        file, offset, length = store.space.locate(index)
        return self.data[file][offset : offset + length]

    def fill(self, store: PartialStore, indices=None) -> None:
        for index in range(store.space.count) if indices is None else indices:
            if index not in store.have():
                assert store.write_piece(index, self.piece(store, index))

    def parts(self, target: Path) -> Path:
        return target.parent / part_name_of(target.name, self.id)


FILE = Content(bytes_of(PIECE * 5 + 7)[: PIECE * 5 + 7])
FOLDER = Content(
    {"a": b"alpha", "b/c": bytes_of(PIECE * 2)[: PIECE * 2 - 1], "b/empty": b"", "d/e/f": b"x" * 10, "z": b""}
)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "target"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_file_comes_piece_by_piece_in_any_order(target):
    store = FILE.open(target)
    FILE.fill(store, [5, 0, 3, 1, 4, 2])
    assert not target.exists()
    assert store.have().is_full()
    assert store.finish() == target
    assert target.read_bytes() == FILE.data[0]
    assert [path.name for path in target.parent.iterdir()] == ["target"]
    assert piece_of(store, 5) == FILE.piece(store, 5)
    assert store.finish() == target
    store.close()
    assert stat.S_IMODE(target.stat().st_mode) & 0o600 == 0o600


def test_a_folder_is_one_download(target):
    store = FOLDER.open(target)
    FOLDER.fill(store)
    store.finish()
    store.close()
    assert tree(target) == {"a": b"alpha", "b/c": FOLDER.data[1], "b/empty": b"", "d/e/f": b"x" * 10, "z": b""}
    assert [path.name for path in target.parent.iterdir()] == ["target"]


@pytest.mark.parametrize("content", [Content(b""), Content({}), Content({"a": b"", "b/c": b""})])
def test_empty_files_and_folders(target, content):
    store = content.open(target)
    store.finish()
    store.close()
    assert target.exists()
    if isinstance(content.manifest, FolderManifest):
        assert tree(target) == {file.path: b"" for file in content.manifest.files}
    again = content.open(target)
    again.finish()
    again.close()
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_only_chosen_files_are_put_in_place_and_others_can_follow(target):
    store = FOLDER.open(target, chosen=[0, 2])
    FOLDER.fill(store, [0, 1])  # a piece of a file that was chosen no longer
    store.finish()
    store.close()
    assert tree(target) == {"a": b"alpha", "b/empty": b""}
    (target / "mine").write_bytes(b"stays")
    store = FOLDER.open(target)
    assert list(store.have()) == [0]
    assert piece_of(store, 0) == b"alpha"
    FOLDER.fill(store)
    store.finish()
    store.close()
    assert tree(target) == {
        "a": b"alpha",
        "b/c": FOLDER.data[1],
        "b/empty": b"",
        "d/e/f": b"x" * 10,
        "mine": b"stays",
        "z": b"",
    }
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_a_wrong_piece_is_not_written(target):
    store = FILE.open(target)
    right = FILE.piece(store, 1)
    assert not store.write_piece(1, bytes(PIECE))
    assert not store.write_piece(1, right[:-1])
    assert not store.write_piece(1, right + b"x")
    assert not store.write_piece(0, b"")
    assert list(store.have()) == []
    with pytest.raises(LocalError):
        piece_of(store, 1)
    assert store.write_piece(1, memoryview(bytearray(right)))
    assert piece_of(store, 1) == right
    with pytest.raises(LocalError, match="5 pieces"):
        store.finish()
    store.close()


def test_what_was_committed_is_there_after_a_crash_and_the_rest_only_if_it_is_right(target):
    store = FILE.open(target)
    FILE.fill(store, [0, 2])
    assert store.commit() == 2
    FILE.fill(store, [1, 3])
    with store._handles.borrow(0) as handle:  # what a power cut may leave of a piece that was not flushed
        os.pwrite(handle, bytes(100), store.space.locate(3).offset)
    store._placing.close()  # the process is gone: its locks with it, nothing else was done
    again = FILE.open(target)
    assert list(again.have()) == [0, 1, 2]
    assert piece_of(again, 1) == FILE.piece(again, 1)
    assert piece_of(again, 2) == FILE.piece(again, 2)
    FILE.fill(again)
    again.finish()
    again.close()
    assert target.read_bytes() == FILE.data[0]


def test_a_mark_comes_only_after_its_bytes_were_flushed(target, monkeypatch):
    order = []
    real_flush = disk.flush
    monkeypatch.setattr("peerage.content.store.flush", lambda handle: (order.append("data"), real_flush(handle)))
    store = FILE.open(target)
    monkeypatch.setattr("peerage.content.journal.flush", lambda handle: (order.append("journal"), real_flush(handle)))
    FILE.fill(store, [0])
    store.commit()
    assert order == ["data", "journal"]
    assert store.commit() == 0
    assert order == ["data", "journal"]
    store.close()


def lose(target, *pieces):
    """Lose the bytes of pieces, as a power cut may."""
    for index in pieces:
        with (FILE.parts(target) / "data").open("r+b") as data:
            data.seek(index * PIECE)
            data.write(bytes(PIECE if index < 5 else 7))


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_torn_journal_never_counts(target, cut):
    store = FILE.open(target)
    FILE.fill(store, [0])
    store.commit()
    FILE.fill(store, [1, 2])
    store.commit()
    store.close()
    journal = FILE.parts(target) / "journal"
    journal.write_bytes(journal.read_bytes()[:-cut])
    lose(target, 1, 2)
    again = FILE.open(target)
    assert list(again.have()) == [0]
    FILE.fill(again, [4])
    again.commit()
    again.close()
    last = FILE.open(target)
    assert list(last.have()) == [0, 4]
    last.close()


@pytest.mark.parametrize("garbage", [b"\0" * 100, b"\xff" * 100, b"\0\0\0\1" + b"\0" * 12])
def test_garbage_at_the_end_of_the_journal_never_counts(target, garbage):
    store = FILE.open(target)
    FILE.fill(store, [1])
    store.commit()
    store.close()
    with (FILE.parts(target) / "journal").open("ab") as journal:
        journal.write(garbage)
    again = FILE.open(target)
    assert list(again.have()) == [1]
    again.close()


def test_a_journal_of_other_content_is_refused(target):
    FILE.open(target).close()
    other = Content(bytes_of(PIECE * 6, seed=3)[: PIECE * 5 + 7])
    FILE.parts(target).rename(other.parts(target))
    with pytest.raises(StoreError, match="other content"):
        other.open(target)
    assert other.parts(target).exists()


def test_pieces_of_a_file_that_vanished_or_changed_its_size_are_fetched_again(target):
    store = FOLDER.open(target)
    FOLDER.fill(store)
    store.commit()
    store.close()
    (FOLDER.parts(target) / "data/a").unlink()
    (FOLDER.parts(target) / "data/d/e/f").write_bytes(b"short")
    again = FOLDER.open(target)
    assert list(again.have()) == [1, 2]
    again.write_piece(0, b"alpha")
    again._placing.close()
    last = FOLDER.open(target)  # the file is whole again; nothing in it was marked since, but its piece is right
    assert list(last.have()) == [0, 1, 2]
    FOLDER.fill(last)
    last.finish()
    last.close()
    assert (target / "d/e/f").read_bytes() == b"x" * 10


def test_a_file_that_vanishes_while_it_is_written_is_noticed(target):
    store = FILE.open(target)
    FILE.fill(store, [0])
    (FILE.parts(target) / "data").unlink()
    with pytest.raises(StoreError, match="vanished"):
        store.commit()
    store.close()
    again = FILE.open(target)
    assert list(again.have()) == []
    again.close()


def test_a_vanished_journal_is_noticed(target):
    store = FILE.open(target)
    FILE.fill(store, [0])
    (FILE.parts(target) / "journal").unlink()
    with pytest.raises(StoreError, match="vanished"):
        store.commit()
    store.close()


@pytest.mark.parametrize("content", [FILE, FOLDER])
def test_target_exists(target, content):
    target.write_bytes(b"mine")
    with pytest.raises(TargetExistsError):
        content.open(target)
    assert target.read_bytes() == b"mine"
    assert list(target.parent.iterdir()) == [target]
    target.unlink()
    store = content.open(target)
    content.fill(store)
    target.write_bytes(b"came later")
    with pytest.raises(TargetExistsError):
        store.finish()
    assert target.read_bytes() == b"came later"
    target.unlink()
    store.finish()
    store.close()
    assert target.exists()


def test_a_file_of_the_folder_exists(target):
    target.mkdir()
    (target / "a").write_bytes(b"other")
    with pytest.raises(TargetExistsError, match="target/a"):
        FOLDER.open(target)
    store = FOLDER.open(target, chosen=[1])
    FOLDER.fill(store, store.space.pieces_of(1))
    store.finish()
    store.close()
    assert (target / "a").read_bytes() == b"other"
    assert (target / "b/c").read_bytes() == FOLDER.data[1]
    (target / "d").write_bytes(b"a file where a folder should be")
    with pytest.raises(TargetExistsError, match="target/d"):
        FOLDER.open(target, chosen=[3])


def test_what_is_there_already_is_not_fetched(target):
    target.write_bytes(FILE.data[0])
    store = FILE.open(target)
    assert store.have().is_full()
    assert piece_of(store, 3) == FILE.piece(store, 3)
    store.finish()
    store.close()
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_a_folder_that_appears_while_it_is_downloaded_is_joined(target):
    store = FOLDER.open(target)
    FOLDER.fill(store)
    target.mkdir()
    (target / "mine").write_bytes(b"stays")
    (target / "a").write_bytes(b"alpha")
    store.finish()
    store.close()
    assert tree(target)["mine"] == b"stays"
    assert tree(target)["b/c"] == FOLDER.data[1]
    assert sorted(path.name for path in target.parent.iterdir()) == ["target"]


def test_names_that_this_disk_cannot_hold_are_made_safe(target):
    content = Content({"con": b"1", "a:b": b"2", "a?b": b"3", "trailing. ": b"4"})
    store = content.open(target)
    content.fill(store)
    store.finish()
    store.close()
    assert tree(target) == {"con_": b"1", "a_b": b"2", "a_b (2)": b"3", "trailing": b"4"}


def test_names_that_differ_in_case(target, monkeypatch):
    content = Content({"README": b"1", "readme": b"2"})
    for folds, names in ((False, {"README", "readme"}), (True, {"README", "readme (2)"})):
        monkeypatch.setattr("peerage.content.placing.Placing._folds_case", lambda _, folds=folds: folds)
        store = content.open(target.with_name(str(folds)))
        content.fill(store)
        store.finish()
        store.close()
        assert set(tree(target.with_name(str(folds)))) == names


def test_this_disk_tells_upper_case_from_lower_case_or_not(target):
    content = Content({"README": b"1", "readme": b"2"})
    store = content.open(target)
    content.fill(store)
    store.finish()
    store.close()
    assert sorted(tree(target).values()) == [b"1", b"2"]


def test_symbolic_links_are_not_followed(target, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    FILE.parts(target).symlink_to(outside)
    with pytest.raises(StoreError):
        FILE.open(target)
    FILE.parts(target).unlink()

    store = FOLDER.open(target)
    (FOLDER.parts(target) / "data").symlink_to(outside)
    with pytest.raises(StoreError, match="link|no folder"):
        FOLDER.fill(store)
    store.close()
    (FOLDER.parts(target) / "data").unlink()

    store = FILE.open(target)
    (FILE.parts(target) / "data").symlink_to(outside / "file")
    with pytest.raises(StoreError, match="symbolic link"):
        FILE.fill(store)
    store.close()

    target.mkdir()
    (target / "b").symlink_to(outside)
    with pytest.raises(TargetExistsError):
        FOLDER.open(target)
    assert list(outside.iterdir()) == []


def test_a_target_that_is_a_link_is_not_followed(target, tmp_path):
    target.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TargetExistsError):
        FILE.open(target)
    assert target.is_symlink()


def test_the_same_download_does_not_run_twice(target):
    store = FILE.open(target)
    with pytest.raises(StoreError, match="running already"):
        FILE.open(target)
    FILE.fill(store, [0])
    store.close()
    FILE.open(target).close()


def test_cancel_removes_only_what_is_ours(target):
    for content in (FILE, FOLDER):
        store = content.open(target)
        content.fill(store)
        store.commit()
        (content.parts(target) / "mine").write_bytes(b"stays")
        store.discard()
        assert tree(target.parent) == {f"{content.parts(target).name}/mine": b"stays"}
        (content.parts(target) / "mine").unlink()
        content.parts(target).rmdir()
    store = FOLDER.open(target)
    store.discard()
    assert list(target.parent.iterdir()) == []


def test_no_space_at_the_start(target, monkeypatch):
    real = os.fstatvfs
    monkeypatch.setattr(os, "fstatvfs", lambda handle: os.statvfs_result((*real(handle)[:3], 1, 1, *real(handle)[5:])))
    with pytest.raises(DiskFullError, match="needs 2 MiB more"):
        FILE.open(target)
    assert list(target.parent.iterdir()) == []
    target.write_bytes(FILE.data[0])
    FILE.open(target).close()  # all there


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_disk_full_on_the_way(target, monkeypatch, code):
    store = FILE.open(target)
    FILE.fill(store, [0])
    real = os.pwrite

    def full(handle, data, offset):
        if offset:
            raise OSError(code, "full")
        return real(handle, data[:1000], offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(DiskFullError):
            FILE.fill(store, [1])
        with pytest.raises(DiskFullError):
            store.commit()
    assert list(store.have()) == [0]
    store.close()
    again = FILE.open(target)
    FILE.fill(again)
    again.finish()
    again.close()
    assert target.read_bytes() == FILE.data[0]


def test_bytes_that_could_not_be_flushed_are_never_marked(target, monkeypatch):
    store = FILE.open(target)
    FILE.fill(store)

    def broken(handle):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("peerage.content.store.flush", broken)
        with pytest.raises(StoreError, match="Input/output error"):
            store.commit()
    assert store.commit() == 0
    with pytest.raises(LocalError, match="not safe"):
        store.finish()
    store.close()
    again = FILE.open(target)
    assert again.have().is_full()  # checked again, and written again: the kernel may take them for flushed
    assert again.commit() == again.space.count
    again.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(target):
    target.parent.chmod(0o500)
    with pytest.raises(StoreError, match="permission denied"):
        FILE.open(target)


def test_no_permission_is_said_clearly(target, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(StoreError, match="permission denied: let this user write there"):
        FILE.open(target)


def test_a_part_folder_of_another_user_is_refused(target, monkeypatch):
    FILE.open(target).close()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    real = os.fstat
    home = os.stat(target.parent).st_ino

    def foreign(handle):
        found = real(handle)
        return found if found.st_ino == home else os.stat_result((*found[:4], 54321, *found[5:]))

    monkeypatch.setattr(os, "fstat", foreign)
    with pytest.raises(StoreError, match="belongs to another user"):
        FILE.open(target)


def test_a_disk_without_hard_links(target, monkeypatch):
    def no_links(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    store = FILE.open(target)
    FILE.fill(store)
    target.write_bytes(b"mine")
    with pytest.raises(TargetExistsError):
        store.finish()
    target.unlink()
    store.finish()
    store.close()
    assert target.read_bytes() == FILE.data[0]


def test_many_small_files_from_several_threads(target):
    content = Content({f"{n % 7}/{n}": b"%d" % n for n in range(500)})
    store = content.open(target)
    with ThreadPoolExecutor(4) as pool:
        assert all(
            pool.map(lambda index: store.write_piece(index, content.piece(store, index)), range(store.space.count))
        )
        pool.submit(store.commit).result()
    assert len(store._handles) <= 64
    store.finish()
    store.close()
    assert len(tree(target)) == 500
    assert (target / "3/108").read_bytes() == b"108"


def test_a_target_folder_is_made(tmp_path):
    store = FILE.open(tmp_path / "new/folder/file")
    FILE.fill(store)
    store.finish()
    store.close()
    assert (tmp_path / "new/folder/file").read_bytes() == FILE.data[0]


def test_the_longest_name_still_has_a_part_folder(tmp_path):
    name = "音" * 85
    assert len(part_name_of(name, FILE.id).encode()) <= 255
    store = FILE.open(tmp_path / name)
    FILE.fill(store)
    store.finish()
    store.close()
    assert (tmp_path / name).read_bytes() == FILE.data[0]


def test_parts_can_be_removed_whatever_stands_at_the_target(target):
    store = FILE.open(target)
    FILE.fill(store, [0])
    store.commit()
    store.close()
    target.write_bytes(b"precious")
    PartialStore.remove(target, FILE.manifest, FILE.id)
    assert not FILE.parts(target).exists()
    assert target.read_bytes() == b"precious"


def test_removing_parts_that_are_not_there_makes_nothing(target):
    PartialStore.remove(target.parent / "nowhere" / "file", FILE.manifest, FILE.id)
    assert list(target.parent.iterdir()) == []


def test_removing_parts_that_are_in_use_is_refused(target):
    store = FILE.open(target)
    with pytest.raises(StoreError, match="running already"):
        PartialStore.remove(target, FILE.manifest, FILE.id)
    store.discard()


def test_it_is_known_where_files_will_stand(target):
    store = FOLDER.open(target)
    assert store.place_of(1) == target / "b" / "c"
    FOLDER.fill(store)
    store.finish()
    assert store.place_of(1).read_bytes() == FOLDER.data[1]
    store.close()
    single = FILE.open(target.parent / "single")
    assert single.place_of(0) == target.parent / "single"
    single.discard()
