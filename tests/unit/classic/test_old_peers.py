"""Using old peers: building up, upkeep, coming back, searching; with everything that old peers do wrong. Virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from classic_world import GatewayNode, PlayedPeer, Sky, gateway_node, message, share

from peerage.classic.old_peers import OldPeers
from peerage.classic.questions import OldHit
from peerage.classic.whereabouts import Whereabouts
from peerage.errors import DialError, LocalError
from peerage.identity.address import Address, parse_address
from peerage.lab.clock import run_virtual
from peerage.limits import CLASSIC_BUILD_SECONDS, CLASSIC_MISSES, CLASSIC_REJOIN_SECONDS, CLASSIC_UPKEEP_INTERVAL

HERE = "10.0.0.1:19511"
B, C, D = "10.0.0.12:19512", "10.0.0.13:19513", "10.0.0.14:19514"

Scene = Callable[[GatewayNode, Sky], Awaitable[None]]


def play(scene: Scene) -> None:
    async def main(rng: random.Random) -> None:
        sky = Sky()
        async with gateway_node(sky, HERE, rng) as node:
            await scene(node, sky)

    run_virtual(main)


def chain(sky: Sky, *places: str) -> list[PlayedPeer]:
    """Old peers of which each knows the next."""
    peers = [PlayedPeer(sky, place) for place in places]
    for one, other in zip(peers, peers[1:], strict=False):
        one.peers[other.id] = (other.address.host, other.address.port)
    for each in peers:
        each.start()
    return peers


async def found(node: GatewayNode, *keys: str) -> list[OldHit]:
    async with node.old_peers.search(keys) as search:
        return [hit async for hit in search]


def test_build_up_goes_as_far_as_the_hops() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        b, c, d = chain(sky, B, C, D)
        await node.old_peers.connect(b.address, hops=2)
        assert node.known == [B, C]
        assert [code for code, _ in b.heard] == ["NAME", "JOIN", "LIST"]
        assert b.heard[1][1] == f"{HERE} 10.0.0.1 19511".encode()
        assert HERE in c.peers
        assert d.heard == []
        await node.old_peers.connect(b.address, hops=3)
        assert node.known == [B, C, D]

    play(scene)


def test_nobody_there_and_no_port_are_said() -> None:
    async def scene(node: GatewayNode, _sky: Sky) -> None:
        with pytest.raises(DialError, match="no peer of 2007 answers at"):
            await node.old_peers.connect(parse_address(B))
        with pytest.raises(LocalError, match="own classic port"):
            await node.old_peers.connect(parse_address(HERE))
        alone = OldPeers(node.sky.transport("10.0.0.1"), Whereabouts())
        with pytest.raises(LocalError, match="--classic"):
            await alone.connect(parse_address(B))

    play(scene)


def test_a_peer_that_never_closes_is_no_trouble() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        (b,) = chain(sky, B)
        b.closes = False
        b.shares("notes.txt", b"x")
        began = asyncio.get_running_loop().time()
        await node.old_peers.connect(b.address, hops=2)
        assert asyncio.get_running_loop().time() - began < 1  # enough came: nobody waited for the end
        assert [hit.wire_name for hit in await found(node, "notes")] == ["notes.txt"]

    play(scene)


class MutePeer(PlayedPeer):
    """Accepts, and closes without a word."""

    def answer(self, code: str, payload: bytes) -> list[bytes]:
        return []


class NonsensePeer(PlayedPeer):
    """Answers what nobody can use."""

    def answer(self, code: str, payload: bytes) -> list[bytes]:
        return [b"REPL\xff\xff\xff\xff" if code == "NAME" else b"\0garbage garbage garbage"]


class JavaPeer(PlayedPeer):
    """Other words, a RESP that is answered, one blank only, and no message that comes in pieces."""

    def answer(self, code: str, payload: bytes) -> list[bytes]:
        if code == "QUER":
            super().answer(code, payload)
            return [message("REPL", "Query: ACK")]
        if code == "JOIN" and payload.decode().split(" ")[0] in self.peers:
            return [message("ERRO", "Join: peer already inserted")]
        if code == "RESP":
            super().answer(code, payload)
            return [message("REPL", f"Resp: file info added {payload.decode().split(' ')[0]}")]
        return super().answer(code, payload)


@pytest.mark.parametrize("kind", [MutePeer, NonsensePeer])
def test_a_peer_that_is_silent_or_talks_nonsense_is_not_known(kind: type[PlayedPeer]) -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        odd = kind(sky, B)
        odd.start()
        with pytest.raises(DialError):
            await node.old_peers.connect(odd.address)
        assert node.known == []

    play(scene)


def test_java_peers_use_other_words_and_get_on(tmp_path: Path) -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        await share(node, tmp_path / "files", our_notes_txt=b"ours")
        java = JavaPeer(sky, B)
        java.start()
        java.shares("java-notes.txt", b"y")
        await node.old_peers.connect(java.address)
        await node.old_peers.connect(java.address)  # "already inserted" is no reason to forget it
        assert node.known == [B]
        assert [hit.wire_name for hit in await found(node, "notes")] == ["java-notes.txt"]
        await java.build(HERE, 1)
        await java.query("our")
        await asyncio.sleep(5)
        assert java.files["our.notes.txt"] == HERE

    play(scene)


def test_every_message_leaves_in_one_write() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        writes: list[bytes] = []
        dial = node.old_peers.asking._transport.dial

        async def watched(address: Address):  # type: ignore[no-untyped-def]
            channel = await dial(address)
            write = channel.write

            async def note(data: bytes) -> None:
                writes.append(bytes(data))
                await write(data)

            channel.write = note  # type: ignore[method-assign, assignment]
            return channel

        node.old_peers.asking._transport.dial = watched  # type: ignore[method-assign]
        b, _ = chain(sky, B, C)
        await node.old_peers.connect(b.address, hops=2)
        await found(node, "notes")
        assert len(writes) >= 7
        assert all(len(each) == 8 + int.from_bytes(each[4:8], "big") for each in writes)

    play(scene)


def test_a_peer_that_dials_before_it_listens_is_taken_in() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        b = PlayedPeer(sky, B)
        await b.build(HERE, 2)
        assert node.known == [B]
        await asyncio.sleep(CLASSIC_UPKEEP_INTERVAL * 1.2)
        assert node.known == [B]
        b.start()
        await asyncio.sleep(CLASSIC_UPKEEP_INTERVAL * 1.2)
        (known,) = node.old_peers.table.all()
        assert known.answered
        assert known.misses == 0

    play(scene)


def test_whoever_does_not_answer_is_forgotten() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        (b,) = chain(sky, B)
        await node.old_peers.connect(b.address)
        b.stop()
        await asyncio.sleep(CLASSIC_UPKEEP_INTERVAL * (CLASSIC_MISSES + 1))
        assert node.known == []

    play(scene)


def test_a_named_peer_is_come_back_to() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        (b,) = chain(sky, B)
        await node.old_peers.connect(b.address)
        b.stop()
        await asyncio.sleep(CLASSIC_UPKEEP_INTERVAL * (CLASSIC_MISSES + 1))
        b.peers.clear()
        b.start()
        await asyncio.sleep(CLASSIC_UPKEEP_INTERVAL + CLASSIC_REJOIN_SECONDS * 2)
        assert node.known == [B]
        assert HERE in b.peers

    play(scene)


def test_whoever_forgot_this_node_is_joined_again() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        (b,) = chain(sky, B)
        await node.old_peers.connect(b.address)
        b.peers.clear()  # it crashed and came back between two looks
        await asyncio.sleep(CLASSIC_UPKEEP_INTERVAL * 1.2)
        assert HERE in b.peers

    play(scene)


def test_another_peer_at_the_same_place_gets_its_own_name() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        (b,) = chain(sky, B)
        await node.old_peers.connect(b.address)
        b.id = "somebody"
        await asyncio.sleep(CLASSIC_UPKEEP_INTERVAL * 1.2)
        assert node.known == ["somebody"]

    play(scene)


def test_a_search_hears_those_who_answer_directly_and_through_others() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        b, c, d = chain(sky, B, C, D)
        c.shares("notes-of-c.txt", b"c")
        d.shares("notes-of-d.txt", b"d")
        await node.old_peers.connect(b.address, hops=1)
        hits = await found(node, "notes")
        assert hits == [OldHit("notes-of-c.txt", c.address)]  # the flood of 2007 ends at a match
        c.files.clear()
        await asyncio.sleep(60)
        assert await found(node, "notes") == [OldHit("notes-of-d.txt", d.address)]
        assert len(node.old_peers.questions) == 0

    play(scene)


def test_a_search_with_a_blank_in_it_asks_nobody() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        (b,) = chain(sky, B)
        await node.old_peers.connect(b.address, hops=1)
        before = len(b.heard)
        assert await found(node, "two words", "") == []
        assert len(b.heard) == before

    play(scene)


def test_goodbye_is_said() -> None:
    async def main(rng: random.Random) -> None:
        sky = Sky()
        (b,) = chain(sky, B)
        async with gateway_node(sky, HERE, rng) as node:
            await node.old_peers.connect(b.address)
            assert HERE in b.peers
        assert b.peers == {}
        assert b.heard[-1] == ("QUIT", HERE.encode())

    run_virtual(main)


def test_a_list_of_peers_that_never_answer_does_not_hold_up_the_owner() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        b = PlayedPeer(sky, B)
        b.start()
        for number in range(20):
            tarpit = MutePeer(sky, f"10.0.2.{number}:5000")
            tarpit.closes = False
            tarpit.start()
            b.peers[tarpit.id] = (tarpit.address.host, 5000)
        began = asyncio.get_running_loop().time()
        await node.old_peers.connect(b.address, hops=2)
        assert asyncio.get_running_loop().time() - began < CLASSIC_BUILD_SECONDS + 1
        assert node.known == [B]

    play(scene)


def test_a_list_of_strangers_is_not_followed_into_our_networks_or_without_end() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        liar = PlayedPeer(sky, "8.8.4.4:5000")
        liar.start()
        liar.peers = {
            "a": ("127.0.0.1", 5001),
            "b": ("192.168.1.1", 5002),
            "c": ("10.0.0.9", 22),
            "e": ("a.example", 5),
        }
        liar.peers |= {f"8.8.{n}.{m}:5": (f"8.8.{n}.{m}", 5000) for n in range(8, 10) for m in range(1, 250)}
        await node.old_peers.connect(liar.address, hops=5)
        dialled = [address for host, address in sky.dialled if host == "10.0.0.1" and address != liar.address]
        assert 0 < len(dialled) <= 32
        assert {address.host.split(".")[0] for address in dialled} == {"8"}

    play(scene)
