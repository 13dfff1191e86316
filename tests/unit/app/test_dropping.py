"""Files that are handed in over HTTP: where they land, under which name, and what is left when it goes wrong."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from app_worlds import Api

from peerage.app import dropping
from peerage.app.api import models
from peerage.app.api.guard import MAX_BODY
from peerage.app.node import Node
from peerage.content.disk import lock
from peerage.content.names import safe_name
from peerage.errors import DiskFullError, LimitError, LocalError, StoreError
from peerage.limits import MAX_NAME_BYTES, MIB

DATA = os.urandom(3 * MIB + 17)


def folder_of(node: Node) -> Path:
    return node.config.download_folder / dropping.FOLDER


def found(node: Node) -> dict[str, bytes]:
    """Everything in the folder, hidden or not."""
    return {each.name: each.read_bytes() for each in folder_of(node).iterdir()} if folder_of(node).exists() else {}


def names(node: Node) -> list[str]:
    """The names in the folder now, while they come and go."""
    return os.listdir(folder_of(node)) if folder_of(node).exists() else []


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def endless() -> AsyncIterator[bytes]:
    """Send a little, and then nothing for ever."""
    yield b"x"
    await asyncio.Event().wait()


async def dropped(http: httpx.AsyncClient, name: str, data: bytes, status: int = 201, **query: str) -> models.Share:
    response = await http.put(f"dropped/{name}", content=data, params=query)
    assert response.status_code == status, response.text
    return msgspec.json.decode(response.content, type=models.Share if status == 201 else dict)


async def test_a_file_lands_and_is_shared(api: Api, node: Node) -> None:
    share = await dropped(api.http, "my%20song.ogg", DATA, visibility="link")
    assert (share.name, share.size, share.visibility) == ("my song.ogg", len(DATA), "link")
    assert Path(share.path) == folder_of(node) / "my song.ogg"
    assert found(node) == {"my song.ogg": DATA}
    assert [each.path for each in await node.library()] == [share.path]
    assert (await api.http.get(f"content/{share.content_id}")).content == DATA
    assert not Path(share.path).stat().st_mode & 0o111
    public = await dropped(api.http, "my%20song.ogg", b"another")
    assert (public.name, public.visibility) == ("my song (2).ogg", "public")
    assert (await dropped(api.http, "empty", b"")).size == 0
    assert found(node) == {"my song.ogg": DATA, "my song (2).ogg": b"another", "empty": b""}


NAMES = ["..%5C..%5Cevil", "%2E%2E", ".bashrc", "...hidden", " .x", "CON", "nul.txt", "a%00b", "%E2%80%AEgpj.exe"]
NAMES += ["x" * 1000, "a:b|c?d*", "~", "-rf", "%FF%FE", ".peerage-drop-1", "%20"]


async def test_attack_names_that_mean_something_else(api: Api, node: Node) -> None:
    for name in NAMES:
        share = await dropped(api.http, name, name.encode())
        assert found(node)[share.name] == name.encode()
        assert share.name == safe_name(share.name)
        assert not share.name.startswith(".")
        assert len(share.name.encode()) <= MAX_NAME_BYTES
        assert "\0" not in share.name
    assert len(found(node)) == len(NAMES)
    assert [each.name for each in node.config.download_folder.iterdir()] == [dropping.FOLDER]


async def test_attack_a_name_with_folders_is_no_route(api: Api, node: Node) -> None:
    for name in ("a/b", "..%2F..%2Fevil", "%2Fetc%2Fpasswd", "", "x" * 2000):
        response = await api.http.put(f"dropped/{name}", content=b"data")
        assert response.status_code in {400, 404, 405}, name
    assert found(node) == {}
    assert not (node.config.download_folder.parent / "evil").exists()


async def test_who_may(api: Api, node: Node) -> None:
    async with await api.as_role("guest") as guest, await api.as_role("user") as user:
        await dropped(guest, "a", b"a", 403)
        await dropped(user, "b", b"b")
    stranger = {"authorization": "Bearer wrong"}
    assert (await api.http.put("dropped/c", content=DATA, headers=stranger)).status_code == 401
    assert (await api.http.put("dropped/c", content=b"", headers={"origin": "http://evil.example"})).status_code == 403
    assert (await api.http.put("dropped/c", content=b"", headers={"host": "evil.example"})).status_code == 403
    assert set(found(node)) == {"b"}
    assert (await api.http.put("dropped/c?visibility=all", content=b"")).status_code == 400


async def test_the_length_must_be_said(api: Api, node: Node) -> None:
    assert (await api.http.put("dropped/a", content=pieces(b"x"))).status_code == 411
    assert found(node) == {}


async def test_large_bodies_go_nowhere_else(api: Api) -> None:
    large = bytes(MAX_BODY + 1)
    assert (await api.http.put("limits", content=large)).status_code == 413
    assert (await api.http.post("dropped/a", content=large)).status_code == 413
    assert (await api.http.put("droppedx", content=large)).status_code == 413


async def test_attack_a_connection_that_breaks_leaves_nothing(api: Api, node: Node) -> None:
    host, port = api.address.split(":")
    for _ in range(3):
        _, writer = await asyncio.open_connection(host, int(port))
        head = f"PUT /api/v1/dropped/half HTTP/1.1\r\nHost: {api.address}\r\nAuthorization: Bearer {api.token}\r\n"
        writer.write(f"{head}Content-Length: {9 * MIB}\r\n\r\n".encode() + DATA)
        await writer.drain()
        async with asyncio.timeout(60):
            while not any(landing.missing < 9 * MIB for landing in node.drops._under_way):
                await asyncio.sleep(0)
        assert names(node)
        writer.transport.abort()
        async with asyncio.timeout(60):
            while names(node) or node.drops._under_way:
                await asyncio.sleep(0)
    assert await node.library() == []


async def test_a_sender_that_falls_silent_is_given_up(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dropping, "DROP_PATIENCE", 0.0)
    with pytest.raises(LocalError, match="given up"):
        await node.drops.take("x", 9, "public", endless())
    assert found(node) == {}


async def test_attack_more_or_less_than_was_said(node: Node) -> None:
    with pytest.raises(LocalError, match="longer"):
        await node.drops.take("x", 3, "public", pieces(b"12", b"34"))
    with pytest.raises(LocalError, match="1 bytes early"):
        await node.drops.take("x", 3, "public", pieces(b"12"))
    assert found(node) == {}
    assert (await node.drops.take("x", 4, "public", pieces(b"12", b"", b"34"))).size == 4


async def test_what_is_cancelled_leaves_nothing(node: Node) -> None:
    taking = asyncio.create_task(node.drops.take("x", 9, "public", endless()))
    async with asyncio.timeout(60):
        while not names(node):
            await asyncio.sleep(0)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert found(node) == {}
    early = asyncio.create_task(node.drops.take("x", 9, "public", endless()))
    await asyncio.sleep(0)  # its file is just being made, in a thread
    early.cancel()
    with pytest.raises(asyncio.CancelledError):
        await early
    async with asyncio.timeout(60):
        while names(node):
            await asyncio.sleep(0)


async def test_what_cannot_be_shared_leaves_nothing(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_arguments):
        raise LocalError("not this one")

    monkeypatch.setattr(node.sharing, "share", refuse)
    with pytest.raises(LocalError, match="not this one"):
        await node.drops.take("x", 1, "public", pieces(b"1"))
    assert found(node) == {}


async def test_the_disk_keeps_its_reserve(api: Api, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = os.statvfs("/")
    free = 100 * MIB

    def fstatvfs(_handle):
        return os.statvfs_result((1, 1, *disk[2:4], free, *disk[5:]))

    monkeypatch.setattr(os, "fstatvfs", fstatvfs)
    monkeypatch.setattr(dropping, "DISK_RESERVE", 90 * MIB)
    with pytest.raises(DiskFullError, match="11 MiB"):
        await node.drops.take("x", 10 * MIB + 1, "public", pieces())
    first = asyncio.create_task(node.drops.take("x", 6 * MIB, "public", endless()))
    async with asyncio.timeout(60):
        while not names(node):
            await asyncio.sleep(0)
    with pytest.raises(DiskFullError):  # each would fit, both do not
        await node.drops.take("y", 6 * MIB, "public", pieces())
    first.cancel()
    await asyncio.wait([first])
    response = await api.http.put("dropped/a", content=b"x" * 11, headers={"content-length": "11"})
    assert response.status_code == 201
    monkeypatch.setattr(dropping, "DISK_RESERVE", 101 * MIB)
    await dropped(api.http, "a", b"x", 507)


async def test_attack_too_many_at_once(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dropping, "DROPS_AT_ONCE", 2)
    under_way = [asyncio.create_task(node.drops.take("x", 9, "public", endless())) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(LimitError, match="already"):
        await node.drops.take("y", 1, "public", pieces(b"1"))
    for task in under_way:
        task.cancel()
    await asyncio.wait(under_way)
    await node.drops.take("y", 1, "public", pieces(b"1"))


async def test_attack_links_planted_in_the_folder(node: Node, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    folder_of(node).mkdir(parents=True)
    (folder_of(node) / "x").symlink_to(victim)
    (folder_of(node) / "x (2)").symlink_to(tmp_path / "not there")
    share = await node.drops.take("x", 1, "public", pieces(b"1"))
    assert share.name == "x (3)"
    assert victim.read_bytes() == b"precious"
    assert not (tmp_path / "not there").exists()


async def test_attack_the_folder_itself_is_a_link(node: Node, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    node.config.download_folder.mkdir(parents=True)
    folder_of(node).symlink_to(elsewhere)
    with pytest.raises(StoreError):
        await node.drops.take("x", 1, "public", pieces(b"1"))
    assert list(elsewhere.iterdir()) == []


async def test_attack_the_folder_is_swapped_while_a_file_comes(node: Node, tmp_path: Path) -> None:
    """What was opened is written to; nothing is written where the name leads by then."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    async def swapping() -> AsyncIterator[bytes]:
        folder_of(node).rename(tmp_path / "moved")
        folder_of(node).symlink_to(elsewhere)
        yield b"1"

    with pytest.raises(StoreError):  # it is not where it should be, so it cannot be shared
        await node.drops.take("x", 1, "public", swapping())
    assert list(elsewhere.iterdir()) == []
    assert list((tmp_path / "moved").iterdir()) == []


async def test_names_in_other_case_are_kept_apart_where_the_disk_does(node: Node) -> None:
    for name in ("Song", "song", "SONG"):
        await node.drops.take(name, 1, "public", pieces(name[:1].encode()))
    assert len(found(node)) == 3
    assert sorted(found(node).values()) == [b"S", b"S", b"s"]


async def test_what_a_crash_left_is_swept_away(node: Node) -> None:
    folder_of(node).mkdir(parents=True)
    stale, busy = (folder_of(node) / f".peerage-drop-{name}" for name in ("stale", "busy"))
    stale.write_bytes(b"half")
    busy.write_bytes(b"of another process")
    (folder_of(node) / ".peerage-drop-link").symlink_to("/etc/passwd")
    handle = os.open(busy, os.O_RDONLY)
    assert lock(handle)
    await node.drops.take("x", 1, "public", pieces(b"1"))
    os.close(handle)
    assert set(os.listdir(folder_of(node))) == {".peerage-drop-busy", ".peerage-drop-link", "x"}
