"""The weaknesses of the framework of 2007, each with a test that shows the attack failing or the bug absent.

The numbers are those of the list in docs/classic.md. What cannot be tested here (no encryption, design, packaging) is
said there.
"""

from __future__ import annotations

import asyncio
import random
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from classic_world import GatewayNode, PlayedPeer, Sky, exchange, frames, gateway_node, message, read_all, share

from peerage.classic.questions import OldHit
from peerage.errors import LinkLostError
from peerage.identity.address import Address, parse_address
from peerage.lab.clock import run_virtual
from peerage.limits import (
    CLASSIC_CHUNK,
    CLASSIC_CONNECTIONS_PER_ADDRESS,
    CLASSIC_HITS_PER_HOST,
    CLASSIC_PEERS,
    CLASSIC_QUERY_BURST,
    CLASSIC_QUERY_RATE,
    CLASSIC_QUESTION_HITS,
    CLASSIC_REQUEST_SECONDS,
    CLASSIC_TTL,
    CLASSIC_UPKEEP_INTERVAL,
)

HERE = "10.0.0.1:19511"
B, C = "10.0.0.12:19512", "10.0.0.13:19513"
VICTIM = "10.66.66.66:25"

Scene = Callable[[GatewayNode, Sky], Awaitable[None]]


def play(scene: Scene) -> None:
    async def main(rng: random.Random) -> None:
        sky = Sky()
        async with gateway_node(sky, HERE, rng) as node:
            await scene(node, sky)

    run_virtual(main)


async def say(sky: Sky, host: str, code: str, text: str | bytes = "") -> list[tuple[str, bytes]]:
    return frames(await exchange(sky, host, parse_address(HERE), message(code, text)))


