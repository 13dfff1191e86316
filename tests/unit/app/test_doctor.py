"""The doctor of a running node: it really looks."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from app_worlds import Api, OpenNode

from peerage.app import doctor as doctor_module
from peerage.app.api.doctor_models import Check
from peerage.app.api.models import Share
from peerage.app.node import Node
from peerage.errors import RequestTimeoutError, StoreError
from peerage.peer.connection import PeerConnection
from peerage.peer.messages import Pong


class Shifted(NamedTuple):
    """A clock that is wrong."""

    seconds: float

    def time(self) -> float:
        return time.time() + self.seconds


async def examined(node: Node) -> dict[str, Check]:
    """Look afresh."""
    node.doctor._until = 0.0
    checks = await node.doctor.examine()
    assert len({check.name for check in checks}) == len(checks)
    return {check.name: check for check in checks}


async def test_over_http(api: Api) -> None:
    response = await api.http.get("doctor")
    assert response.status_code == 200
    checks = msgspec.json.decode(response.content, type=list[Check])
    assert {"listening", "reachable", "peers", "lan", "clock", "home", "disk", "downloads", "shares", "files"} <= {
        check.name for check in checks
    }
    assert not [check for check in checks if check.state == "bad"]


async def test_two_nodes_meet(node: Node, open_node: OpenNode) -> None:
    alone = await examined(node)
    assert (alone["peers"].code, alone["clock"].code) == ("peers.soon", "clock.unknown")
    assert alone["listening"].code == "listening.local"  # the tests stay on this computer
    node.started -= 1000.0
    assert (await examined(node))["peers"].code == "peers.none"
    other = await open_node("other")
    await other.connect((await node.status()).listen)
    together = await examined(node)
    assert together["peers"].code == "peers.good"
    assert together["clock"].code == "clock.good"
    assert together["clock"].values["peers"] == 1
    assert together["reachable"].code == "reachable.good"  # a link came in


async def test_a_clock_that_is_wrong(node: Node, open_node: OpenNode) -> None:
    for name in ("two", "three"):
        other = await open_node(name)
        other.peer.clock = Shifted(4000.0)
        await other.connect((await node.status()).listen)
    check = (await examined(node))["clock"]
    assert (check.state, check.code) == ("bad", "clock.wrong")
    assert check.values["seconds"] == pytest.approx(4000, abs=2)
    assert "behind" in check.says


async def test_a_clock_that_was_set_while_the_node_runs(node: Node) -> None:
    wall, steady = node.doctor._began
    if steady is None:
        pytest.skip("this system has no time that nobody can set")
    node.doctor._began = (wall - 4000.0, steady)
    assert (await examined(node))["clock"].code == "clock.jumped"


async def test_a_silent_or_old_peer_has_no_clock(
    node: Node, open_node: OpenNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await open_node("other")
    await other.connect((await node.status()).listen)

    async def silent(_connection: PeerConnection, _timeout: float) -> Pong:
        raise RequestTimeoutError("no answer")

    async def old(_connection: PeerConnection, _timeout: float) -> Pong:
        return Pong()

    for answer in (silent, old):
        monkeypatch.setattr(PeerConnection, "ping", answer)
        assert (await examined(node))["clock"].code == "clock.unknown"


@pytest.mark.parametrize("seconds", [-1e12, -1e9 * 3, 1e15])
async def test_attack_a_peer_with_an_absurd_clock(node: Node, open_node: OpenNode, seconds: float) -> None:
    other = await open_node("other")
    other.peer.clock = Shifted(seconds)
    await other.connect((await node.status()).listen)
    assert (await examined(node))["clock"].state in {"unknown", "warn"}
    assert node.peer.neighbours()  # whoever has a bad clock is no attacker


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
async def test_shares_that_nobody_watches(node: Node, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await node.share(files)
    await node.settled()
    assert (await examined(node))["watches"].code == "watches.good"
    monkeypatch.setattr(doctor_module.facts, "watches_used", lambda: 0)
    assert (await examined(node))["watches"].code == "watches.good"  # perhaps it just begins anew
    node.doctor._watched -= 100.0
    assert (await examined(node))["watches"].code == "watches.none"
    monkeypatch.undo()
    async with asyncio.timeout(20):
        while not doctor_module.facts.watches_used():
            await asyncio.sleep(0)
    assert (await examined(node))["watches"].code == "watches.good"


async def test_what_is_gone_from_the_disk(node: Node, files: Path) -> None:
    await node.settled()
    assert (await examined(node))["shares"].code == "shares.none"
    await node.share(files)
    assert (await examined(node))["shares"].code == "shares.good"
    changed = asyncio.Event()
    node.sharing.watchers.append(changed.set)
    files.rename(files.with_name("elsewhere"))
    async with asyncio.timeout(20):
        while (check := (await examined(node))["shares"]).code != "shares.missing":
            await changed.wait()
            changed.clear()
    assert str(files) in check.says


async def test_a_folder_for_downloads_that_is_none(node: Node, tmp_path: Path) -> None:
    assert (await examined(node))["downloads"].code == "downloads.later"
    node.config.download_folder.write_text("a file")
    check = (await examined(node))["downloads"]
    assert (check.state, check.code) == ("bad", "downloads.no-folder")


async def test_a_download_that_is_larger_than_the_disk(node: Node, open_node: OpenNode, tmp_path: Path) -> None:
    other = await open_node("other")
    with (tmp_path / "film").open("wb") as film:
        film.truncate(8 * 1024 * 1024)
    link = (await other.share(tmp_path / "film")).link
    await other.set_limits(up=64 * 1024)
    download = await node.get(link)
    async with asyncio.timeout(20):
        while download.status().wanted is None:
            await asyncio.sleep(0)
    missing = node.doctor._still_missing()
    assert 0 < missing <= 8 * 1024 * 1024
    await other.set_limits(up=0)
    await download.wait()
    assert node.doctor._still_missing() == 0


async def test_a_catalogue_that_cannot_be_read(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    async def damaged() -> list[Share]:
        raise StoreError("the catalogue is damaged")

    monkeypatch.setattr(node.sharing, "shares", damaged)
    check = (await examined(node))["shares"]
    assert (check.code, check.values["problem"]) == ("shares.unreadable", "the catalogue is damaged")


async def test_settings_that_wait(node: Node) -> None:
    assert (await examined(node))["config"].code == "config.good"
    node.home.config_file.write_text("serve_index = true\n")
    assert (await examined(node))["config"].code == "config.restart"
    node.home.config_file.write_text('serve_index = true\nbrowse = "nobody"\n')
    assert (await examined(node))["config"].code == "config.unread"
    node.home.config_file.write_text("serve_index = 3\n")
    broken = (await examined(node))["config"]
    assert (broken.state, "line 1" in broken.says) == ("bad", True)


async def test_attack_many_ask_the_doctor_at_once(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    look = node.doctor._examine

    async def counted() -> list[Check]:
        nonlocal looks
        looks += 1
        return await look()

    monkeypatch.setattr(node.doctor, "_examine", counted)
    monkeypatch.setattr(doctor_module, "KEPT_SECONDS", 600.0)
    answers = await asyncio.gather(*(node.doctor.examine() for _ in range(100)))
    assert looks == 1
    assert all(answer is answers[0] for answer in answers)


async def test_an_index_that_is_named_and_silent(open_node: OpenNode) -> None:
    node = await open_node("one", index=[f"{'a' * 51}a@127.0.0.1:1"])
    assert (await examined(node))["index"].code == "index.soon"
    node.started -= 1000.0
    check = (await examined(node))["index"]
    assert (check.code, check.values["names"]) == ("index.silent", "127.0.0.1:1")
