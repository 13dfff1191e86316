"""Whole nodes: what one shares the other finds, fetches and verifies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from app_worlds import OpenNode, quiet

from peerage.app.config import Config, load
from peerage.app.home import Home
from peerage.app.node import Node
from peerage.errors import (
    AddressError,
    ConfigError,
    DialError,
    LinkError,
    LocalError,
    QueryError,
    RefusedError,
    StoreError,
    TargetExistsError,
    WrongNetworkError,
)
from peerage.identity.link import parse_link
from peerage.identity.network import Network


async def until(true: Callable[[], bool]) -> None:
    """Let the nodes work until something holds."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0)


async def met(open_node: OpenNode) -> tuple[Node, Node]:
    """Two nodes that know each other."""
    one, two = await open_node("one"), await open_node("two")
    await two.connect((await one.status()).listen)
    return one, two


async def test_share_search_and_get(open_node: OpenNode, files: Path, tmp_path: Path) -> None:
    one, two = await met(open_node)
    share = await one.share(files)
    assert (share.name, share.files, share.visibility, share.kind) == ("Alte Lieder", 3, "public", "folder")
    run = two.search("song deep", limit=1)
    (hit,) = [hit async for hit in run]
    assert (hit.name, hit.size, hit.sources, hit.type, hit.path) == (
        "second song.ogg",
        600_000,
        1,
        "audio",
        "Alte Lieder/deep",
    )
    assert hit.holders[0].peer_id == one.peer_id
    assert run.summary.reason == "limit"
    assert run.summary.messages >= 2
    download = await two.get(hit, tmp_path / "into")
    path = await download.wait()
    assert path == tmp_path / "into" / "second song.ogg"
    assert path.read_bytes() == b"two" * 200_000
    (transfer,) = two.fetching.views()
    assert (transfer.state, transfer.done, transfer.name) == ("done", 600_000, "second song.ogg")


async def test_a_link_is_enough(open_node: OpenNode, files: Path) -> None:
    one, two = await open_node("one"), await open_node("two")
    share = await one.share(files, "link")
    download = await two.get(share.link)
    path = await download.wait()
    assert path == two.config.download_folder / "Alte Lieder"
    assert (path / "deep" / "second song.ogg").read_bytes() == b"two" * 200_000
    assert (path / "words.txt").read_text() == "la la la"


async def test_a_link_share_is_never_found(open_node: OpenNode, files: Path) -> None:
    one, two = await met(open_node)
    await one.share(files, "link")
    assert [hit async for hit in two.search("song", seconds=0.3)] == []


async def test_a_friends_share_is_found_and_served_only_to_friends(open_node: OpenNode, files: Path) -> None:
    one, two = await met(open_node)
    share = await one.share(files / "words.txt", "friends")
    assert [hit async for hit in two.search("words", seconds=0.3)] == []
    one.friend(two.peer_id)
    (hit,) = [hit async for hit in two.search("words", limit=1)]
    assert hit.content_id == share.content_id
    await (await two.get(hit)).wait()


async def test_only_some_files_of_a_folder(open_node: OpenNode, files: Path) -> None:
    one, two = await open_node("one"), await open_node("two")
    share = await one.share(files)
    path = await (await two.get(share.link, only="*.txt")).wait()
    assert [each.name for each in path.rglob("*") if each.is_file()] == ["words.txt"]


async def test_equal_content_is_one_hit_with_several_holders(open_node: OpenNode, tmp_path: Path) -> None:
    one, two = await met(open_node)
    three = await open_node("three")
    await two.connect((await three.status()).listen)
    for node, name in ((one, "tune.mp3"), (three, "same tune.mp3")):
        (tmp_path / node.peer_id).mkdir()
        path = tmp_path / node.peer_id / name
        path.write_bytes(b"x" * 1000)
        await node.share(path)
    run = two.search("tune", seconds=0.5)
    hits = [hit async for hit in run]
    assert len(hits) == 1
    (hit,) = run.hits()
    assert hit.sources == 2
    assert {holder.peer_id for holder in hit.holders} == {one.peer_id, three.peer_id}
    assert {holder.name for holder in hit.holders} == {"tune.mp3", "same tune.mp3"}
    assert len(parse_link(hit.link).sources) == 2


