"""A node with a classic port, over its local API: old peers joined, asked, and fetched from; real sockets on loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from app_worlds import Api, OpenNode

from peerage.app.classic_port import classic_address
from peerage.classic.downloads import OldDownload
from peerage.errors import AddressError, DialError, LocalError
from peerage.identity.address import Address


async def test_it_is_off_unless_asked_for(api: Api) -> None:
    status = (await api.http.get("status")).json()
    assert (status["classic"], status["old_peers"]) == ("", 0)
    refused = await api.http.post("peers/connect-classic", json={"address": "127.0.0.1:5"})
    assert refused.status_code == 409
    assert "--classic HOST:PORT" in refused.json()["error"]
    assert (await api.http.get("peers/classic")).json() == []


async def test_one_node_is_an_old_peer_to_another(
    open_node: OpenNode, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peerage.app.classic_port.CLASSIC_SEARCH_SECONDS", 30.0)  # however busy the computer is
    one, two = await open_node("one", classic="127.0.0.1:0"), await open_node("two", classic=":0")
    await one.share(files)
    place = (await one.status()).classic
    (known,) = await two.classic.connect(place, 2)
    assert (known.id, known.address, known.answered) == (place, place, True)
    assert [each.address for each in one.classic.peers()] == [(await two.status()).classic]

    run = two.search("song first", limit=1, seconds=30)
    (hit,) = [each async for each in run]
    assert (hit.name, hit.unverified, hit.path) == ("first song.mp3", True, place)
    assert run.summary.ranking == [1]
    for target in (hit, "1", hit.link, hit.content_id, hit.content_id[:12]):
        download = await two.get(target, tmp_path / "into")
        assert isinstance(download, OldDownload)
    assert await download.wait() == tmp_path / "into" / "first song.mp3"
    assert (tmp_path / "into" / "first song.mp3").read_bytes() == b"one" * 100_000
    (view,) = two.fetching.views()
    assert (view.state, view.unverified, view.content_id) == ("done", True, hit.content_id)
    [share] = [each for each in await one.library() if each.name == files.name]
    assert share.content_id not in view.note  # that is the folder's
    with pytest.raises(LocalError, match="old peer"):
        await two.ordering.prioritise(hit.content_id, "high")
    with pytest.raises(LocalError, match="nothing to pause"):
        await two.fetching.pause(hit.content_id)
    await two.fetching.cancel(hit.content_id)
    assert two.fetching.views() == []


async def test_a_known_content_is_checked_on_the_way(open_node: OpenNode, files: Path, tmp_path: Path) -> None:
    one, two = await open_node("one", classic="127.0.0.1:0"), await open_node("two", classic="127.0.0.1:0")
    await one.share(files / "words.txt")
    link = await one.link(files / "words.txt")
    place = (await one.status()).classic
    download = await two.get(f"classic://{place}/words.txt?content={link.content_id}", tmp_path / "into")
    await download.wait()
    (view,) = two.fetching.views()
    assert (view.unverified, link.content_id in view.note, "checked" in view.note) == (False, True, True)


async def test_old_peers_of_the_configuration_are_joined_when_they_are_there(open_node: OpenNode) -> None:
    one = await open_node("one", classic="127.0.0.1:0")
    place = (await one.status()).classic
    two = await open_node("two", classic="127.0.0.1:0", classic_connect=[place])
    async with asyncio.timeout(20):
        while not two.classic.peers():
            await asyncio.sleep(0)
    assert two.classic.peers()[0].address == place


async def test_a_place_that_is_taken_is_said(open_node: OpenNode) -> None:
    one = await open_node("one", classic="127.0.0.1:0")
    with pytest.raises(DialError, match="cannot listen at"):
        await open_node("two", classic=(await one.status()).classic)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":5678", Address("127.0.0.1", 5678)),
        ("localhost:5678", Address("127.0.0.1", 5678)),
        ("0.0.0.0:5678", Address("0.0.0.0", 5678)),
        ("192.0.2.7:0", Address("192.0.2.7", 0)),
    ],
)
def test_18_it_is_for_this_computer_unless_told_otherwise(text: str, address: Address) -> None:
    assert classic_address(text) == address


@pytest.mark.parametrize("text", ["[::1]:5678", "example.org:5678", "5678", ""])
def test_it_knows_only_numbers_of_ipv4(text: str) -> None:
    with pytest.raises(AddressError):
        classic_address(text)
