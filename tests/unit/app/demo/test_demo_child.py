"""The demo network of a node: real nodes over real links, there for this node alone, and forgotten when it ends.

Its nodes run in this process here, and share small files; that they run in a process of their own is tested end to end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import pytest
from app_worlds import Api, OpenNode

from peerage.app.api.event_models import PeerEvent
from peerage.app.demo import network as demo_network
from peerage.app.demo.nodes import DemoNode, Place, demo_node
from peerage.app.demo.orders import DemoPeer, Orders, Report
from peerage.app.node import Node
from peerage.content.status import DownloadState
from peerage.errors import RefusedError, StoreError
from peerage.identity.keys import PeerId, format_id
from peerage.identity.network import Network
from peerage.limits import MIB

FILM = bytes(range(256)) * 3000  # 768 KB: three pieces
FAST, SLOW = 4 * MIB, MIB // 16


class Process:
    """Stands for the process: runs until it is said to have ended."""

    def __init__(self) -> None:
        self.returncode: int | None = None


class Here:
    """Demo nodes in this process; takes the place of `child.running`."""

    def __init__(self, folder: Path) -> None:
        self.nodes: list[DemoNode] = []
        self.process = Process()
        self.orders: list[Orders] = []
        self.failure = ""
        self.film, self.song = folder / "a film.webm", folder / "a song.wav"
        folder.mkdir()
        self.film.write_bytes(FILM)
        self.song.write_bytes(b"la" * 1000)

    @asynccontextmanager
    async def running(self, orders: Orders) -> AsyncIterator[tuple[Process, Report]]:
        self.orders.append(orders)
        if self.failure:
            raise StoreError(self.failure)
        async with AsyncExitStack() as stack:
            executor = stack.enter_context(ThreadPoolExecutor(2))
            place = Place(Network(orders.network, orders.seed, private=orders.private), PeerId(orders.owner), executor)
            shelves = ([self.film], [self.film, self.song], [self.song])
            self.process = Process()
            self.nodes = [await stack.enter_async_context(demo_node(place, shelf)) for shelf in shelves]
            places = [
                DemoPeer(peer_id=each.peer.peer_id, host=each.address.host, port=each.address.port)
                for each in self.nodes
            ]
            contents = sorted({content for each in self.nodes for content in each.contents})
            yield self.process, Report(peers=places, contents=contents)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    here = Here(tmp_path / "shared")
    monkeypatch.setattr(demo_network, "running", here.running)
    monkeypatch.setattr(demo_network, "_LOOK", 0.02)
    monkeypatch.setattr("peerage.app.demo.nodes.UPLOAD", FAST)
    return here


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


async def started(node: Node) -> None:
    assert (await node.demo.begin()).state == "starting"
    await until(lambda: node.demo.view().state == "running")


async def names(node: Node, text: str) -> dict[str, int]:
    run = node.search(text, seconds=1.5)
    return {hit.name: hit.sources async for hit in run.updates()}


async def test_it_is_found_and_fetched_and_seen_by_this_node_alone(open_node: OpenNode, here: Here) -> None:
    node = await open_node("one")
    other = await open_node("other")
    await other.connect(str(node.places.listening[0]))
    await started(node)
    view = node.demo.view()
    assert view.peers == 3
    assert "film" in view.searches
    assert await names(node, "film") == {"a film.webm": 2}
    assert await names(other, "film") == {}
    assert [each.peer_id for each in await other.peers()] == [node.peer_id]
    assert [each.peer_id for each in await node.peers() if "demo" not in each.roles] == [other.peer_id]
    download = await node.get("1")
    assert (await download.wait()).read_bytes() == FILM
    given = [each.peer.metrics.value("links", "in") for each in here.nodes]
    assert given == [2, 2, 1]  # one to talk to each, one for the film to each that has it
    assert len(node.peer.table) == 1


async def test_others_are_turned_away_by_its_nodes(open_node: OpenNode, here: Here) -> None:
    node, other = await open_node("one"), await open_node("other")
    await started(node)
    with pytest.raises(RefusedError):
        await other.connect(str(here.nodes[0].address))


async def test_when_it_ends_its_nodes_are_forgotten_and_what_came_rests(
    open_node: OpenNode, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peerage.app.demo.nodes.UPLOAD", SLOW)
    node = await open_node("one")
    await started(node)
    await names(node, "film")
    download = await node.get("1")
    await until(lambda: download.status().done > 0)
    await node.demo.end()
    assert node.demo.view().state == "off"
    assert node.peer.connections() == []
    assert len(node.peer.table) == 0
    assert download.state is DownloadState.PAUSED
    assert await names(node, "film") == {}

    monkeypatch.setattr("peerage.app.demo.nodes.UPLOAD", FAST)
    await started(node)  # other nodes, at other places, with the same film
    assert (await download.wait()).read_bytes() == FILM
    assert here.orders[0].stamp == here.orders[1].stamp


async def test_a_link_that_was_lost_comes_back(open_node: OpenNode, here: Here) -> None:
    node = await open_node("one")
    await started(node)
    node.peer.drop(here.nodes[0].peer.peer_id, StoreError("cut"))
    assert node.demo.view().peers == 2
    await until(lambda: node.demo.view().peers == 3)


async def test_who_follows_sees_its_nodes_come_and_go(open_node: OpenNode, here: Here) -> None:
    node = await open_node("one")
    seen: list[tuple[str, bool, tuple[str, ...]]] = []

    async def follow() -> None:
        async with aclosing(node.events.follow(["peers"])) as changes:
            async for change in changes:
                if change is not None and isinstance(change.event, PeerEvent):
                    peer = change.event.peer
                    seen.append((peer.peer_id, peer.connected, tuple(peer.roles)))

    following = asyncio.create_task(follow())
    await started(node)
    ids = {format_id(each.peer.peer_id) for each in here.nodes}
    await until(lambda: {each for each, *_ in seen} == ids)
    assert all(connected and roles == ("demo",) for _, connected, roles in seen)
    seen.clear()
    await node.demo.end()
    await until(lambda: {each for each, *_ in seen} == ids)
    assert not any(connected for _, connected, _ in seen)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_it_runs_once_and_ends_more_than_once(open_node: OpenNode, here: Here) -> None:
    node = await open_node("one")
    await asyncio.gather(node.demo.begin(), node.demo.begin())
    await until(lambda: node.demo.view().state == "running")
    assert (await node.demo.begin()).state == "running"
    assert len(here.orders) == 1
    await asyncio.gather(node.demo.end(), node.demo.end())
    await node.demo.end()
    assert node.demo.view().state == "off"


async def test_a_process_that_ends_is_noticed_and_can_be_started_again(open_node: OpenNode, here: Here) -> None:
    node = await open_node("one")
    await started(node)
    here.process.returncode = -9
    await until(lambda: node.demo.view().state == "failed")
    view = node.demo.view()
    assert "unexpectedly" in view.error
    assert view.peers == 0
    assert view.searches == []
    assert node.peer.connections() == []
    await started(node)
    assert node.demo.view().error == ""


async def test_why_it_does_not_start_is_said(open_node: OpenNode, here: Here) -> None:
    node = await open_node("one")
    here.failure = "there is no room"
    await node.demo.begin()
    await until(lambda: node.demo.view().state == "failed")
    assert node.demo.view().error == "there is no room"


async def test_a_node_that_asks_no_neighbours_says_so(open_node: OpenNode, here: Here) -> None:
    node = await open_node("one", overlay="dht")
    await node.demo.begin()
    await until(lambda: node.demo.view().state == "failed")
    assert 'overlay = "auto"' in node.demo.view().error
    assert here.orders == []


async def test_it_is_in_a_private_network_as_well(open_node: OpenNode, here: Here, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret that is long enough")
    node = await open_node("one", network="peerage", secret_file=str(secret))
    await started(node)
    assert node.demo.view().peers == 3
    assert here.orders[0].private


async def test_it_ends_with_the_node(tmp_path: Path, here: Here, open_node: OpenNode) -> None:
    async with AsyncExitStack() as stack:
        node = await open_node("one")
        stack.push_async_callback(node.peer.stop)
        await started(node)
    assert node.demo.view().peers == 0
    assert all(each.peer.connections() == [] for each in here.nodes)


async def test_the_routes(api: Api, here: Here) -> None:
    assert (await api.http.get("demo")).json() == {"state": "off", "peers": 0, "searches": [], "error": ""}
    first = await api.http.post("demo")
    assert first.status_code == 200
    assert first.json()["state"] in {"starting", "running"}
    async with asyncio.timeout(20):
        while (view := (await api.http.get("demo")).json())["state"] == "starting":
            await asyncio.sleep(0.02)
    assert view["state"] == "running"
    assert view["peers"] == 3
    peers = (await api.http.get("peers")).json()
    assert {each["peer_id"] for each in peers} == {format_id(each.peer.peer_id) for each in here.nodes}
    assert all("demo" in each["roles"] for each in peers)
    for role in ("user", "guest"):
        async with await api.as_role(role) as client:
            assert (await client.get("demo")).json() == view
            assert (await client.post("demo")).status_code == 403
            assert (await client.delete("demo")).status_code == 403
    assert (await api.http.delete("demo")).json()["state"] == "off"
    assert (await api.http.get("peers")).json() == []
