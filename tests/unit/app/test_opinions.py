"""Votes and proofs in whole nodes: what one says the others see, and who offers what he has not is unmasked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from app_worlds import Api, OpenNode, quiet
from blake3 import blake3

from peerage.app.api.models import Hit
from peerage.app.node import Node
from peerage.catalogue.record import Description, Record
from peerage.errors import AddressError, LocalError
from peerage.overlay.reputation import Opinion


async def met(open_node: OpenNode, *names: str) -> list[Node]:
    """Nodes that all know the first."""
    nodes = [await open_node(name) for name in names]
    for node in nodes[1:]:
        await node.connect((await nodes[0].status()).listen)
    return nodes


async def search(node: Node, text: str) -> list[Hit]:
    run = node.search(text, seconds=1)
    async for _ in run.updates():
        pass
    return run.ranked()


async def found(node: Node, text: str, number: int) -> list[Hit]:
    """Search until so much is found: neighbours hear a moment later what is new with others."""
    async with asyncio.timeout(20):
        while len(hits := await search(node, text)) < number:
            pass
    return hits


async def share_what_is_not_there(node: Node, name: str) -> None:
    """Publish a record about a content that nobody has, as a node that lies would."""
    content = blake3(name.encode()).digest()
    described = Description(content=content, name=name, size=1000, mime="audio/mpeg")
    record = Record.sign(node.peer.key, described, int(node.peer.clock.time()))
    await node._publication._database.add_own([record])
    await node.overlays.planner.publish([record])


async def test_ones_own_vote_decides(open_node: OpenNode, files: Path) -> None:
    one, two = await met(open_node, "one", "two")
    await one.share(files)
    (hit,) = await found(two, "song deep", 1)
    assert hit.trust is not None
    assert (hit.trust.standing, hit.trust.proved, hit.trust.own) == ("show", True, "")
    cast = await two.opinions.vote("1", "fake")
    assert (cast.name, cast.opinion, cast.content_id) == (hit.name, "fake", hit.content_id)
    (hidden,) = await search(two, "song deep")
    assert (hidden.trust.standing, hidden.trust.own, hidden.trust.score) == ("hide", "fake", -1.0)
    assert hidden.trust.why[0] == "you said fake"
    again = await two.opinions.vote(hit.name, "good")
    assert [each.opinion for each in two.opinions.votes()] == ["good"]
    assert again.cast > cast.cast
    (shown,) = await search(two, "song deep")
    assert shown.trust.standing == "show"


async def test_the_vote_of_a_friend_counts_and_that_of_a_stranger_does_not(open_node: OpenNode, files: Path) -> None:
    giver, stranger, asker = await met(open_node, "giver", "stranger", "asker")
    await giver.share(files)
    await asker.connect((await stranger.status()).listen)
    await found(stranger, "song deep", 1)
    await stranger.opinions.vote("1", "malware")
    (hit,) = await found(asker, "song deep", 1)
    assert (hit.trust.standing, hit.trust.votes_against, hit.trust.weight_against) == ("show", 1, 0)
    assert hit.trust.why == ["malware: 1 not known, weight 0"]
    asker.friend(stranger.peer_id)
    (hit,) = await search(asker, "song deep")
    assert (hit.trust.standing, hit.trust.malware) == ("hide", 1)
    asker.friend(stranger.peer_id, friend=False)
    assert await asker.opinions.follow(stranger.peer_id, follow=True) == [stranger.peer_id]
    (hit,) = await search(asker, "song deep")
    assert (hit.trust.standing, hit.trust.why) == ("hide", ["malware: 1 whom you follow, weight 1.00"])


async def test_votes_and_whom_one_follows_are_there_after_a_restart(tmp_path: Path) -> None:
    async with Node.open(tmp_path / "home", config=quiet(tmp_path)) as node:
        await node.opinions.reputation.vote(bytes(32), "a song", Opinion.GOOD)
    async with Node.open(tmp_path / "home", config=quiet(tmp_path)) as node:
        assert [(each.name, each.opinion) for each in node.opinions.votes()] == [("a song", "good")]


async def test_who_offers_what_he_has_not_is_left_out(open_node: OpenNode) -> None:
    liar, asker = await met(open_node, "liar", "asker")
    await share_what_is_not_there(liar, "no such song.mp3")
    (hit,) = await found(asker, "no such song", 1)
    assert (hit.trust.proved, hit.trust.standing, hit.holders, hit.sources) == (False, "warn", [], 0)
    assert "nobody could show that he has it" in hit.trust.why
    assert asker.peer.metrics.value("proofs", "failed") == 1
    await search(asker, "no such song")
    assert asker.peer.metrics.value("proofs", "failed") == 1, "it is remembered"


async def test_what_was_found_elsewhere_comes_before_what_nobody_can_show(open_node: OpenNode, files: Path) -> None:
    honest, liar, asker = await met(open_node, "honest", "liar", "asker")
    await asker.connect((await liar.status()).listen)
    await honest.share(files)
    await share_what_is_not_there(liar, "second song.ogg")
    hits = await found(asker, "second song", 2)
    assert [hit.trust.proved for hit in hits] == [True, False]


async def test_nonsense_is_refused(node: Node) -> None:
    with pytest.raises(LocalError, match="no hit number 7"):
        await node.opinions.vote("7", "good")
    with pytest.raises(LocalError):
        await node.opinions.vote("what nobody knows", "good")
    with pytest.raises(AddressError):
        await node.opinions.follow("nobody", follow=True)


async def test_votes_over_the_api(api: Api, node: Node, files: Path) -> None:
    await node.share(files)
    (hit,) = await search(node, "second song")
    assert (await api.http.get("votes")).json() == []
    cast = await api.http.post("votes", json={"target": "1", "opinion": "fake"})
    assert cast.status_code == 201
    assert cast.json()["content_id"] == hit.content_id
    assert (await api.http.get("votes")).json() == [cast.json()]
    assert (await api.http.post("votes", json={"target": "1", "opinion": "nice"})).status_code == 400
    other = node.peer_id
    assert (await api.http.post("votes/followed", json={"peer": other})).json() == [other]
    assert (await api.http.get("votes/followed")).json() == [other]
    assert (await api.http.post("votes/followed", json={"peer": other, "follow": False})).json() == []


async def test_what_votes_speak_against_is_not_downloaded_by_itself(open_node: OpenNode, files: Path) -> None:
    one, two = await met(open_node, "one", "two")
    await one.share(files)
    hits = await found(two, "song", 2)
    fake = next(hit for hit in hits if hit.name == "second song.ogg")
    await two.opinions.vote(fake.content_id, "fake")
    wish = await two.wishes.add("song", get_bytes=10_000_000)
    async with asyncio.timeout(30):
        while two.wishes.all()[0].searched is None or two.wishes.busy:
            await asyncio.sleep(0.01)
    loaded = {each.hit.name: each.downloaded for each in two.wishes.results(wish.id)}
    assert loaded == {"first song.mp3": True, "second song.ogg": False}
