"""Which overlays a node has, by its configuration, and what they are to the network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from app_worlds import OpenNode

from peerage.app.config import Config
from peerage.app.node import Node
from peerage.app.overlays import MOUNTED, named_indexes, names_of
from peerage.errors import AddressError
from peerage.identity.address import Address
from peerage.identity.keys import format_id


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


def names(node: Node) -> list[str]:
    return [overlay.name for overlay in node.overlays.mounted]


def test_each_word_means_its_overlay_and_auto_all_of_them() -> None:
    for word, wanted in MOUNTED.items():
        assert names_of(Config(overlay=word)) == list(wanted)
    assert set(MOUNTED["auto"]) == {"flood", "index", "supernode", "dht"}


def test_an_index_that_is_served_or_named_comes_with_every_word() -> None:
    assert names_of(Config(overlay="dht", serve_index=True)) == ["index", "dht"]
    assert names_of(Config(overlay="flood", index=["192.0.2.1:7411"])) == ["flood", "index"]


def test_indexes_are_named_with_or_without_their_peer_id() -> None:
    peer_id = bytes(range(32))
    config = Config(index=[f"{format_id(peer_id)}@192.0.2.1:7411", "192.0.2.2:7411"])
    (known,), elsewhere = named_indexes(config)
    assert (known.peer_id, known.addresses) == (peer_id, (Address("192.0.2.1", 7411),))
    assert elsewhere == [Address("192.0.2.2", 7411)]
    for wrong in (":7411", "nowhere", "abc@192.0.2.1:7411", "192.0.2.1:0"):
        with pytest.raises(AddressError):
            named_indexes(Config(index=[wrong]))


@pytest.mark.parametrize("word", ["flood", "index", "dht"])
async def test_one_way_alone_is_mounted_alone(open_node: OpenNode, word: str) -> None:
    node = await open_node("one", overlay=word)
    assert names(node) == [word]
    status = await node.status()
    assert [line.name for line in status.overlays] == [word]
    assert status.role == "leaf"


@pytest.mark.parametrize("with_id", [True, False])
async def test_what_one_registers_at_an_index_another_finds_there(
    open_node: OpenNode, files: Path, *, with_id: bool
) -> None:
    index = await open_node("index", overlay="index", serve_index=True)
    place = (await index.status()).listen
    named = [f"{index.peer_id}@{place}" if with_id else place]
    one = await open_node("one", overlay="index", index=named)
    two = await open_node("two", overlay="index", index=named)
    await one.share(files)
    async with asyncio.timeout(20):
        while not [hit async for hit in two.search("words", limit=1, seconds=1.0)]:
            await asyncio.sleep(0.05)
    status = await index.status()
    assert status.role == "index server"
    assert (index.home.path / "index.sqlite").exists()
    run = two.search("words", limit=1)
    assert [hit.name async for hit in run] == ["words.txt"]
    (stage,) = [stage for stage in run.summary.stages if stage.name == "index"]
    assert (stage.asked, stage.hits >= 1, stage.messages >= 2) == (True, True, True)
    await until(lambda: two.overlays.lines()[0].peers == 1)


async def test_friends_are_asked_even_when_they_are_no_neighbours_in_the_mesh(open_node: OpenNode, files: Path) -> None:
    one, two = await open_node("one", overlay="flood"), await open_node("two", overlay="flood")
    for node in (one, two):
        node.membership.wanted = 0
    await two.connect((await one.status()).listen)
    await one.share(files / "words.txt", "friends")
    one.friend(two.peer_id)
    two.friend(one.peer_id)
    await until(lambda: bool(one.peer.neighbours()))
    assert [hit.name async for hit in two.search("words", limit=1)] == ["words.txt"]


async def test_a_search_says_whom_it_asked_and_keeps_within_its_budget(open_node: OpenNode, files: Path) -> None:
    one, two = await open_node("one"), await open_node("two")
    await two.connect((await one.status()).listen)
    await one.share(files)
    run = two.search("song", seconds=2.0)
    assert {hit.name async for hit in run} >= {"first song.mp3", "second song.ogg"}
    summary = run.summary
    assert [stage.name for stage in summary.stages][:2] == ["local", "neighbours"]
    assert all(stage.why for stage in summary.stages)
    assert summary.messages == sum(stage.messages for stage in summary.stages)
    assert [hit.number for hit in run.ranked()] == summary.ranking
