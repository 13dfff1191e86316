"""Files from old peers: whole and in place, or gone; never outside the folder, never over another file. Virtual time."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from classic_world import PlayedPeer, Sky, gateway_node, message

from peerage.app.old_hits import file_name_of, transfer_view
from peerage.classic.downloads import OldDownloads
from peerage.classic.links import OldLink
from peerage.classic.part_file import PartFile
from peerage.content.manifest import PieceHasher, content_id_of, encode
from peerage.content.status import DownloadState
from peerage.errors import (
    ForgedError,
    LinkLostError,
    LocalError,
    PeerageError,
    RefusedError,
    StoreError,
    TargetExistsError,
)
from peerage.lab.clock import run_virtual
from peerage.limits import CLASSIC_DOWNLOADS_AT_ONCE, CLASSIC_FILE_PATIENCE

B = "10.0.0.12:19512"
CONTENT = random.Random(3).randbytes(700_000)

Scene = Callable[[OldDownloads, PlayedPeer], Awaitable[None]]


def play(scene: Scene, kind: type[PlayedPeer] = PlayedPeer) -> None:
    async def main(rng: random.Random) -> None:
        sky = Sky()
        async with gateway_node(sky, "10.0.0.1:19511", rng) as node:
            old = kind(sky, B)
            old.start()
            old.shares("notes.txt", CONTENT)
            downloads = OldDownloads(sky.transport("10.0.0.1"), lambda _count, _now: 0.0)
            await node.peer.mount(downloads)
            await scene(downloads, old)

    run_virtual(main)


def link_to(old: PlayedPeer, name: str = "notes.txt", content: bytes | None = None) -> OldLink:
    return OldLink(old.address, name, content)


def id_of(content: bytes) -> bytes:
    hasher = PieceHasher(len(content))
    hasher.feed(memoryview(content))
    return content_id_of(encode(hasher.finish()))


def files_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_file_comes_whole_and_is_marked_unverified(tmp_path: Path) -> None:
    async def scene(downloads: OldDownloads, old: PlayedPeer) -> None:
        download = downloads.add(link_to(old), tmp_path / "notes.txt")
        assert downloads.add(link_to(old), tmp_path / "notes.txt") is download
        assert await download.wait() == tmp_path / "notes.txt"
        assert (tmp_path / "notes.txt").read_bytes() == CONTENT
        assert download.content == id_of(CONTENT)
        assert not download.verified
        view = transfer_view(download)
        assert view.unverified
        assert "unverified" in view.note
        assert (view.done, view.size, view.state) == (len(CONTENT), len(CONTENT), "done")
        assert files_in(tmp_path) == ["notes.txt"]

    play(scene)


def test_07_a_known_content_is_checked(tmp_path: Path) -> None:
    async def scene(downloads: OldDownloads, old: PlayedPeer) -> None:
        right = downloads.add(link_to(old, content=id_of(CONTENT)), tmp_path / "right.txt")
        await right.wait()
        assert right.verified
        assert not transfer_view(right).unverified
        old.content["notes.txt"] = CONTENT[:-1] + b"!"
        wrong = downloads.add(OldLink(old.address, "notes.txt", id_of(CONTENT)), tmp_path / "wrong.txt")
        with pytest.raises(ForgedError):
            await wrong.wait()
        assert files_in(tmp_path) == ["right.txt"]

    play(scene)


@pytest.mark.parametrize(
    "name", ["../escape.txt", "/tmp/escape.txt", "..%2Fescape.txt", "..", "C:\\escape.txt", "a/b.txt"]
)
def test_02_write_outside_the_folder(tmp_path: Path, name: str) -> None:
    async def scene(downloads: OldDownloads, old: PlayedPeer) -> None:
        old.content[name] = CONTENT
        folder = tmp_path / "folder"
        link = link_to(old, name)
        path = await downloads.add(link, folder / file_name_of(link)).wait()
        assert path.parent == folder
        assert path.read_bytes() == CONTENT
        assert files_in(tmp_path) == ["folder"]
        assert len(files_in(folder)) == 1

    play(scene)


def test_02_an_existing_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "made-by-link")

    async def scene(downloads: OldDownloads, old: PlayedPeer) -> None:
        with pytest.raises(TargetExistsError):
            await downloads.add(link_to(old), tmp_path / "notes.txt").wait()
        old.content["elsewhere"] = CONTENT
        with pytest.raises(TargetExistsError):
            await downloads.add(link_to(old, "elsewhere"), tmp_path / "elsewhere").wait()
        assert (tmp_path / "notes.txt").read_text() == "mine"
        assert files_in(tmp_path) == ["elsewhere", "notes.txt"]

    play(scene)


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "x.txt", bytes(32), 3)
    part.open()
    part.take(b"abc")
    (tmp_path / "x.txt").write_text("mine")
    with pytest.raises(TargetExistsError):
        part.finish(None)
    part.close()
    assert (tmp_path / "x.txt").read_text() == "mine"
    assert files_in(tmp_path) == ["x.txt"]


def test_what_was_given_up_is_not_written_any_more(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "x.txt", bytes(32), 3)
    part.open()
    part.close()
    for work in (part.open, lambda: part.take(b"abc")):
        with pytest.raises(StoreError, match="given up"):
            work()
    part.close()
    assert files_in(tmp_path) == []


class Stingy(PlayedPeer):
    """Promises more than it sends."""

    def answer(self, code: str, payload: bytes) -> list[bytes]:
        return [b"REPL" + (len(CONTENT) + 1).to_bytes(4, "big") + CONTENT] if code == "FGET" else []


class Silent(Stingy):
    """Does the same, and never closes."""

    def __init__(self, sky: Sky, where: str) -> None:
        super().__init__(sky, where)
        self.closes = False


class Mute(PlayedPeer):
    def answer(self, code: str, payload: bytes) -> list[bytes]:
        return []


@pytest.mark.parametrize(("kind", "error"), [(Stingy, LinkLostError), (Silent, LinkLostError), (Mute, LinkLostError)])
def test_a_file_that_does_not_come_whole_is_removed(
    tmp_path: Path, kind: type[PlayedPeer], error: type[PeerageError]
) -> None:
    async def scene(downloads: OldDownloads, old: PlayedPeer) -> None:
        began = asyncio.get_running_loop().time()
        download = downloads.add(link_to(old), tmp_path / "notes.txt")
        with pytest.raises(error):
            await download.wait()
        assert download.state is DownloadState.FAILED
        assert asyncio.get_running_loop().time() - began < CLASSIC_FILE_PATIENCE + 2
        assert files_in(tmp_path) == []

    play(scene, kind)


def test_a_file_of_four_gigabytes_that_is_only_promised_costs_nothing(tmp_path: Path) -> None:
    class Boaster(PlayedPeer):
        def answer(self, code: str, payload: bytes) -> list[bytes]:
            return [b"REPL\xff\xff\xff\xffabc"]

    async def scene(downloads: OldDownloads, old: PlayedPeer) -> None:
        download = downloads.add(link_to(old), tmp_path / "notes.txt")
        with pytest.raises(LinkLostError):
            await download.wait()
        assert download.size == 2**32 - 1
        assert files_in(tmp_path) == []

    play(scene, Boaster)


def test_a_refusal_is_told_without_what_could_hurt_a_terminal(tmp_path: Path) -> None:
    class Rude(PlayedPeer):
        def answer(self, code: str, payload: bytes) -> list[bytes]:
            return [message("ERRO", b"no\x1b[2J\xff" + b"x" * 60_000)]

    async def scene(downloads: OldDownloads, old: PlayedPeer) -> None:
        with pytest.raises(RefusedError, match="refuses: no\ufffd") as caught:
            await downloads.add(link_to(old), tmp_path / "notes.txt").wait()
        assert len(str(caught.value)) < 700

    play(scene, Rude)


def test_stopped_resumed_and_cancelled(tmp_path: Path) -> None:
    async def scene(downloads: OldDownloads, old: PlayedPeer) -> None:
        old.stop()
        download = downloads.add(link_to(old), tmp_path / "notes.txt")
        await downloads.stop_one(download, DownloadState.PAUSED)
        assert download.state is DownloadState.PAUSED
        with pytest.raises(LocalError, match="paused"):
            await download.wait()
        old.start()
        downloads.resume(download)
        await download.wait()
        await downloads.stop_one(download, DownloadState.CANCELLED)
        assert downloads.all() == []
        assert (tmp_path / "notes.txt").read_bytes() == CONTENT

    play(scene)


def test_few_run_at_once_and_none_to_one_target(tmp_path: Path) -> None:
    async def scene(downloads: OldDownloads, old: PlayedPeer) -> None:
        for number in range(3 * CLASSIC_DOWNLOADS_AT_ONCE):
            old.content[f"{number}.txt"] = CONTENT
        listed = [
            downloads.add(link_to(old, f"{n}.txt"), tmp_path / f"{n}.txt") for n in range(3 * CLASSIC_DOWNLOADS_AT_ONCE)
        ]
        with pytest.raises(LocalError, match="another download goes to"):
            downloads.add(link_to(old), tmp_path / "1.txt")
        await asyncio.sleep(0.001)
        assert sum(each.state is DownloadState.RUNNING for each in listed) <= CLASSIC_DOWNLOADS_AT_ONCE
        for each in listed:
            await each.wait()

    play(scene)
