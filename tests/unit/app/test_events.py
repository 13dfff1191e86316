"""What happens in a node, followed: by those who keep up, come back, are slow, or go away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from app_worlds import Api, OpenNode

from peerage.app.api import event_models as events
from peerage.app.api import models
from peerage.app.events import EventHub, Numbered
from peerage.app.node import Node
from peerage.errors import LimitError
from peerage.lab.clock import run_virtual
from peerage.limits import EVENTS_KEPT, MAX_FOLLOWERS, MIB


def virtually(test: Callable[[EventHub], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        async def main(_: random.Random) -> None:
            await test(EventHub("run"))

        run_virtual(main)

    run.__name__ = test.__name__
    return run


def gone(number: int) -> events.ShareGone:
    return events.ShareGone(path=str(number))


async def taken(follower: AsyncGenerator[Numbered | None, None], count: int) -> list[object]:
    return [each.event if (each := await anext(follower)) else None for _ in range(count)]


@virtually
async def test_a_follower_hears_what_it_asked_for_in_order(hub: EventHub) -> None:
    async with aclosing(hub.follow(["shares", "wishes"])) as follower:
        assert await taken(follower, 1) == [events.EventsBegan()]
        for number in range(3):
            hub.publish("shares", gone(number))
            hub.publish("peers", gone(99))
            hub.publish("wishes", events.WishLeft(id=number))
        heard = await taken(follower, 6)
    assert heard == [each for n in range(3) for each in (gone(n), events.WishLeft(id=n))]


@virtually
async def test_quiet_times_show_that_it_lives(hub: EventHub) -> None:
    async with aclosing(hub.follow(["shares"])) as follower:
        assert await taken(follower, 3) == [events.EventsBegan(), None, None]


@virtually
async def test_who_comes_back_misses_nothing(hub: EventHub) -> None:
    async with aclosing(hub.follow(["shares"])) as follower:
        await anext(follower)
        hub.publish("shares", gone(1))
        last = await anext(follower)
    assert last is not None
    hub.publish("shares", gone(2))
    async with aclosing(hub.follow(["shares"], last.id)) as follower:
        assert await taken(follower, 1) == [gone(2)]


@virtually
async def test_who_comes_back_too_late_reloads(hub: EventHub) -> None:
    async with aclosing(hub.follow(["shares"])) as follower:
        first = await anext(follower)
    assert first is not None
    await asyncio.sleep(61)
    assert not hub.wanted("shares")
    hub.publish("shares", gone(1))
    async with aclosing(hub.follow(["shares"], first.id)) as follower:
        assert await taken(follower, 1) == [events.EventsReload()]
        hub.publish("shares", gone(2))
        assert await taken(follower, 1) == [gone(2)]
    async with aclosing(hub.follow(["peers"], first.id)) as follower:  # of peers, nothing was missed
        assert await taken(follower, 1) == [None]


@virtually
async def test_attack_any_last_event_id(hub: EventHub) -> None:
    for after in ("x", "run-", "run-99", "other-0", "run--1", "run-" + "9" * 1000, "run-٣", "-", "run-0x1"):
        async with aclosing(hub.follow(["shares"], after)) as follower:
            assert await taken(follower, 1) == [events.EventsReload()]


@virtually
async def test_attack_a_slow_reader_fills_no_memory(hub: EventHub) -> None:
    async with aclosing(hub.follow(["shares"])) as follower:
        await anext(follower)
        for number in range(3 * EVENTS_KEPT):
            hub.publish("shares", gone(number))
        assert len(hub._rings["shares"]) == EVENTS_KEPT
        assert await taken(follower, 1) == [events.EventsReload()]
        hub.publish("shares", gone(-1))
        assert await taken(follower, 1) == [gone(-1)]


@virtually
async def test_attack_too_many_followers(hub: EventHub) -> None:
    followers = [hub.follow(["shares"]) for _ in range(MAX_FOLLOWERS)]
    for each in followers:
        await anext(each)
    with pytest.raises(LimitError, match="follow already"):
        await anext(hub.follow(["shares"]))
    for each in followers:
        await each.aclose()
    assert not hub.followed("shares")


@virtually
async def test_nothing_is_kept_that_nobody_follows(hub: EventHub) -> None:
    for number in range(10):
        hub.publish("shares", gone(number))
    assert not hub._rings["shares"]


# --- a real node ------------------------------------------------------------------------------------------------


async def until(follower: AsyncGenerator[Numbered | None, None], fits: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(20):
        async for each in follower:
            if each is not None and fits(each.event):
                return each.event
    raise AssertionError("it ended")


async def test_everything_that_changes_is_told(node: Node, open_node: OpenNode, files: Path) -> None:
    other = await open_node("other")
    song = await other.share(files / "first song.mp3")
    async with aclosing(node.events.follow(sorted(events.KINDS))) as follower:
        assert isinstance((await anext(follower)).event, events.EventsBegan)
        await node.connect((await other.status()).listen)
        came = await until(follower, lambda each: isinstance(each, events.PeerEvent))
        assert (came.peer.peer_id, came.peer.connected) == (other.peer_id, True)
        node.friend(other.peer_id)
        await until(follower, lambda each: isinstance(each, events.PeerEvent) and each.peer.friend)
        share = await node.share(files / "words.txt")
        shared = await until(follower, lambda each: isinstance(each, events.ShareChanged))
        assert shared.share.path == share.path
        await node.unshare("words.txt")
        assert (await until(follower, lambda each: isinstance(each, events.ShareGone))).path == share.path
        download = await node.get(song.link)
        await until(follower, lambda each: isinstance(each, models.TransferEvent) and each.transfer.state == "done")
        await node.fetching.cancel(song.content_id)
        assert (await until(follower, lambda each: isinstance(each, models.TransferGone))).content_id == song.content_id
        assert (await download.wait()).exists()
        statistics = await until(follower, lambda each: isinstance(each, events.StatisticsEvent))
        assert statistics.down >= song.size
        node.notices.append("look here")
        notices = await until(follower, lambda each: isinstance(each, events.NoticesChanged))
        assert "look here" in notices.notices
        other.ban(node.peer_id)
        await until(follower, lambda each: isinstance(each, events.PeerEvent) and not each.peer.connected)


async def test_progress_of_one_download_ends_when_it_does(node: Node, open_node: OpenNode, tmp_path: Path) -> None:
    other = await open_node("other")
    (tmp_path / "film").write_bytes(bytes(4 * MIB))
    await other.set_limits(up=8 * MIB)
    download = await node.get((await other.share(tmp_path / "film")).link)
    seen = [each async for each in node.fetching.progress(download) if each is not None]
    assert seen[-1].transfer.state == "done"
    assert len(seen) > 1
    assert not node.events.followed("transfers")


async def test_the_stream_over_http_and_its_end(api: Api, node: Node, files: Path) -> None:
    async def first(count: int, **headers: str) -> list[dict[str, str]]:
        async with asyncio.timeout(20), api.http.stream("GET", "events?kinds=shares", headers=headers) as response:
            assert response.headers["content-type"] == "text/event-stream"
            found, fields = [], {}
            async for line in response.aiter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    found.append(fields)
                    fields = {}
                    if len(found) == count:
                        return found
                    if len(found) == 1 and not headers:
                        await node.share(files / "words.txt")
        raise AssertionError("it ended")

    began, change = await first(2)
    assert (began["event"], change["event"]) == ("began", "share")
    assert msgspec.json.decode(change["data"], type=events.NodeEvent).share.name == "words.txt"
    (again,) = await first(1, **{"last-event-id": began["id"]})
    assert again == change
    assert (await api.http.get("events", params={"kinds": "nonsense"})).status_code == 400


async def test_searches_are_told(api: Api, node: Node, files: Path) -> None:
    await node.share(files / "first song.mp3")
    async with aclosing(node.events.follow(["searches"])) as follower:
        await anext(follower)
        assert (await api.http.get("search", params={"q": "song", "timeout": "1"})).status_code == 200
        ended = await until(follower, lambda each: not each.running)
        assert (ended.text, ended.hits) == ("song", 1)
    assert not node.feeds._running
