from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from catalogue_samples import make_files

from peerage.catalogue import walk
from peerage.catalogue.hashing import FileStat
from peerage.catalogue.walk import scan
from peerage.errors import LimitError, LocalError, StoreError


def names(root: Path, private: Path | None = None) -> list[str]:
    return [found.relative for found in scan(root, private).files]


def reasons(root: Path, private: Path | None = None) -> dict[str, str]:
    return {Path(skipped.path).name: skipped.reason for skipped in scan(root, private).skipped}


def test_all_files_sorted_and_with_their_stat(tmp_path: Path) -> None:
    make_files(tmp_path, "b/c.txt", "a.txt", "b/ä/d.txt", "b.txt")
    scanned = scan(tmp_path)
    assert [found.relative for found in scanned.files] == ["a.txt", "b.txt", "b/c.txt", "b/ä/d.txt"]
    found = scanned.files[2]
    assert found.path == str(tmp_path / "b" / "c.txt")
    assert found.stat == FileStat.of(os.stat(found.path))
    assert scanned.folder
    assert scanned.skipped_count == 0


def test_a_single_file(tmp_path: Path) -> None:
    make_files(tmp_path, ".hidden")
    scanned = scan(tmp_path / ".hidden")  # named by hand, so it is meant
    assert not scanned.folder
    assert [found.relative for found in scanned.files] == [""]


def test_hidden_and_temporary_files_are_left_out(tmp_path: Path) -> None:
    make_files(
        tmp_path, "a", ".b", ".git/config", "c.tmp", "d~", "~$e.docx", "f.crdownload", "Thumbs.db", "#g#", "h.part"
    )
    assert names(tmp_path) == ["a"]
    assert scan(tmp_path).skipped_count == 0


def test_ignore_files_count_for_their_folder_and_below(tmp_path: Path) -> None:
    make_files(
        tmp_path, "a.log", "keep.log", "sub/b.log", "sub/deep/c.log", "sub/d.txt", "build/x", "sub/build", "e.txt"
    )
    (tmp_path / ".peerageignore").write_text("# no logs\n*.log\n!keep.log\nbuild/\n/e.txt\n")
    (tmp_path / "sub" / ".peerageignore").write_text("!b.log\nd.*\n")
    assert names(tmp_path) == ["keep.log", "sub/b.log", "sub/build"]


def test_odd_ignore_files_do_no_harm(tmp_path: Path) -> None:
    make_files(tmp_path, "a.txt", "b.txt", "c/d.txt")
    (tmp_path / ".peerageignore").write_bytes(b"\xef\xbb\xbfa.txt\n\xff\xfe\n!\nb.*\n")
    (tmp_path / "c" / ".peerageignore").mkdir()
    assert names(tmp_path) == ["c/d.txt"]
    assert "not a pattern" in reasons(tmp_path)[".peerageignore"]


def test_links_are_not_followed_out_of_the_share(tmp_path: Path) -> None:
    share = make_files(tmp_path / "share", "a.txt", "sub/b.txt", ".secret")
    outside = make_files(tmp_path / "outside", "private.txt", "folder/x.txt")
    (share / "inside").symlink_to(share / "sub" / "b.txt")
    (share / "out").symlink_to(outside / "private.txt")
    (share / "out-folder").symlink_to(outside / "folder")
    (share / "loop").symlink_to(share)
    (share / "to-hidden").symlink_to(share / ".secret")
    (share / "broken").symlink_to(tmp_path / "nowhere")
    (share / "up").symlink_to("../outside/private.txt")
    assert names(share) == ["a.txt", "inside", "sub/b.txt"]
    assert set(reasons(share)) == {"out", "out-folder", "loop", "to-hidden", "broken", "up"}


def test_a_share_that_is_itself_a_link_is_followed(tmp_path: Path) -> None:
    real = make_files(tmp_path / "real", "a.txt", "b/c.txt")
    (real / "again").symlink_to("b/c.txt")
    link = tmp_path / "link"
    link.symlink_to(real)
    assert names(link) == ["a.txt", "again", "b/c.txt"]


def test_special_files_are_skipped(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    make_files(tmp_path, "a")
    assert names(tmp_path) == ["a"]
    assert reasons(tmp_path) == {"fifo": "not a regular file", "socket": "not a regular file"}
    with pytest.raises(LocalError, match="neither"):
        scan(tmp_path / "fifo")


def test_names_that_cannot_travel_are_skipped(tmp_path: Path) -> None:
    make_files(tmp_path, "a", "b\\..\\c", "C:/x")
    (tmp_path / os.fsdecode(b"caf\xe9")).write_text("x")
    deep = tmp_path.joinpath(*["d"] * walk.MAX_FOLDER_DEPTH)
    deep.mkdir(parents=True)
    (deep / "e").write_text("x")
    assert names(tmp_path) == ["a"]
    assert set(reasons(tmp_path)) == {"b\\..\\c", "C:", os.fsdecode(b"caf\xe9"), "e"}


def test_what_cannot_be_shared_at_all(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot share"):
        scan(tmp_path / "nothing")
    with pytest.raises(LocalError, match="whole disk"):
        scan(Path("/"))


def test_the_nodes_own_folder_is_never_in_a_share(tmp_path: Path) -> None:
    private = make_files(tmp_path / "node", "key", "downloads/a.txt").resolve()
    make_files(tmp_path, "b.txt")
    assert names(tmp_path, private) == ["b.txt"]
    assert "own key" in reasons(tmp_path, private)["node"]
    assert names(private / "downloads", private) == ["a.txt"]
    for path in (private, private / "key"):
        with pytest.raises(LocalError, match="own key"):
            scan(path, private)


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "MAX_FOLDER_FILES", 2)
    make_files(tmp_path, "a", "b", "c")
    with pytest.raises(LimitError, match="share its folders"):
        scan(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_folders_are_reported(tmp_path: Path) -> None:
    make_files(tmp_path, "a", "b/c")
    (tmp_path / "b").chmod(0)
    try:
        assert names(tmp_path) == ["a"]
        assert "ermission" in reasons(tmp_path)["b"]
    finally:
        (tmp_path / "b").chmod(stat.S_IRWXU)


def test_a_folder_that_vanishes_during_the_walk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_files(tmp_path, "a", "b/c")
    listing = os.scandir

    def vanish(path: Path) -> object:
        if Path(path).name == "b":
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", vanish)
    assert names(tmp_path) == ["a"]
    assert "No such file" in reasons(tmp_path)["b"]
