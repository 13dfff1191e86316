"""The owner's orders about transfers, over the API: places, limits, files, sources, and a list that is cleared."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from app_worlds import Api, OpenNode

from peerage.app import fetching
from peerage.app.api import models
from peerage.app.api.content_models import ContentFile
from peerage.app.api.guard import MAX_BODY
from peerage.app.api.insight_models import PieceMap
from peerage.app.api.transfer_models import Forgotten, TransferSource
from peerage.app.node import Node
from peerage.classic.links import OldLink
from peerage.content.status import DownloadState
from peerage.identity.address import Address
from peerage.limits import MAX_ACTIVE_DOWNLOADS, MAX_LEVELS, MIB

T = TypeVar("T")


async def said(api: Api, method: str, route: str, kind: type[T], body: object = None, status: int = 200) -> T:
    content = None if body is None else msgspec.json.encode(body)
    response = await api.http.request(method, route, content=content)
    assert response.status_code == status, (route, response.text)
    return msgspec.json.decode(response.content, type=kind)


async def refused(api: Api, method: str, route: str, body: object, status: int) -> str:
    return (await said(api, method, route, models.Problem, body, status)).error


async def lost(api: Api, *names: str) -> None:
    """Begin downloads that nobody has."""
    for name in names:
        target = "peerage:" + name * 51 + f"a?name={name}"
        await said(api, "POST", "transfers", models.Transfer, {"target": target}, 201)


async def listed(api: Api) -> list[str]:
    transfers = await said(api, "GET", "transfers", list[models.Transfer])
    return [each.name for each in sorted(transfers, key=lambda each: each.place)]


async def test_places_priorities_and_limits(api: Api, node: Node) -> None:
    await said(api, "PUT", "limits", models.RateLimits, {"downloads_at_once": 1})
    await lost(api, "a", "b", "c")
    assert await listed(api) == ["a", "b", "c"]
    states = {each.name: each.state for each in await said(api, "GET", "transfers", list[models.Transfer])}
    assert states == {"a": "finding", "b": "queued", "c": "queued"}
    for to, order in (("top", "cab"), ("down", "acb"), ("bottom", "abc"), ("up", "acb"), ("top", "cab")):
        assert (await said(api, "POST", "transfers/c/move", models.Transfer, {"to": to})).name == "c"
        assert "".join(await listed(api)) == order
    async with asyncio.timeout(60):
        while node.fetching.find("c").state is DownloadState.QUEUED:
            await asyncio.sleep(0.01)
    assert node.fetching.find("a").state is DownloadState.QUEUED
    high = await said(api, "POST", "transfers/b/priority", models.Transfer, {"level": "high"})
    assert (high.priority, high.limit) == ("high", 0)
    assert await listed(api) == ["b", "c", "a"]
    assert (await said(api, "PUT", "transfers/b/limit", models.Transfer, {"down": 5000})).limit == 5000
    assert high.added > 1e9
    assert high.finished is None
    assert (await said(api, "GET", "limits", models.RateLimits)).downloads_at_once == 1


async def test_bad_orders(api: Api) -> None:
    await lost(api, "a")
    for route, method, body in (
        ("move", "POST", {"to": "left"}),
        ("move", "POST", {}),
        ("limit", "PUT", {"down": -1}),
        ("limit", "PUT", {"down": 2**60}),
        ("limit", "PUT", {"down": "x"}),
        ("files", "POST", {"files": []}),
        ("files", "POST", {"files": [{"number": -1, "level": "low"}]}),
        ("files", "POST", {"files": [{"number": 0, "level": "now"}]}),
        ("files", "POST", {"files": [{"number": 0, "level": "low", "more": 1}]}),
        ("files", "POST", {"files": [{"number": 0, "level": "low"}] * (MAX_LEVELS + 1)}),
        ("priority", "POST", {"level": "now"}),
    ):
        await refused(api, method, f"transfers/a/{route}", body, 413 if len(str(body)) > MAX_BODY else 400)
    assert "not known" in await refused(
        api, "POST", "transfers/a/files", {"files": [{"number": 0, "level": "low"}]}, 409
    )
    assert "not ended" in await refused(api, "POST", "transfers/a/forget", None, 409)
    for route, method, body in (
        ("move", "POST", {"to": "top"}),
        ("limit", "PUT", {"down": 1}),
        ("forget", "POST", None),
        ("priority", "POST", {"level": "low"}),
        ("files", "POST", {"files": [{"number": 0, "level": "low"}]}),
    ):
        await refused(api, method, f"transfers/nothing/{route}", body, 404)
    assert (await api.http.get("transfers/nothing/sources")).status_code == 404
    for count in (-1, MAX_ACTIVE_DOWNLOADS + 1):
        await refused(api, "PUT", "limits", {"downloads_at_once": count}, 400)


async def test_files_of_a_folder_and_who_gives_what(
    api: Api, node: Node, open_node: OpenNode, tmp_path: Path, files: Path
) -> None:
    other = await open_node("other")
    (files / "film").write_bytes(bytes(6 * MIB))
    share = await other.share(files)
    await other.set_limits(up=MIB)
    download = await node.get(share.link)
    async with asyncio.timeout(60):
        while not download.status().done:
            await asyncio.sleep(0.01)
    (source,) = await said(api, "GET", "transfers/Alte%20Lieder/sources", list[TransferSource])
    assert (source.peer_id, source.here, source.state) == (other.peer_id, 100, "sending")
    assert source.received > 0
    assert source.agent
    assert source.address
    listed_files = await said(api, "GET", f"files/{share.content_id}", list[ContentFile])
    numbers = {file.path.rpartition("/")[2]: file.number for file in listed_files}
    assert {file.level for file in listed_files} == {"normal"}
    body = {"files": [{"number": numbers["film"], "level": "skip"}, {"number": numbers["words.txt"], "level": "high"}]}
    changed = await said(api, "POST", "transfers/Alte%20Lieder/files", models.Transfer, body)
    assert (changed.files, changed.kind) == (4, "folder")
    await said(api, "POST", "transfers/Alte%20Lieder/pause", models.Transfer)
    levels = {
        file.path.rpartition("/")[2]: file
        for file in await said(api, "GET", f"files/{share.content_id}", list[ContentFile])
    }
    assert (levels["film"].level, levels["film"].wanted) == ("skip", False)
    assert (levels["words.txt"].level, levels["words.txt"].wanted) == ("high", True)
    map_at_rest = await said(api, "GET", "transfers/Alte%20Lieder/pieces", PieceMap)
    assert map_at_rest.pieces == download.space.count
    assert map_at_rest.busy == []
    assert -1 in map_at_rest.cells
    (source,) = await said(api, "GET", "transfers/Alte%20Lieder/sources", list[TransferSource])
    assert (source.state, source.here) == ("resting", 0)
    await other.set_limits(up=0)
    await said(api, "POST", "transfers/Alte%20Lieder/resume", models.Transfer)
    path = await download.wait()
    assert {each.name for each in path.rglob("*") if each.is_file() and each.name != "film"} == set(numbers) - {"film"}
    finished = await said(api, "GET", "transfers/Alte%20Lieder", models.Transfer)
    assert finished.finished is not None
    assert finished.finished >= finished.added
    refusal = await refused(api, "POST", "transfers/Alte%20Lieder/move", {"to": "top"}, 409)
    assert "no place" in refusal
    assert (await said(api, "POST", "transfers/forget-finished", Forgotten)).count == 1
    assert await listed(api) == []
    assert path.exists()


async def test_downloads_from_old_peers_can_only_be_forgotten(api: Api, node: Node, open_node: OpenNode) -> None:
    classic = await open_node("classic", classic="127.0.0.1:0")
    old = classic.fetching._parts.classic.downloads.add(
        OldLink(Address("127.0.0.1", 1), "song"), classic.config.download_folder / "song"
    )
    with pytest.raises(Exception, match="old peer"):
        await classic.ordering.move("song", "top")
    with pytest.raises(Exception, match="old peer"):
        await classic.ordering.limit("song", 1)
    assert classic.ordering.sources("song") == []
    with pytest.raises(Exception):  # noqa: B017, PT011 -- nobody answers there
        await old.wait()
    assert classic.fetching.unfinished == 0
    assert await classic.ordering.forget("song") is old
    assert classic.fetching.views() == []


async def test_a_guest_orders_nothing_and_a_user_may(api: Api) -> None:
    await lost(api, "a")
    async with await api.as_role("guest") as guest, await api.as_role("user") as user:
        for method, route in (
            ("POST", "transfers/a/move"),
            ("PUT", "transfers/a/limit"),
            ("POST", "transfers/a/files"),
            ("POST", "transfers/a/forget"),
            ("POST", "transfers/forget-finished"),
            ("POST", "transfers/a/priority"),
        ):
            assert (await guest.request(method, route, content=b"{}")).status_code == 403
        assert (await guest.get("transfers/a/sources")).status_code == 200
        assert (await user.post("transfers/a/move", content=b'{"to":"top"}')).status_code == 200


async def test_what_rests_is_shown_again_without_work(api: Api, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    await said(api, "PUT", "limits", models.RateLimits, {"downloads_at_once": 1})
    await lost(api, "a", "b", "c", "d")
    for name in "abcd":
        await said(api, "POST", f"transfers/{name}/pause", models.Transfer)
    made: list[object] = []
    view = fetching.views.transfer_view
    monkeypatch.setattr(fetching.views, "transfer_view", lambda *rest: made.append(1) or view(*rest))
    before = await said(api, "GET", "transfers", list[models.Transfer])
    made.clear()
    assert await said(api, "GET", "transfers", list[models.Transfer]) == before
    assert made == []
    await said(api, "PUT", "transfers/b/limit", models.Transfer, {"down": 7})
    after = await said(api, "GET", "transfers", list[models.Transfer])
    assert [each.limit for each in after] == [0, 7, 0, 0]
    assert len(made) == 1