async def test_own_shares_are_found_and_marked(node: Node, files: Path) -> None:
    share = await node.share(files / "words.txt")
    (hit,) = [hit async for hit in node.search("words", limit=1)]
    assert hit.mine
    assert hit.sources == 0
    with pytest.raises(LocalError, match="shares that itself"):
        await node.get(hit)
    assert (await node.link("words.txt")).link == share.link


async def test_hits_by_number_id_and_name_survive_a_restart(open_node: OpenNode, files: Path, tmp_path: Path) -> None:
    one = await open_node("one")
    await one.share(files)
    async with Node.open(tmp_path / "h", config=quiet(tmp_path)) as two:
        await two.connect((await one.status()).listen)
        (hit,) = [hit async for hit in two.search("words", limit=1)]
    async with Node.open(tmp_path / "h", config=quiet(tmp_path)) as two:
        download = await two.get("1")
        assert await two.get(hit.content_id[:12]) is download
        assert await two.get("words.txt") is download
        await download.wait()
        with pytest.raises(LocalError, match="no hit 2"):
            await two.get("2")
        with pytest.raises(AddressError, match="neither a link"):
            await two.get("nothing of the kind")


async def test_links_to_shares_and_to_files_inside_them(node: Node, files: Path) -> None:
    share = await node.share(files)
    for said in (str(files), "Alte Lieder", share.content_id, share.content_id[:10]):
        assert (await node.link(said)).link == share.link
    inside = await node.link(files / "words.txt")
    assert (inside.name, inside.size) == ("words.txt", 8)
    assert (await node.link(inside.content_id)).link == inside.link
    assert parse_link(inside.link).sources[0].peer_id == node.peer.peer_id
    with pytest.raises(LocalError, match="not shared"):
        await node.link(files / "none")


async def test_unshared_is_gone(open_node: OpenNode, files: Path) -> None:
    one, two = await met(open_node)
    share = await one.share(files)
    assert (await one.unshare("Alte Lieder")).path == str(files)
    assert await one.library() == []
    assert [hit async for hit in two.search("song", seconds=0.3)] == []
    download = await two.get(share.link)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await download.wait()
    assert download.status().note
    await two.fetching.cancel(share.content_id)
    with pytest.raises(LocalError, match="no share"):
        await one.unshare("Alte Lieder")


async def test_a_download_goes_on_after_a_restart(open_node: OpenNode, files: Path, tmp_path: Path) -> None:
    one = await open_node("one")
    share = await one.share(files)
    config = quiet(tmp_path)
    async with Node.open(tmp_path / "h", config=config) as two:
        await two.get(share.link)
        await two.fetching.pause("Alte Lieder")
    async with Node.open(tmp_path / "h", config=config) as two:
        (transfer,) = two.fetching.views()
        assert transfer.state == "paused"
        download = await two.fetching.resume(transfer.content_id)
        assert (await download.wait() / "words.txt").read_text() == "la la la"
        with pytest.raises(LocalError, match="complete already"):
            await two.fetching.resume("Alte Lieder")
        with pytest.raises(LocalError, match="nothing to pause"):
            await two.fetching.pause("Alte Lieder")


async def test_a_finished_download_is_served_on(open_node: OpenNode, files: Path, tmp_path: Path) -> None:
    one, two, three = [await open_node(name) for name in ("one", "two", "three")]
    share = await one.share(files / "first song.mp3")
    await (await two.get(share.link)).wait()
    await one.unshare(share.content_id)
    await until(lambda: two.transfers.holds(parse_link(share.link).content))
    (transfer,) = two.fetching.views()
    path = await (await three.get(transfer.link, tmp_path / "third")).wait()
    assert path.read_bytes() == b"one" * 100_000