def dialled(sky: Sky) -> list[Address]:
    """Whom the node connected to."""
    return [address for host, address in sky.dialled if host == "10.0.0.1"]


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../secret.txt", "../../../../etc/passwd", "secret.txt", "%2Fetc%2Fpasswd"]
)
def test_01_arbitrary_file_read_by_resp_and_fget(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")

    async def scene(node: GatewayNode, sky: Sky) -> None:
        await share(node, tmp_path / "shared", open_txt=b"open")
        async with node.old_peers.search(("e",)):  # a question is open, so that RESP is taken at all
            await say(sky, "10.0.0.12", "RESP", f"{path} {B}")
            assert await say(sky, "10.0.0.12", "FGET", path) == [("ERRO", b"File not found")]

    play(scene)


def test_03_whole_file_in_memory(tmp_path: Path) -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        size = 64 * 1024 * 1024
        (tmp_path / "shared").mkdir()
        with (tmp_path / "shared" / "large.bin").open("wb") as file:
            file.truncate(size)
        await node.library.share(tmp_path / "shared")
        channel = sky.connect("10.0.0.12", node.address)
        tracemalloc.start()
        try:
            await channel.write(message("FGET", "large.bin"))
            received = 0
            while data := await channel.read(CLASSIC_CHUNK):
                received += len(data)
            assert received == size + 8
            assert tracemalloc.get_traced_memory()[1] < 10 * CLASSIC_CHUNK
        finally:
            tracemalloc.stop()

    play(scene)


def test_04_query_loops_and_unbounded_ttl() -> None:
    """Four old peers in a full mesh with this node: each of them hears a search from here once."""

    async def scene(node: GatewayNode, sky: Sky) -> None:
        mesh = [PlayedPeer(sky, f"10.0.0.{n}:5000") for n in range(20, 24)]
        for each in mesh:
            each.start()
            each.peers = {other.id: (other.address.host, 5000) for other in mesh if other is not each}
            each.peers[HERE] = ("10.0.0.1", 19511)
            await node.old_peers.connect(each.address, hops=1)
        for each in mesh:
            each.heard.clear()
        await say(sky, "10.0.0.20", "QUER", "10.0.0.20:5000 nothing 1000000")
        for each in mesh:
            await each.rest()
        await asyncio.sleep(30)
        ttls = {int(payload.split()[2]) for each in mesh for code, payload in each.heard if code == "QUER"}
        assert max(ttls) == CLASSIC_TTL - 1
        heard_from_here = [payload for each in mesh for code, payload in each.heard if payload.endswith(b" 3")]
        assert len(heard_from_here) == 3  # all but the asker, once

    play(scene)


def test_04_negative_and_absurd_ttls_end_here() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        b = PlayedPeer(sky, B)
        b.start()
        await node.old_peers.connect(b.address, hops=1)
        b.heard.clear()
        for number, ttl in enumerate(["0", "-5", "x", "9" * 19, "1e9"]):
            await say(sky, "10.0.0.13", "QUER", f"{C} key{number} {ttl}")
        await asyncio.sleep(5)
        assert [code for code, _ in b.heard] == []

    play(scene)


def test_05_only_one_match_is_reported(tmp_path: Path) -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        await share(node, tmp_path / "files", notes1_txt=b"1", notes2_txt=b"2", NOTES3_txt=b"3", other_txt=b"4")
        b, c = PlayedPeer(sky, B), PlayedPeer(sky, C)
        b.start()
        c.start()
        c.shares("notes-of-c.txt", b"c")
        await node.old_peers.connect(c.address, hops=1)
        await b.build(HERE, 1)
        await b.query("notes")
        await asyncio.sleep(20)
        assert {*b.files} == {"notes1.txt", "notes2.txt", "NOTES3.txt", "notes-of-c.txt"}  # the search went on, too

    play(scene)


def test_06_table_poisoning_by_resp() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        b = PlayedPeer(sky, B)
        b.start()
        await node.old_peers.connect(b.address, hops=1)
        assert not node.old_peers.questions.offer(OldHit("notes.txt", b.address), "10.0.0.12")  # nobody asked
        await say(sky, "10.0.0.12", "RESP", f"notes.txt {B}")
        async with node.old_peers.search(("notes",)) as search:
            await say(sky, "10.0.0.66", "RESP", f"notes.txt {VICTIM}")  # a stranger about a third party
            await say(sky, "10.0.0.12", "RESP", f"other.txt {B}")  # not what was asked for
            await say(sky, "10.0.0.12", "RESP", f"notes.txt {HERE}")  # this node itself
            await say(sky, "10.0.0.12", "RESP", "notes.txt nowhere")
            for number in range(2 * CLASSIC_QUESTION_HITS):
                await say(sky, "10.0.0.66", "RESP", f"notes{number}.txt 10.0.0.66:5000")
            await say(sky, "10.0.0.12", "RESP", f"notes.txt {B}")
            await asyncio.sleep(10)
            hits = [hit async for hit in search]
        assert hits[-1] == OldHit("notes.txt", b.address)  # the flood of one host has not kept the other out
        assert len(hits) == CLASSIC_HITS_PER_HOST + 1
        assert not await say(sky, "10.0.0.12", "RESP", f"notes.txt {B}")
        assert len(node.old_peers.questions) == 0
        assert await say(sky, "10.0.0.13", "FGET", "notes.txt") == [("ERRO", b"File not found")]

    play(scene)


def test_08_join_for_someone_else() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        for text in (
            f"{VICTIM} 10.66.66.66 25",
            "x 10.66.66.66 25",
            f"{VICTIM} 10.0.0.12 19512",
            "x victim.example 80",
        ):
            ((code, _),) = await say(sky, "10.0.0.12", "JOIN", text)
            assert code == "ERRO"
        assert node.known == []
        await asyncio.sleep(3 * CLASSIC_UPKEEP_INTERVAL)
        assert dialled(sky) == []

    play(scene)


def test_08_quit_for_someone_else() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        b = PlayedPeer(sky, B)
        b.start()
        await b.build(HERE, 1)
        assert await say(sky, "10.0.0.66", "QUIT", B) == [("ERRO", b"Quit: peer not found: " + B.encode())]
        assert node.known == [B]
        assert await say(sky, "10.0.0.12", "QUIT", B) == [("REPL", b"Quit: peer removed: " + B.encode())]
        assert node.known == []

    play(scene)


def test_09_reflection_to_third_parties(tmp_path: Path) -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        await share(node, tmp_path / "files", notes_txt=b"x")
        b = PlayedPeer(sky, B)
        b.start()
        await node.old_peers.connect(b.address, hops=1)
        b.heard.clear()
        assert await say(sky, "10.0.0.66", "QUER", f"{VICTIM} notes 4") == [("REPL", b"Query ACK: notes")]
        await say(sky, "10.0.0.66", "QUER", "victim.example:80 notes 4")
        await say(sky, "10.0.0.66", "JOIN", f"{VICTIM} 10.66.66.66 25")
        await asyncio.sleep(3 * CLASSIC_UPKEEP_INTERVAL)
        assert {each.host for each in dialled(sky)} == {"10.0.0.12"}
        assert "QUER" not in [code for code, _ in b.heard]  # nor are others made to do it

    play(scene)


def test_09_a_known_peer_is_not_flooded_through_this_node(tmp_path: Path) -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        await share(node, tmp_path / "files", notes_txt=b"x")
        b = PlayedPeer(sky, B)
        b.start()
        await node.old_peers.connect(b.address, hops=1)
        b.heard.clear()
        for number in range(200):
            await say(sky, "10.0.0.66", "QUER", f"{B} note{'s' * (number % 2)}{'' if number < 2 else number} 0")
        await asyncio.sleep(10)
        assert len([code for code, _ in b.heard if code == "RESP"]) <= 25

    play(scene)


def test_11_hundreds_of_silent_connections() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        silent = [sky.connect("10.0.0.66", node.address) for _ in range(300)]
        assert node.busy <= CLASSIC_CONNECTIONS_PER_ADDRESS
        assert await say(sky, "10.0.0.12", "NAME") == [("REPL", HERE.encode())]
        assert await say(sky, "10.0.0.66", "NAME") == [("REPL", HERE.encode())]  # the oldest silent one gives way
        many = [sky.connect(f"10.1.{n // 250}.{n % 250}", node.address) for n in range(300)]
        assert await say(sky, "10.0.0.12", "NAME") == [("REPL", HERE.encode())]
        await asyncio.sleep(20)
        assert node.busy == 0
        assert all(each.other.aborted for each in silent + many)

    play(scene)


def test_12_unread_list() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        for number in range(40):
            await say(sky, f"10.0.1.{number}", "JOIN", f"10.0.1.{number}:5000 10.0.1.{number} 5000")
        unread = [sky.connect("10.0.0.66", node.address) for _ in range(20)]
        for each in unread:
            await each.write(message("LIST"))
        await asyncio.sleep(0.5)
        began = asyncio.get_running_loop().time()
        assert (await say(sky, "10.0.0.12", "JOIN", f"{B} 10.0.0.12 19512"))[0][0] == "REPL"
        assert (await say(sky, "10.0.0.12", "LIST"))[0] == ("REPL", b"41")
        assert (await say(sky, "10.0.0.12", "QUIT", B))[0][0] == "REPL"
        assert asyncio.get_running_loop().time() - began < 1
        await asyncio.sleep(20)
        assert node.busy == 0

    play(scene)


def test_11_a_file_that_nobody_reads_is_given_up(tmp_path: Path) -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        await share(node, tmp_path / "files", large_bin=bytes(5_000_000))
        unread = [sky.connect("10.0.0.66", node.address) for _ in range(3)]
        for each in unread:
            await each.write(message("FGET", "large.bin"))
        await asyncio.sleep(5)
        assert node.busy == 3
        await asyncio.sleep(40)
        assert node.busy == 0
        with pytest.raises(LinkLostError):
            await unread[0].write(b"x")

    play(scene)


def test_11_readers_of_one_host_do_not_take_all_turns(tmp_path: Path) -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        await share(node, tmp_path / "files", large_bin=bytes(5_000_000), small_txt=b"small")
        for number in range(20 * CLASSIC_CONNECTIONS_PER_ADDRESS):
            with suppress(LinkLostError):  # more than may be connected
                await sky.connect("10.0.0.66", node.address).write(message("FGET", "large.bin"))
            if not number % 50:
                await asyncio.sleep(0.02)
        assert len(node.gateway._connections) <= 2 * CLASSIC_CONNECTIONS_PER_ADDRESS
        await asyncio.sleep(1)
        assert await say(sky, "10.0.0.12", "FGET", "small.txt") == [("REPL", b"small")]
        assert await say(sky, "10.0.0.66", "NAME") == [("REPL", HERE.encode())]
        assert node.busy <= CLASSIC_CONNECTIONS_PER_ADDRESS + 1
        await asyncio.sleep(3600)
        assert node.busy == 0

    play(scene)


def test_13_stabilizer_killed_by_a_change_of_the_table() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        mesh = [PlayedPeer(sky, f"10.0.0.{n}:5000") for n in range(20, 30)]
        for each in mesh:
            each.start()
            await each.build(HERE, 1)

        async def come_and_go() -> None:
            for turn in range(200):
                await say(
                    sky,
                    "10.0.0.40",
                    "JOIN" if turn % 2 else "QUIT",
                    "10.0.0.40:5000 10.0.0.40 5000" if turn % 2 else "10.0.0.40:5000",
                )

        async with asyncio.TaskGroup() as group:
            group.create_task(come_and_go())
            for _ in range(10):
                group.create_task(node.old_peers.look_round())
        mesh[0].stop()
        await asyncio.sleep(5 * CLASSIC_UPKEEP_INTERVAL)
        assert mesh[0].id not in node.known  # the rounds go on
        assert mesh[1].id in node.known
        assert not node.peer.metrics.value("stabilizer_failed", "OldPeers.look_round")

    play(scene)


def test_14_no_rejoin_after_a_crash() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        b = PlayedPeer(sky, B)
        await b.build(HERE, 2)
        again = PlayedPeer(sky, B)  # it died without QUIT and comes back at once
        await again.build(HERE, 2)
        assert HERE in again.peers
        assert node.known == [B]

    play(scene)


@pytest.mark.parametrize(
    "name", ["with two blanks.txt", "a:b.txt", "100%.txt", "%41.txt", "\u00fcml\u00e4ut\u3000x.txt", "tab\there.txt"]
)
def test_15_names_with_blanks_and_colons(tmp_path: Path, name: str) -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        (tmp_path / "shared").mkdir()
        (tmp_path / "shared" / name).write_bytes(b"content")
        await node.library.share(tmp_path / "shared")
        b = PlayedPeer(sky, B)
        b.start()
        await b.build(HERE, 1)
        await b.query(".txt")
        await asyncio.sleep(5)
        (wire,) = b.files
        assert ":" not in wire
        assert len(wire.split()) == 1
        assert await say(sky, "10.0.0.12", "FGET", wire) == [("REPL", b"content")]
        assert await say(sky, "10.0.0.12", "FGET", name) == [("REPL", b"content")]

    play(scene)


def test_15_two_files_of_one_name(tmp_path: Path) -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        for folder, content in (("one", b"first"), ("two", b"second"), ("three", b"first")):
            await share(node, tmp_path / folder, same_txt=content)
        names = await node.gateway._offer.names("same", 10)
        assert len(names) == 2
        contents = [(await say(sky, "10.0.0.12", "FGET", name))[0][1] for name in names]
        assert sorted(contents) == [b"first", b"second"]
        assert await say(sky, "10.0.0.12", "FGET", "same.txt") == [("REPL", b"first")]

    play(scene)


def test_16_liveness_is_an_answer_not_an_open_port() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        class Zombie(PlayedPeer):
            def answer(self, code: str, payload: bytes) -> list[bytes]:
                return []

        zombie = Zombie(sky, B)
        await zombie.build(HERE, 1)
        zombie.start()
        await asyncio.sleep(5 * CLASSIC_UPKEEP_INTERVAL)
        assert node.known == []

    play(scene)


def test_19_a_full_table_gives_the_place_of_the_silent_to_newcomers() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        for number in range(CLASSIC_PEERS):
            await say(sky, f"10.0.1.{number}", "JOIN", f"10.0.1.{number}:5000 10.0.1.{number} 5000")
        assert await say(sky, "10.0.0.12", "JOIN", f"{B} 10.0.0.12 19512") == [("ERRO", b"Join: too many peers")]
        await asyncio.sleep(CLASSIC_UPKEEP_INTERVAL * 1.5)  # nobody of them answered when asked
        assert (await say(sky, "10.0.0.12", "JOIN", f"{B} 10.0.0.12 19512"))[0][0] == "REPL"
        assert len(node.known) == CLASSIC_PEERS
        assert B in node.known

    play(scene)


def test_20_errors_are_counted() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        channel = sky.connect("10.0.0.12", node.address)
        await channel.write(b"NAM")
        channel.abort()
        await asyncio.sleep(1)
        await say(sky, "10.0.0.12", "HELO")
        assert node.peer.metrics.value("classic_failed", "cut-off") == 1
        assert node.peer.metrics.value("classic_requests", "Unknown") == 1

    play(scene)


def test_21_malformed_join_and_query_are_answered() -> None:
    async def scene(_node: GatewayNode, sky: Sky) -> None:
        assert await say(sky, "10.0.0.12", "JOIN", "") == [("ERRO", b"Join: incorrect arguments")]
        assert await say(sky, "10.0.0.12", "QUER", "") == [("ERRO", b"Query: incorrect arguments")]
        channel = sky.connect("10.0.0.12", parse_address(HERE))
        channel.abort()  # the getpeername of 2007 died of this
        assert await say(sky, "10.0.0.12", "NAME") == [("REPL", HERE.encode())]

    play(scene)


def test_a_flood_of_searches_is_acknowledged_and_not_carried_out(tmp_path: Path) -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        looked: list[str] = []
        names = node.gateway._offer.names

        async def watched(key: str, limit: int) -> list[str]:
            looked.append(key)
            return await names(key, limit)

        node.gateway._offer.names = watched  # type: ignore[method-assign]
        began = asyncio.get_running_loop().time()
        for turn in range(5):
            channels = [sky.connect("10.0.0.66", node.address) for _ in range(60)]
            for number, channel in enumerate(channels):
                await channel.write(message("QUER", f"10.0.0.66:5000 key{turn}-{number} 0"))
            async with asyncio.TaskGroup() as group:
                answers = [group.create_task(read_all(channel)) for channel in channels]
            assert all(frames(each.result())[0][0] == "REPL" for each in answers)
        took = asyncio.get_running_loop().time() - began
        assert took < CLASSIC_REQUEST_SECONDS
        assert CLASSIC_QUERY_BURST <= len(looked) <= CLASSIC_QUERY_BURST + CLASSIC_QUERY_RATE * took + 1

    play(scene)
