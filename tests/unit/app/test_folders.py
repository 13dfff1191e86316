"""Looking through the folders of this computer: what is seen, and everything that must not be."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgspec
import pytest
from app_worlds import Api, OpenNode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peerage.app import folders
from peerage.app.api.control import Control
from peerage.app.api.folder_models import Folder
from peerage.app.folders import View, look, roots_of
from peerage.app.home import Home
from peerage.app.naming import UnknownNameError
from peerage.app.node import Node
from peerage.app.serving import serve_api
from peerage.errors import ConfigError, LocalError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder to look through, with a secret beside it and the node's own folder in it."""
    root = tmp_path / "root"
    (root / "Music" / "deep").mkdir(parents=True)
    (root / "Music" / "song.ogg").write_bytes(b"la" * 50)
    (root / "apple.txt").write_text("a")
    (root / ".ssh").mkdir()
    (root / ".ssh" / "id").write_text("secret")
    (root / "film.part").write_text("unfinished")
    (root / "node").mkdir()
    (root / "node" / "identity.key").write_text("secret")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "plans").write_text("secret")
    return root


def view_of(root: Path, *more: Path, shared: set[str] | None = None) -> View:
    return View([root, *more], root / "node", shared or set())


def names(folder: Folder) -> list[str]:
    return [entry.name for entry in folder.entries]


def test_folders_come_first_and_hidden_names_never(root: Path) -> None:
    (root / "Zoo").mkdir()
    found = look(str(root), view_of(root))
    assert [(entry.name, entry.kind, entry.size) for entry in found.entries] == [
        ("Music", "folder", 0),
        ("Zoo", "folder", 0),
        ("apple.txt", "file", 1),
    ]
    assert (found.path, found.parent, found.more) == (str(root), "", False)
    inner = look(found.entries[0].path, view_of(root))
    assert [(entry.name, entry.size) for entry in inner.entries] == [("deep", 0), ("song.ogg", 100)]
    assert inner.parent == str(root)
    assert look(inner.path + "/deep/", view_of(root)).entries == []


def test_the_roots_are_a_list_of_their_own(root: Path, tmp_path: Path) -> None:
    view = view_of(root, root / "Music", tmp_path / "unplugged disk")
    found = look("", view)
    assert (found.path, found.parent) == ("", None)
    assert [(entry.name, entry.path) for entry in found.entries] == [
        ("root", str(root)),
        ("Music", str(root / "Music")),
    ]
    assert look(str(root / "Music"), view).parent == str(root)
    assert look("/", View([Path("/")], root / "node")).parent == ""


def test_what_is_shared_says_so(root: Path) -> None:
    view = view_of(root, shared={str(root / "Music"), str(root / "apple.txt")})
    assert {entry.name: entry.shared for entry in look(str(root), view).entries} == {"Music": True, "apple.txt": True}
    assert all(entry.shared for entry in look(str(root / "Music"), view).entries)
    assert not look("", view).entries[0].shared


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "/",
        "/etc",
        "//etc",
        "relative",
        "~",
        "{root}/../secret",
        "{root}/Music/../../secret",
        "{root}/..",
        "{root}\0/Music",
        "{root}/Music\0",
        "{root}/\udc80",
        "{root}er",
        "{root}/.ssh",
        "{root}/.ssh/../Music",
        "{root}/./.ssh",
        "{root}/node",
        "{root}/node/transfers",
        "{root}/nothing",
        "{root}/apple.txt",
        "{root}/Music/song.ogg/x",
        "{root}/" + "x" * 300,
        "{root}/" + "x/" * 3000,
        "{ROOT}",
        "/proc/self/root",
        "{root}/out",
        "{root}/out/plans",
        "{root}/up",
        "{root}/loop",
        "{root}/inside",
    ],
)
def test_attack_a_path_that_leads_out(root: Path, path: str) -> None:
    (root / "out").symlink_to(root.parent / "secret")
    (root / "up").symlink_to("..")
    (root / "loop").symlink_to("loop")
    (root / "inside").symlink_to(root / "Music")
    (root / "node" / "transfers").mkdir()
    said = path.replace("{root}", str(root)).replace("{ROOT}", str(root).upper())
    with pytest.raises(UnknownNameError):
        look(said, view_of(root))
    assert not {"out", "up", "loop", "inside", "node"} & set(names(look(str(root), view_of(root))))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(parts=st.lists(st.sampled_from(["..", ".", "", "Music", "deep", "out", ".ssh", "node", "~", "\0", "secret"])))
def test_attack_any_mixture_of_names_stays_inside(root: Path, parts: list[str]) -> None:
    if not (root / "out").is_symlink():
        (root / "out").symlink_to(root.parent / "secret")
    try:
        found = look("/".join([str(root), *parts]), view_of(root))
    except UnknownNameError:
        return
    assert not {"..", "out", ".ssh", "node", "secret"} & set(parts)
    assert Path(found.path).is_relative_to(root)