async def test_what_stands_in_the_way_is_told(open_node: OpenNode, files: Path, tmp_path: Path) -> None:
    one, two = await open_node("one"), await open_node("two")
    share = await one.share(files / "words.txt")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file"):
        await two.get(share.link, tmp_path / "file")
    (tmp_path / "words.txt").write_text("mine")
    download = await two.get(share.link, tmp_path)
    with pytest.raises(TargetExistsError):
        await download.wait()
    assert (tmp_path / "words.txt").read_text() == "mine"


async def test_a_hostile_name_in_a_link_stays_in_its_folder(open_node: OpenNode, files: Path, tmp_path: Path) -> None:
    one, two = await open_node("one"), await open_node("two")
    link = (await one.share(files / "words.txt")).link.replace("words.txt", "..%2F..%2Fevil")
    path = await (await two.get(link, tmp_path / "into")).wait()
    assert path.parent == tmp_path / "into"
    assert path.name == ".._.._evil"


async def test_queries_that_make_no_sense_are_refused_at_once(node: Node) -> None:
    with pytest.raises(QueryError) as caught:
        node.search('song "open')
    assert caught.value.position == 5
    with pytest.raises(LocalError):
        node.search("song", limit=0)
    with pytest.raises(LocalError):
        node.search("song", seconds=1000)


async def test_friends_bans_and_names(open_node: OpenNode) -> None:
    one, two = await met(open_node)
    (entry,) = await one.peers()
    assert entry.connected
    assert entry.latency is not None
    assert entry.agent.startswith("peerage/")
    assert one.friend(two.peer_id).friend
    banned = one.ban(two.peer_id[:10])
    assert banned.banned
    assert not banned.friend
    assert not banned.connected
    await until(lambda: not two.peer.neighbours())
    with pytest.raises((RefusedError, LinkError)):
        await two.connect((await one.status()).listen)
    one.ban(two.peer_id, banned=False)
    assert (await two.connect(f"{one.peer_id}@{(await one.status()).listen}")).connected
    with pytest.raises(LocalError, match="no peer"):
        one.friend("nobody")
    with pytest.raises(LocalError, match="itself"):
        one.friend(one.peer_id)
    assert one.ban("a" * 52).banned  # somebody never met


async def test_what_banned_peers_share_is_not_shown_or_fetched(open_node: OpenNode, files: Path) -> None:
    one, two = await met(open_node)
    three = await open_node("three")
    await three.connect((await two.status()).listen)
    link = (await one.share(files)).link
    three.ban(one.peer_id)
    assert [hit async for hit in three.search("song", seconds=0.5)] == []  # two still relays what one answers
    download = await three.get(link)
    assert download.swarm.sources == ()


async def test_whom_a_link_names_becomes_a_neighbour(open_node: OpenNode, files: Path) -> None:
    one, two = await open_node("one"), await open_node("two")
    await two.get((await one.share(files)).link)
    await until(lambda: bool(two.peer.neighbours()))


async def test_somebody_else_at_the_address_is_refused(open_node: OpenNode) -> None:
    one, two = await open_node("one"), await open_node("two")
    with pytest.raises(LinkError):
        await two.connect(f"{'a' * 52}@{(await one.status()).listen}")
    with pytest.raises(AddressError):
        await two.connect("peerage:" + "a" * 52)
    with pytest.raises(AddressError):
        await two.connect("nonsense")


async def test_networks_keep_apart(open_node: OpenNode, tmp_path: Path) -> None:
    one = await open_node("one")
    secret = Network.from_secret(b"a good secret", "club")
    async with Node.open(tmp_path / "h", config=quiet(tmp_path), network=secret) as other:
        assert (await other.status()).private
        assert (await other.status()).network == "club"
        with pytest.raises(WrongNetworkError, match="another network"):
            await other.connect((await one.status()).listen)


