"""Browsing between whole nodes, and over the local API."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from app_worlds import Api, OpenNode

from peerage.app.api import models
from peerage.app.cli.browsing import Row, flat, folded
from peerage.app.node import Node
from peerage.errors import LocalError, RefusedError


async def look(node: Node, peer: str, path: str = "") -> tuple[list[models.Hit], models.BrowseEnded]:
    *found, ended = [event async for event in await node.browse(peer, path)]
    assert isinstance(ended, models.BrowseEnded)
    return [event.hit for event in found if isinstance(event, models.HitFound)], ended


async def met(open_node: OpenNode, **config: object) -> tuple[Node, Node]:
    one, two = await open_node("one", **config), await open_node("two")
    await two.connect((await one.status()).listen)
    return one, two


async def test_what_a_peer_shares_is_shown_and_can_be_downloaded_by_number(open_node: OpenNode, files: Path) -> None:
    one, two = await met(open_node)
    await one.share(files)
    hits, ended = await look(two, one.peer_id[:8])
    assert {hit.name for hit in hits} == {"Alte Lieder", "first song.mp3", "second song.ogg", "words.txt"}
    assert (ended.entries, ended.more, ended.refused) == (4, False, 0)
    number = next(hit.number for hit in hits if hit.name == "words.txt")
    path = await (await two.get(str(number))).wait()
    assert path.read_text() == "la la la"
    below, _ = await look(two, (await one.status()).listen, "Alte Lieder/deep")
    assert [hit.name for hit in below] == ["second song.ogg"]


async def test_friends_see_what_is_for_friends(open_node: OpenNode, files: Path) -> None:
    one, two = await met(open_node)
    await one.share(files / "words.txt", "friends")
    assert (await look(two, one.peer_id))[0] == []
    one.friend(two.peer_id)
    assert [hit.name for hit in (await look(two, one.peer_id))[0]] == ["words.txt"]


async def test_who_does_not_want_to_be_looked_at_is_left_alone(open_node: OpenNode, files: Path) -> None:
    one, two = await met(open_node, browse="nobody")
    await one.share(files)
    one.friend(two.peer_id)
    with pytest.raises(RefusedError, match="does not show"):
        await look(two, one.peer_id)
    with pytest.raises(LocalError, match="no peer"):
        await look(two, "nobody")
    with pytest.raises(LocalError, match="at most"):
        await look(two, one.peer_id, "a/" * 50)


async def test_the_api_streams_it(api: Api, open_node: OpenNode, files: Path, node: Node) -> None:
    other = await open_node("other")
    await other.share(files)
    await node.connect((await other.status()).listen)
    response = await api.http.get(f"peers/{other.peer_id}/shares", params={"path": "Alte Lieder"})
    events = [msgspec.json.decode(line, type=models.BrowseEvent) for line in response.content.split(b"\n") if line]
    assert len(events) == 4
    assert isinstance(events[-1], models.BrowseEnded)
    assert (await api.http.get("peers/nobody/shares")).status_code == 404


def hit(number: int, name: str, path: str = "", kind: str = "audio") -> models.Hit:
    return models.Hit(
        number=number,
        link="",
        content_id="",
        name=name,
        size=10,
        sources=1,
        type=kind,
        meta=None,
        mime="",
        path=path,
        holders=[],
    )


HITS = [
    hit(1, "b.mp3"),
    hit(2, "Album", kind="folder"),
    hit(3, "1.mp3", "Album"),
    hit(4, "2.mp3", "Album/more"),
    hit(5, "x.mp3", "other"),
]


def test_a_folder_shows_its_folders_with_what_is_in_them_and_its_files() -> None:
    assert folded(HITS, "") == [
        Row("Album", 20, "folder", 2, 2),
        Row("other", 10, "folder", 0, 1),
        Row("b.mp3", 10, "audio", 1),
    ]
    assert folded(HITS[2:4], "/Album/") == [Row("more", 10, "folder", 0, 1), Row("1.mp3", 10, "audio", 3)]


def test_all_of_it_shows_where_each_file_is() -> None:
    assert [row.name for row in flat(HITS)] == ["b.mp3", "Album", "Album/1.mp3", "Album/more/2.mp3", "other/x.mp3"]