def test_attack_a_folder_becomes_a_link_between_two_looks(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is swapped for a link after its path was judged, before it is opened."""
    opened = folders._opened

    def swap(*arguments):
        (root / "Music").rename(root / "Moved")
        (root / "Music").symlink_to(root.parent / "secret")
        return opened(*arguments)

    monkeypatch.setattr(folders, "_opened", swap)
    with pytest.raises(UnknownNameError):
        look(str(root / "Music"), view_of(root))


def test_attack_a_folder_becomes_a_link_while_it_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was opened is read to the end, whatever its name means by then."""
    entries = folders._entries

    def swap(*arguments):
        (root / "Music").rename(root / "Moved")
        (root / "Music").symlink_to(root.parent / "secret")
        return entries(*arguments)

    monkeypatch.setattr(folders, "_entries", swap)
    assert names(look(str(root / "Music"), view_of(root))) == ["deep", "song.ogg"]


def test_a_root_may_be_a_link_of_the_owner(root: Path, tmp_path: Path) -> None:
    (tmp_path / "to music").symlink_to(root / "Music")
    view = View([tmp_path / "to music"], root / "node")
    assert names(look(str(tmp_path / "to music"), view)) == ["deep", "song.ogg"]
    with pytest.raises(UnknownNameError):
        look(str(root / "Music"), view)


def test_attack_the_folder_of_the_node_as_a_root(root: Path) -> None:
    with pytest.raises(UnknownNameError):
        look(str(root / "node"), View([root / "node"], root / "node"))
    (root / "link").symlink_to(root / "node")
    with pytest.raises(UnknownNameError):
        look(str(root / "link"), View([root / "link"], root / "node"))


def test_pipes_devices_and_names_that_are_no_text_are_left_out(root: Path) -> None:
    os.mkfifo(root / "pipe")
    os.mkdir(os.fsencode(root) + b"/\xff\xfe")
    assert names(look(str(root), view_of(root))) == ["Music", "apple.txt"]
    reader = threading.Thread(target=lambda: pytest.raises(UnknownNameError, look, f"{root}/pipe", view_of(root)))
    reader.start()
    reader.join(10)
    assert not reader.is_alive(), "it waits for somebody to write into the pipe"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_says_so(root: Path) -> None:
    (root / "Music").chmod(0)
    try:
        with pytest.raises(LocalError, match="may not read"):
            look(str(root / "Music"), view_of(root))
    finally:
        (root / "Music").chmod(0o700)


def test_a_folder_that_may_not_be_read_says_so_to_root_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_arguments):
        raise PermissionError(13, "no")

    monkeypatch.setattr("peerage.app.folders._entries", forbid)
    with pytest.raises(LocalError, match="may not read"):
        look(str(root), view_of(root))


def test_a_large_folder_is_cut_at_its_first_names(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "FOLDER_ENTRIES", 10)
    for number in range(30):
        (root / "Music" / "deep" / f"{number:02}").write_text("")
    found = look(str(root / "Music" / "deep"), view_of(root))
    assert names(found) == [f"{number:02}" for number in range(10)]
    assert found.more
    monkeypatch.setattr(folders, "FOLDER_NAMES", 5)
    found = look(str(root / "Music" / "deep"), view_of(root))
    assert len(found.entries) == 5
    assert found.more


def test_folders_of_the_setting() -> None:
    home = os.path.expanduser("~")
    assert roots_of(["~", home, "/srv/media/", "/srv/../srv/media"]) == [Path(home), Path("/srv/media")]
    for wrong in ("music", "", "./x", "/a\0b"):
        with pytest.raises(ConfigError, match="no absolute path"):
            roots_of([wrong])


# --- over the API -----------------------------------------------------------------------------------------------


async def asked(http, path: str, status: int = 200):
    response = await http.get("folders", params={"path": path})
    assert response.status_code == status, response.text
    return msgspec.json.decode(response.content, type=Folder) if status == 200 else response.json()["error"]


async def test_the_owner_sees_what_he_allowed_and_a_user_his_downloads(open_node: OpenNode, root: Path) -> None:
    node: Node = await open_node("one", folders=[str(root)])
    downloads = node.config.download_folder
    downloads.mkdir(parents=True)
    (downloads / "got.txt").write_text("got")
    async with serve_api(node, "127.0.0.1:0", Control()) as address:
        api = Api(str(address), Home(node.home.path).token(), Control())
        async with api.http, await api.as_role("user") as user, await api.as_role("guest") as guest:
            assert names(await asked(api.http, "")) == ["root"]
            music = (await asked(api.http, str(root))).entries[0]
            assert not music.shared
            await node.share(music.path)
            assert (await asked(api.http, str(root))).entries[0].shared
            assert [entry.path for entry in (await asked(user, "")).entries] == [str(downloads)]
            assert names(await asked(user, str(downloads))) == ["got.txt"]
            for path in (str(root), str(node.home.path), "/", "/etc", str(downloads / "..")):
                await asked(user, path, 404)
            await asked(guest, "", 403)
            await asked(api.http, "x" * 9000, 400)