async def test_a_private_network_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"correct horse battery\n")
    config = quiet(tmp_path, secret_file=str(secret), network="peerage")
    async with Node.open(tmp_path / "h", config=config) as node:
        assert (await node.status()).private
        assert node.network.label == Network.from_secret(b"correct horse battery").label
    secret.unlink()
    with pytest.raises(ConfigError, match="cannot read the network secret"):
        async with Node.open(tmp_path / "h", config=config):
            pass


async def test_limits_hold_at_once_and_for_the_next_start(tmp_path: Path) -> None:
    config = quiet(tmp_path)
    async with Node.open(tmp_path / "h", config=config) as node:
        assert (await node.set_limits(down=5_000_000)).down == 5_000_000
        limits = await node.set_limits(up=1000, upload_slots=3)
        assert (limits.down, limits.up, limits.upload_slots) == (5_000_000, 1000, 3)
        assert node.exchange.slots == 3
    assert load(Home(tmp_path / "h").config_file).limits.down == 5_000_000


async def test_one_node_a_home(tmp_path: Path) -> None:
    async with Node.open(tmp_path / "h", config=quiet(tmp_path)):
        with pytest.raises(ConfigError, match="already"):
            async with Node.open(tmp_path / "h", config=quiet(tmp_path)):
                pass
    async with Node.open(tmp_path / "h", config=quiet(tmp_path)):
        pass


async def test_a_chosen_place_that_is_taken_is_refused(open_node: OpenNode, tmp_path: Path) -> None:
    one = await open_node("one")
    with pytest.raises(DialError, match="cannot listen"):
        async with Node.open(tmp_path / "h", config=quiet(tmp_path), listen=(await one.status()).listen):
            pass


async def test_a_node_can_listen_nowhere(open_node: OpenNode, files: Path) -> None:
    one, two = await open_node("one", listen=""), await open_node("two")
    status = await one.status()
    assert status.listen == ""
    assert status.addresses == []
    share = await two.share(files / "words.txt")
    await (await one.get(share.link)).wait()


async def test_peers_are_remembered_and_met_again(open_node: OpenNode, tmp_path: Path) -> None:
    one = await open_node("one")
    config = quiet(tmp_path)
    async with Node.open(tmp_path / "h", config=config) as two:
        await two.connect((await one.status()).listen)
    async with Node.open(tmp_path / "h", config=config) as two:
        await until(lambda: bool(two.peer.neighbours()))
        assert (await two.status()).peers == 1


async def test_addresses_of_the_configuration_are_joined(open_node: OpenNode) -> None:
    one = await open_node("one")
    two = await open_node("two", connect=[(await one.status()).listen])
    await until(lambda: bool(two.peer.neighbours()))


async def test_a_damaged_peer_table_is_moved_aside(tmp_path: Path) -> None:
    home = Home(tmp_path / "h")
    home.create()
    home.peers_file.write_text("{")
    async with Node.open(home, config=quiet(tmp_path)) as node:
        assert "damaged" in (await node.status()).notices[0]
    assert home.peers_file.with_suffix(".damaged").read_text() == "{"


async def test_shares_come_back_after_a_restart(open_node: OpenNode, files: Path, tmp_path: Path) -> None:
    two = await open_node("two")
    config = quiet(tmp_path)
    async with Node.open(tmp_path / "h", config=config) as one:
        await one.share(files)
    async with Node.open(tmp_path / "h", config=config) as one:
        await one.settled()
        assert [share.name for share in await one.library()] == ["Alte Lieder"]
        await two.connect((await one.status()).listen)
        assert [hit.name async for hit in two.search("words", limit=1)] == ["words.txt"]


def test_the_default_configuration_is_the_public_network_on_all_interfaces() -> None:
    assert Config().listen == ":7411"
    assert Config().network == "peerage"
