"""How fast links go and how far away peers are; and that whoever follows hears of it, not too often."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest
from app_worlds import OpenNode

from peerage.app.api.event_models import EventsBegan, PeerEvent
from peerage.app.api.models import PeerEntry
from peerage.app.link_measures import LinkMeasures, Traffic, worth_telling
from peerage.app.link_watch import LOOK_SECONDS
from peerage.app.node import Node
from peerage.identity.keys import PeerId
from peerage.limits import MIB

ANNA, BERT = PeerId(b"a" * 32), PeerId(b"b" * 32)
ENTRY = PeerEntry(
    peer_id="a",
    name="",
    connected=True,
    addresses=[],
    agent="",
    latency=0.05,
    last_seen=None,
    friend=False,
    banned=False,
    received=0,
    sent=0,
    rate_down=10_000.0,
)


def test_rates_follow_what_the_links_carry() -> None:
    measures = LinkMeasures()
    measures.came(ANNA, 7.0)
    for look in range(8):
        links = [Traffic(1, ANNA, 1000 * look, 0), Traffic(2, ANNA, 5000 * look, 100 * look), Traffic(3, BERT, look, 0)]
        measures.sample(2.0 * look, links)
    assert measures.of(ANNA).rate_down == pytest.approx(3000, rel=0.01)
    assert measures.of(ANNA).rate_up == pytest.approx(50, rel=0.01)
    assert measures.of(ANNA).since == 7.0
    assert measures.of(BERT).rate_down == 0.0  # not connected, as far as this is told


def test_a_link_that_ends_takes_nothing_back() -> None:
    measures = LinkMeasures()
    measures.came(ANNA, 0.0)
    measures.sample(0.0, [Traffic(1, ANNA, 50_000_000, 0)])
    measures.sample(2.0, [Traffic(2, ANNA, 2000, 0)])
    assert 0 < measures.of(ANNA).rate_down <= 1000
    for look in range(2, 40):
        measures.sample(2.0 * look, [])
    assert measures.of(ANNA).rate_down == 0.0
    assert measures._links == {}


def test_no_time_has_passed() -> None:
    measures = LinkMeasures()
    measures.came(ANNA, 0.0)
    measures.sample(5.0, [Traffic(1, ANNA, 0, 0)])
    measures.sample(5.0, [Traffic(1, ANNA, 1000, 0)])
    assert measures.of(ANNA).rate_down == 0.0


def test_who_left_is_forgotten() -> None:
    measures = LinkMeasures()
    measures.came(ANNA, 0.0)
    measures.pinged(ANNA, 0.02)
    measures.pinged(BERT, 0.02)
    assert measures.of(ANNA).latency == 0.02
    measures.left(ANNA)
    measures.left(BERT)
    assert measures._peers == {}


@pytest.mark.parametrize(
    ("changes", "worth"),
    [
        ({}, False),
        ({"rate_down": 10_500.0}, False),
        ({"rate_down": 12_000.0}, True),
        ({"rate_down": 0.0}, True),
        ({"rate_up": 5.0}, True),
        ({"latency": 0.055}, False),
        ({"latency": 0.1}, True),
        ({"latency": None}, True),
        ({"roles": ["dht"]}, True),
        ({"connected": False}, True),
        ({"received": 10**9}, False),
    ],
)
def test_what_is_worth_telling(changes: dict[str, object], worth: bool) -> None:
    assert worth_telling(ENTRY, msgspec.structs.replace(ENTRY, **changes)) == worth
    assert worth_telling(None, ENTRY)


# --- real nodes ---------------------------------------------------------------------------------------------------


async def test_a_peer_is_shown_with_its_links(node: Node, open_node: OpenNode) -> None:
    other = await open_node("other")
    entry = await node.connect((await other.status()).listen)
    assert (entry.dialled, entry.connected, entry.latency is not None) == (True, True, True)
    assert entry.since == pytest.approx(node.peer.clock.time(), abs=60)
    assert entry.address in {str(place) for place in other.places.listening}
    async with asyncio.timeout(20):
        while "neighbour" not in (await node.peers())[0].roles:
            await asyncio.sleep(0)
    node.friend(other.peer_id)
    (there,) = await node.peers()
    assert there.roles[0] == "friend"
    (back,) = await other.peers()
    assert back.dialled is False
    node.ban(other.peer_id)
    (gone,) = await node.peers()
    assert (gone.connected, gone.dialled, gone.since, gone.rate_down, gone.roles) == (False, None, None, 0.0, [])
    assert gone.address in gone.addresses


async def test_rates_are_told_while_a_download_runs(node: Node, open_node: OpenNode, tmp_path: Path) -> None:
    other = await open_node("other")
    (tmp_path / "film").write_bytes(bytes(6 * MIB))
    link = (await other.share(tmp_path / "film")).link
    await other.set_limits(up=2 * MIB)
    node.links._look_round()
    async with aclosing(node.events.follow(["peers"])) as follower, asyncio.timeout(20):
        first = await anext(follower)
        assert first is not None
        assert isinstance(first.event, EventsBegan)
        download = await node.get(link)
        while download.status().done < MIB:
            await asyncio.sleep(0)
        carried = sum(each.received for each in node.peer.connections())
        assert carried > MIB
        assert sum(each.sent for each in other.peer.connections()) >= carried
        node.links._look_round()
        async for each in follower:
            if each is not None and isinstance(each.event, PeerEvent) and each.event.peer.rate_down > 0:
                break
    await other.set_limits(up=0)
    await download.wait()


async def test_nobody_is_asked_while_nobody_follows(node: Node, open_node: OpenNode) -> None:
    other = await open_node("other")
    await other.connect((await node.status()).listen)
    (connection,) = node.peer.neighbours()
    node.links._look_round()
    assert connection.waiting == 0
    assert node.links.of(connection.peer_id).latency is None
    async with aclosing(node.events.follow(["peers"])) as follower:
        await anext(follower)
        node.links._look_round()
        async with asyncio.timeout(20):
            while node.links.of(connection.peer_id).latency is None:
                await asyncio.sleep(0)
    assert LOOK_SECONDS == 2.0
