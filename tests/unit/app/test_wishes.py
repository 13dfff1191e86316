"""Saved searches at work between whole nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import msgspec
from app_worlds import Api, OpenNode, quiet

from peerage.app.api import wish_models as models
from peerage.app.api.event_models import WishLeft
from peerage.app.node import Node


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0)


async def met(open_node: OpenNode) -> tuple[Node, Node]:
    one, two = await open_node("one"), await open_node("two")
    await two.connect((await one.status()).listen)
    await until(lambda: bool(one.peer.neighbours()))
    return one, two


async def searched(node: Node) -> models.Wish:
    """Wait until the only wish of a node was searched for; a new one is at once."""
    async with asyncio.timeout(30):
        while node.wishes.all()[0].searched is None or node.wishes.busy:
            await asyncio.sleep(0.01)
    return node.wishes.all()[0]


async def test_a_wish_finds_tells_and_downloads_nothing(open_node: OpenNode, files: Path) -> None:
    one, two = await met(open_node)
    await one.share(files)
    wish = await two.wishes.add("song")
    listed = await searched(two)
    assert (listed.id, listed.new, listed.results) == (wish.id, 2, 2)
    assert listed.searched is not None
    assert any("2 new for your wish 'song'" in notice for notice in (await two.status()).notices)
    assert (await two.status()).wishes == 1
    assert two.fetching.views() == []
    await two.wishes.look()
    assert two.peer.metrics.value("wishes_searched") == 1  # it is not due again
    await two.wishes.see(wish.id)
    assert (await two.status()).notices == []
    results = two.wishes.results(wish.id)
    number = next(each.hit.number for each in results if each.hit.name == "first song.mp3")
    assert (await (await two.get(str(number))).wait()).read_bytes() == b"one" * 100_000


async def test_a_search_for_a_wish_is_not_the_last_search(open_node: OpenNode, files: Path) -> None:
    one, two = await met(open_node)
    await one.share(files)
    (hit,) = [hit async for hit in two.search("words", limit=1)]
    await two.wishes.add("song")
    await searched(two)
    assert (await (await two.get("1")).wait()).name == hit.name


async def test_what_the_wish_allows_is_downloaded_and_no_more(open_node: OpenNode, files: Path) -> None:
    one, two = await met(open_node)
    await one.share(files)
    wish = await two.wishes.add("song", get_bytes=700_000)  # either of them, not both, and not their folder
    listed = await searched(two)
    (transfer,) = two.fetching.views()
    assert listed.got_bytes in {300_000, 600_000}
    downloaded = [each.hit.name for each in two.wishes.results(wish.id) if each.downloaded]
    assert downloaded == [transfer.name]
    await two.fetching.find(transfer.content_id).wait()


async def test_alone_a_wish_waits_without_a_search(node: Node) -> None:
    await node.wishes.add("song")
    await until(lambda: node.wishes.all()[0].due > node.wishes.all()[0].added)
    (listed,) = node.wishes.all()
    assert listed.searched is None
    assert listed.note == "nobody is there to be asked"
    assert listed.due > listed.added


async def test_wishes_survive_a_restart(tmp_path: Path) -> None:
    config = quiet(tmp_path)
    async with Node.open(tmp_path / "h", config=config) as node:
        await node.wishes.add("song")
    async with Node.open(tmp_path / "h", config=config) as node:
        assert [wish.text for wish in node.wishes.all()] == ["song"]
    (tmp_path / "h" / "wishes.json").write_text("{")
    async with Node.open(tmp_path / "h", config=config) as node:
        assert "list of wishes was damaged" in (await node.status()).notices[0]


async def test_the_api_of_wishes(api: Api, node: Node) -> None:
    def one(response: object, status: int = 200) -> models.Wish:
        assert response.status_code == status, response.text
        return msgspec.json.decode(response.content, type=models.Wish)

    wish = one(await api.http.post("wishes", content=b'{"text":"song"}'), 201)
    (listed,) = msgspec.json.decode((await api.http.get("wishes")).content, type=list[models.Wish])
    assert (listed.id, listed.text, listed.added) == (wish.id, "song", wish.added)
    assert (await api.http.get(f"wishes/{wish.id}/results")).content == b"[]"
    assert one(await api.http.post(f"wishes/{wish.id}/seen")).new == 0
    bad = await api.http.post("wishes", content=b'{"text":"\\"open"}')
    assert (bad.status_code, b"position" in bad.content) == (400, True)
    assert (await api.http.get("wishes/99/results")).status_code == 404
    assert (await api.http.post("wishes/99/remove")).status_code == 404
    assert one(await api.http.post(f"wishes/{wish.id}/remove")).text == "song"
    assert node.wishes.all() == []


async def test_changes_are_told_as_they_come(api: Api, node: Node) -> None:
    async with asyncio.timeout(10), aclosing(node.events.follow(["wishes"])) as changes:
        assert await anext(changes)
        wish = await node.wishes.add("song")
        change = (await anext(changes)).event
        assert isinstance(change, models.WishChanged)
        assert change.wish.text == wish.text
        await node.wishes.remove(wish.id)
        while isinstance(change, models.WishChanged):  # its search may have been noted meanwhile
            change = (await anext(changes)).event
        assert change == WishLeft(id=wish.id)
