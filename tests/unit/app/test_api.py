"""The local API: every route over real HTTP, and everybody it must turn away."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
from app_worlds import Api, OpenNode

from peerage.app.api import models
from peerage.app.api.guard import MAX_BODY, is_same_place, is_this_computer
from peerage.app.api.permissions import OPEN
from peerage.app.api.routes import ROUTES
from peerage.app.node import Node

T = TypeVar("T")


def answer(response: httpx.Response, kind: type[T], status: int = 200) -> T:
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/json")
    return msgspec.json.decode(response.content, type=kind)


def refused(response: httpx.Response, status: int) -> models.Problem:
    return answer(response, models.Problem, status)


def lines(response: httpx.Response, kind: object) -> list[object]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    return [msgspec.json.decode(line, type=kind) for line in response.content.split(b"\n") if line]


def every_route() -> list[tuple[str, str]]:
    return [
        (method, re.sub(r"{\w+:(\w+)}", lambda found: "7" if found[1] == "int" else "abcd", path).lstrip("/"))
        for handler in ROUTES
        for path in handler.paths
        for method in handler.http_methods
        if method != "HEAD"
    ]


def closed_routes() -> list[tuple[str, str]]:
    return [(method, path) for method, path in every_route() if path not in OPEN]


# --- who is turned away -----------------------------------------------------------------------------------------


NO_TOKEN = [
    {},
    {"authorization": ""},
    {"authorization": "Bearer"},
    {"authorization": "Bearer wrong"},
    {"authorization": "Basic abc"},
]


async def test_every_route_wants_the_token(api: Api) -> None:
    for headers in NO_TOKEN:
        async with httpx.AsyncClient(
            base_url=f"http://{api.address}/api/v1/", headers=headers, trust_env=False
        ) as http:
            for method, path in [*closed_routes(), ("GET", "nothing"), ("GET", "../nothing")]:
                response = await http.request(method, path)
                assert refused(response, 401).kind == "TokenError"
                assert response.headers["www-authenticate"] == "Bearer"
                assert api.token not in response.text


async def test_a_part_of_the_token_is_not_the_token(api: Api) -> None:
    for wrong in (api.token[:-1], api.token + "x", api.token.swapcase(), "é" * 10):
        response = await api.http.get("status", headers={"authorization": f"Bearer {wrong}".encode()})
        refused(response, 401)


async def test_attack_dns_rebinding(api: Api) -> None:
    for host in [
        "evil.example",
        "evil.example:7412",
        "127.0.0.1.evil.example",
        "192.0.2.1",
        "",
        "localhost.evil",
        "[::2]",
        "0.0.0.0",
    ]:
        assert refused(await api.http.get("status", headers={"host": host}), 403).kind == "HostError"


async def test_attack_a_page_of_another_origin(api: Api) -> None:
    for origin in ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1", "file://", "http://[::1"]:
        assert refused(await api.http.get("status", headers={"origin": origin}), 403).kind == "OriginError"


async def test_this_computer_under_its_names_is_let_in(api: Api) -> None:
    port = api.address.rpartition(":")[2]
    for host in (api.address, f"localhost:{port}", "127.0.0.1", f"[::1]:{port}", "[::1]", "LOCALHOST"):
        answer(await api.http.get("status", headers={"host": host}), models.Status)
    answer(await api.http.get("status", headers={"origin": f"http://{api.address}"}), models.Status)


def test_hosts_and_origins() -> None:
    assert is_this_computer("127.9.9.9:1")
    assert not is_this_computer("127.0.0.1:99999")
    assert not is_this_computer("a@127.0.0.1")
    assert is_same_place("http://localhost:1", "LOCALHOST:1")
    assert not is_same_place("http://localhost:1", "localhost:2")


async def test_attack_two_host_headers(api: Api) -> None:
    host, port = api.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"GET /api/v1/status HTTP/1.1\r\nHost: {api.address}\r\nHost: evil.example\r\nAuthorization: Bearer {api.token}\r\nConnection: close\r\n\r\n".encode()
    )
    first = await reader.readline()
    assert b" 403 " in first or b" 400 " in first
    writer.close()
    await writer.wait_closed()


async def test_attack_oversized_body(api: Api) -> None:
    big = b"[" * (MAX_BODY + 1)
    assert refused(await api.http.post("shares", content=big), 413).kind == "LimitError"

    async def pieces():  # no length is told
        for _ in range(5):
            yield big[: MAX_BODY // 4]

    refused(await api.http.post("shares", content=pieces()), 413)
    answer(await api.http.get("status"), models.Status)


async def test_attack_malformed_body(api: Api) -> None:
    for body in [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b'{"paths":[]}',
        b'{"paths":"x"}',
        b'{"paths":["x"],"visibility":"all"}',
        b'{"paths":["x"],"more":1}',
        b'{"paths":[""]}',
        b"\xff\xfe",
        b'{"paths":["' + b"x" * 9000 + b'"]}',
        b"[" * 100_000,
    ]:
        problem = refused(await api.http.post("shares", content=body), 400)
        assert problem.error
        assert "Traceback" not in problem.error


async def test_attack_numbers_without_end(api: Api) -> None:
    for route, more in (("votes", {"opinion": "good"}), ("transfers", {})):
        for digits in ("9" * 8000, "\u0663", "\u00b2"):
            body = msgspec.json.encode({"target": digits, **more})
            assert (await api.http.post(route, content=body)).status_code in {400, 404, 409}


async def test_unknown_paths_and_methods(api: Api) -> None:
    refused(await api.http.get("nothing"), 404)
    refused(await api.http.delete("status"), 405)


# --- what it does -----------------------------------------------------------------------------------------------


async def test_status_and_id(api: Api, node: Node) -> None:
    status = answer(await api.http.get("status"), models.Status)
    assert (status.peer_id, status.api, status.network) == (node.peer_id, api.address, "test")
    identity = answer(await api.http.get("id"), models.Identity)
    assert identity.peer_id == node.peer_id
    raw = msgspec.json.decode((await api.http.get("status")).content)
    assert {"peer_id", "listen", "api", "network", "peers", "shares", "transfers"} <= set(raw)


async def test_share_link_and_unshare(api: Api, files: Path) -> None:
    body = msgspec.json.encode(models.ShareBody(paths=[str(files), "/nowhere/at/all"], visibility="link"))
    events = lines(await api.http.post("shares", content=body), models.ShareEvent)
    assert isinstance(events[0], models.ShareProgress)
    (shared,) = [event for event in events if isinstance(event, models.Shared)]
    (failed,) = [event for event in events if isinstance(event, models.ShareFailed)]
    assert failed.path == "/nowhere/at/all"
    assert shared.share.visibility == "link"
    assert answer(await api.http.get("shares"), list[models.Share]) == [shared.share]
    link = answer(await api.http.get("link", params={"target": "Alte Lieder"}), models.ContentLink)
    assert link.link == shared.share.link
    refused(await api.http.get("link", params={"target": "x"}), 404)
    gone = models.UnshareBody(targets=["Alte Lieder", "nothing"])
    assert (
        refused(await api.http.post("shares/remove", content=msgspec.json.encode(gone)), 404).kind == "UnknownNameError"
    )
    assert len(answer(await api.http.get("shares"), list[models.Share])) == 1
    gone = models.UnshareBody(targets=["Alte Lieder", str(files)])
    answer(await api.http.post("shares/remove", content=msgspec.json.encode(gone)), list[models.Share])
    assert answer(await api.http.get("shares"), list[models.Share]) == []


async def test_a_bad_query_points_at_the_character(api: Api) -> None:
    problem = refused(await api.http.get("search", params={"q": 'song "open'}), 400)
    assert (problem.kind, problem.position) == ("QueryError", 5)
    assert "\n" not in problem.error
    refused(await api.http.get("search"), 400)
    refused(await api.http.get("search", params={"q": "x", "limit": "0"}), 400)
    refused(await api.http.get("search", params={"q": "x", "timeout": "31"}), 400)
    refused(await api.http.get("search", params={"q": "x", "max_messages": "0"}), 400)
    refused(await api.http.get("search", params={"q": "x", "max_bytes": str(2**40)}), 400)


async def test_search_and_get_between_two_nodes(api: Api, open_node: OpenNode, files: Path, tmp_path: Path) -> None:
    other = await open_node("other")
    await other.share(files)
    place = models.ConnectBody(address=(await other.status()).listen)
    peer = answer(await api.http.post("peers/connect", content=msgspec.json.encode(place)), models.PeerEntry)
    assert peer.peer_id == other.peer_id
    events = lines(await api.http.get("search", params={"q": "song", "limit": "2"}), models.SearchEvent)
    hits = [event.hit for event in events if isinstance(event, models.HitFound)]
    assert {hit.name for hit in hits} == {"first song.mp3", "second song.ogg"}
    ended = events[-1]
    assert isinstance(ended, models.SearchEnded)
    assert sorted(ended.ranking) == [1, 2]
    stages = {stage.name: stage for stage in ended.stages}
    assert (stages["local"].asked, stages["local"].messages) == (True, 0)
    asked = [stage for stage in ended.stages if stage.hits]
    assert sum(stage.messages for stage in asked) <= ended.messages
    assert all(stage.why for stage in ended.stages)
    raw = msgspec.json.decode(msgspec.json.encode(hits[0]))
    assert {"link", "content_id", "name", "size", "sources", "type", "meta"} <= set(raw)
    body = msgspec.json.encode(models.GetBody(target=hits[0].link, into=str(tmp_path / "into")))
    transfer = answer(await api.http.post("transfers", content=body), models.Transfer, 201)
    route = f"transfers/{transfer.content_id}"
    changes = lines(await api.http.get(f"{route}/progress"), models.TransferChange)
    last = changes[-1]
    assert isinstance(last, models.TransferEvent)
    assert last.transfer.state == "done"
    assert Path(last.transfer.path).stat().st_size == hits[0].size
    assert [each.state for each in answer(await api.http.get("transfers"), list[models.Transfer])] == ["done"]
    refused(await api.http.post(f"{route}/pause"), 409)
    refused(await api.http.post(f"{route}/resume"), 409)
    assert answer(await api.http.get(f"transfers/{transfer.content_id[:8]}"), models.Transfer).name == hits[0].name
    answer(await api.http.post(f"{route}/cancel"), models.Transfer)
    refused(await api.http.get(route), 404)
    assert Path(last.transfer.path).exists()


async def test_pause_resume_prioritise_and_follow_a_download_without_sources(api: Api) -> None:
    body = msgspec.json.encode(models.GetBody(target="peerage:" + "a" * 52 + "?name=x"))
    answer(await api.http.post("transfers", content=body), models.Transfer, 201)
    level = msgspec.json.encode(models.PriorityBody(level="high"))
    answer(await api.http.post("transfers/x/priority", content=level), models.Transfer)
    refused(await api.http.post("transfers/x/priority", content=b'{"level":"now"}'), 400)
    assert answer(await api.http.post("transfers/x/pause"), models.Transfer).state == "paused"
    (event,) = lines(await api.http.get("transfers/x/progress"), models.TransferChange)
    assert isinstance(event, models.TransferEvent)
    assert event.transfer.state == "paused"
    assert answer(await api.http.post("transfers/x/resume"), models.Transfer).state != "paused"
    async with api.http.stream("GET", "transfers/x/progress", headers={"accept": "text/event-stream"}) as response:
        assert response.headers["content-type"] == "text/event-stream"
        text = ""
        async for chunk in response.aiter_text():
            text += chunk
            if "\n\n" in text:
                break
    assert text.startswith("event: transfer\ndata: {")
    answer(await api.http.post("transfers/x/cancel"), models.Transfer)


async def test_friends_and_bans(api: Api) -> None:
    route = "peers/" + "a" * 52
    peer = answer(await api.http.patch(route, content=b'{"friend":true,"name":"Ann"}'), models.PeerEntry)
    assert (peer.friend, peer.name) == (True, "Ann")
    peer = answer(await api.http.patch("peers/Ann", content=b'{"banned":true}'), models.PeerEntry)
    assert (peer.friend, peer.banned) == (False, True)
    refused(await api.http.patch(route, content=b'{"friend":true,"banned":true}'), 409)
    refused(await api.http.patch("peers/bbbb", content=b"{}"), 404)
    assert len(answer(await api.http.get("peers"), list[models.PeerEntry])) == 1
    problem = refused(await api.http.post("peers/connect", content=b'{"address":"127.0.0.1:1"}'), 502)
    assert "127.0.0.1:1" in problem.error
    refused(await api.http.post("peers/connect", content=b'{"address":"no"}'), 400)


async def test_limits(api: Api) -> None:
    assert answer(await api.http.get("limits"), models.RateLimits).down == 0
    changed = answer(await api.http.put("limits", content=b'{"up":5000}'), models.RateLimits)
    assert (changed.down, changed.up) == (0, 5000)
    refused(await api.http.put("limits", content=b'{"up":-1}'), 400)
    refused(await api.http.put("limits", content=b'{"upload_slots":0}'), 400)


async def test_metrics_tell_no_names(api: Api, node: Node, files: Path) -> None:
    await node.share(files)
    text = (await api.http.get("metrics")).text
    assert "peerage_shares 1.0" in text
    assert node.peer_id not in text
    assert "Lieder" not in text


async def test_the_description_names_every_route_and_struct(api: Api) -> None:
    description = answer(await api.http.get("openapi.json"), dict)
    described = {(method.upper(), path) for path, methods in description["paths"].items() for method in methods}
    expected = {
        (method, "/api/v1" + re.sub(r"{(\w+):\w+}", r"{\1}", path))
        for handler in ROUTES
        for path in handler.paths
        for method in handler.http_methods
        if path != "/openapi.json"
    }
    assert described == expected
    assert {"Status", "Share", "Hit", "Transfer", "PeerEntry", "RateLimits", "GetBody"} <= set(
        description["components"]["schemas"]
    )


async def test_down_asks_to_stop_after_the_answer(api: Api) -> None:
    assert answer(await api.http.post("down"), models.Done).done
    async with asyncio.timeout(5):
        await api.control.wait()


async def test_a_client_that_leaves_ends_its_stream(api: Api, node: Node, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(50_000_000))
    body = msgspec.json.encode(models.ShareBody(paths=[str(tmp_path / "large")]))
    async with api.http.stream("POST", "shares", content=body) as response:
        async for _ in response.aiter_bytes():
            break
    async with asyncio.timeout(10):
        await node.share(tmp_path / "large")  # the lock is free again
