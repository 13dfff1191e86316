"""The classic port, message by message, against the recorded bytes of the Python original; in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from classic_world import GatewayNode, Sky, exchange, frames, gateway_node, message, read_all, share
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peerage.errors import LinkLostError
from peerage.identity.address import Address
from peerage.lab.clock import run_virtual
from peerage.limits import CLASSIC_PEERS_PER_HOST, CLASSIC_REQUEST_SECONDS, MAX_CLASSIC_PAYLOAD

HERE = "10.0.0.1:19511"
A, B = "10.0.0.10:19510", "10.0.0.12:19512"

Scene = Callable[[GatewayNode, Sky], Awaitable[None]]


def play(scene: Scene) -> None:
    async def main(rng: random.Random) -> None:
        sky = Sky()
        async with gateway_node(sky, HERE, rng) as node:
            await scene(node, sky)

    run_virtual(main)


async def say(sky: Sky, host: str, code: str, text: str | bytes = "") -> list[tuple[str, bytes]]:
    return frames(await exchange(sky, host, Address("10.0.0.1", 19511), message(code, text)))


def test_name_join_list_and_quit_are_the_recorded_bytes() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        host = "10.0.0.12"

        async def bytes_of(data: bytes) -> bytes:
            return await exchange(sky, host, node.address, data)

        assert await bytes_of(b"NAME\0\0\0\0") == b"REPL\0\0\0\x0e10.0.0.1:19511"
        join = b"JOIN\0\0\0\x1f10.0.0.12:19512 10.0.0.12 19512"
        assert await bytes_of(join) == b"REPL\0\0\0\x21Join: peer added: 10.0.0.12:19512"
        assert await bytes_of(b"LIST\0\0\0\0") == b"REPL\0\0\0\x011" + b"REPL\0\0\0\x1f10.0.0.12:19512 10.0.0.12 19512"
        own = b"JOIN\0\0\0\x1d10.0.0.1:19511 10.0.0.1 19511"
        assert (await exchange(sky, "10.0.0.1", node.address, own)) == (
            b"ERRO\0\0\0\x2aJoin: peer already inserted 10.0.0.1:19511"
        )
        assert await bytes_of(b"QUIT\0\0\0\x0f10.0.0.12:19512") == b"REPL\0\0\0\x23Quit: peer removed: 10.0.0.12:19512"
        assert await bytes_of(b"QUIT\0\0\0\x02p1") == b"ERRO\0\0\0\x18Quit: peer not found: p1"
        assert await bytes_of(b"PING\0\0\0\0") == b""
        assert await bytes_of(b"LIST\0\0\0\0") == b"REPL\0\0\0\x010"

    play(scene)


def test_query_and_fget_are_the_recorded_bytes(tmp_path: Path) -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        text = b"hello from B\nline two\n"
        await share(node, tmp_path / "shared", notes_txt=text)
        heard: list[bytes] = []

        async def hear(channel: object) -> None:
            heard.append(await read_all(channel))  # type: ignore[arg-type]

        tasks: list[asyncio.Task[None]] = []
        sky.ears[Address("10.0.0.10", 19510)] = lambda channel: tasks.append(asyncio.create_task(hear(channel)))
        answer = await exchange(sky, "10.0.0.10", node.address, b"QUER\0\0\0\x1710.0.0.10:19510 notes 4")
        assert answer == b"REPL\0\0\0\x10Query ACK: notes"
        await asyncio.sleep(10)
        assert heard == [b"RESP\0\0\0\x18notes.txt 10.0.0.1:19511"]
        answer = await exchange(sky, "10.0.0.10", node.address, b"FGET\0\0\0\x09notes.txt")
        assert answer == b"REPL\0\0\0\x16" + text
        answer = await exchange(sky, "10.0.0.10", node.address, b"FGET\0\0\0\x03nix")
        assert answer == b"ERRO\0\0\0\x0eFile not found"

    play(scene)


def test_malformed_requests_get_what_the_original_meant_to_say() -> None:
    async def scene(_node: GatewayNode, sky: Sky) -> None:
        assert await say(sky, "10.0.0.12", "JOIN", "one two") == [("ERRO", b"Join: incorrect arguments")]
        assert await say(sky, "10.0.0.12", "JOIN", "p 10.0.0.12 99999") == [("ERRO", b"Join: incorrect arguments")]
        assert await say(sky, "10.0.0.12", "QUER", "one two") == [("ERRO", b"Query: incorrect arguments")]
        assert await say(sky, "10.0.0.12", "QUER", "10.0.0.12:1 key x") == [("REPL", b"Query ACK: key")]
        assert await say(sky, "10.0.0.12", "RESP", "only-one") == []
        assert await say(sky, "10.0.0.12", "HELO", "x") == []
        assert await say(sky, "10.0.0.12", "REPL", "x") == []

    play(scene)


def test_a_free_id_is_known_by_its_place() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        assert await say(sky, "10.0.0.12", "JOIN", "alice 10.0.0.12 5000") == [("REPL", b"Join: peer added: alice")]
        assert await say(sky, "10.0.0.13", "JOIN", "alice 10.0.0.13 5000") == [
            ("ERRO", b"Join: peer already inserted alice")
        ]
        assert node.known == ["alice"]

    play(scene)


def test_the_table_is_full_for_one_host_but_not_for_others() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        for port in range(5000, 5000 + CLASSIC_PEERS_PER_HOST):
            await say(sky, "10.0.0.12", "JOIN", f"10.0.0.12:{port} 10.0.0.12 {port}")
        assert await say(sky, "10.0.0.12", "JOIN", "10.0.0.12:7 10.0.0.12 7") == [("ERRO", b"Join: too many peers")]
        assert await say(sky, "10.0.0.13", "JOIN", f"{B.replace('12', '13', 1)} 10.0.0.13 19512") != []
        assert len(node.known) == CLASSIC_PEERS_PER_HOST + (1 if "10.0.0.13:19512" in node.known else 0)

    play(scene)


def test_a_file_arrives_whole_and_an_empty_one_too(tmp_path: Path) -> None:
    content = random.Random(5).randbytes(1_000_003)

    async def scene(node: GatewayNode, sky: Sky) -> None:
        await share(node, tmp_path / "shared", big_bin=content, empty_txt=b"")
        assert await say(sky, "10.0.0.12", "FGET", "big.bin") == [("REPL", content)]
        assert await say(sky, "10.0.0.12", "FGET", " big.bin ") == [("REPL", content)]
        assert await say(sky, "10.0.0.12", "FGET", "empty.txt") == [("REPL", b"")]
        (tmp_path / "shared" / "big.bin").write_bytes(b"changed")
        assert await say(sky, "10.0.0.12", "FGET", "big.bin") == [("ERRO", b"Error reading file")]

    play(scene)


def test_a_file_beyond_four_gigabytes_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peerage.wire.classic.MAX_LENGTH", 5)

    async def scene(node: GatewayNode, sky: Sky) -> None:
        await share(node, tmp_path / "shared", five_txt=b"12345", six_txt=b"123456")
        assert await say(sky, "10.0.0.12", "FGET", "five.txt") == [("REPL", b"12345")]
        assert await say(sky, "10.0.0.12", "FGET", "six.txt") == [("ERRO", b"File too large for this protocol")]

    play(scene)


def test_only_what_is_public_is_found_and_fetched(tmp_path: Path) -> None:
    from peerage.catalogue.record import Visibility

    async def scene(node: GatewayNode, sky: Sky) -> None:
        for name, visibility in (("for-friends.txt", Visibility.FRIENDS), ("by-link.txt", Visibility.LINK)):
            (tmp_path / name).write_text("private")
            await node.library.share(tmp_path / name, visibility)
            assert await say(sky, "10.0.0.12", "FGET", name) == [("ERRO", b"File not found")]
        assert await node.gateway._offer.names("txt", 10) == []

    play(scene)


def test_a_request_may_come_in_any_pieces() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        whole = message("JOIN", f"{B} 10.0.0.12 19512")
        pieces = [whole[at : at + 1] for at in range(len(whole))]
        answer = await exchange(sky, "10.0.0.12", node.address, *pieces)
        assert frames(answer) == [("REPL", b"Join: peer added: " + B.encode())]

    play(scene)


def test_what_follows_the_first_request_is_not_read_and_does_no_harm() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        answer = await exchange(sky, "10.0.0.12", node.address, message("NAME") + message("LIST"))
        assert frames(answer) == [("REPL", HERE.encode())]

    play(scene)


def test_a_cut_off_request_is_not_answered_and_a_slow_one_ends() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        channel = sky.connect("10.0.0.12", node.address)
        await channel.write(b"NAM")
        channel.finish()
        assert await read_all(channel) == b""
        loop = asyncio.get_running_loop()
        began = loop.time()
        slow = sky.connect("10.0.0.12", node.address)
        await slow.write(b"JOIN\0\0\0\x20half")
        assert await read_all(slow) == b""
        assert loop.time() - began == pytest.approx(CLASSIC_REQUEST_SECONDS, abs=0.5)
        assert node.busy == 0
        assert node.peer.metrics.value("classic_failed", "cut-off") == 1
        assert node.peer.metrics.value("classic_failed", "slow") == 1

    play(scene)


def test_a_large_announcement_ends_the_connection_at_once() -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        for length in (MAX_CLASSIC_PAYLOAD + 1, 0x7FFFFFFF, 0xFFFFFFFF):
            began = asyncio.get_running_loop().time()
            assert await exchange(sky, "10.0.0.12", node.address, b"FGET" + length.to_bytes(4, "big")) == b""
            assert asyncio.get_running_loop().time() - began < 1
        assert node.peer.metrics.value("classic_failed", "too-long") == 3

    play(scene)


codes = st.sampled_from([b"NAME", b"LIST", b"JOIN", b"QUER", b"RESP", b"FGET", b"QUIT", b"PING", b"join", b"\0\0\0\0"])
fields = st.lists(
    st.sampled_from(["10.0.0.9:80", "10.0.0.9", "80", "4", "-1", "../../etc/passwd", "\x00", "\ud83d", "%=", "%FF"]),
    max_size=5,
)
payloads = st.one_of(st.binary(max_size=80), fields.map(lambda each: " ".join(each).encode("utf-8", "surrogatepass")))
requests = st.builds(lambda code, payload: code + len(payload).to_bytes(4, "big") + payload, codes, payloads)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.one_of(st.binary(max_size=40), requests), st.lists(st.integers(1, 20), max_size=4)), max_size=8
    )
)
def test_garbage_and_split_frames_harm_nobody(sent: list[tuple[bytes, list[int]]]) -> None:
    async def scene(node: GatewayNode, sky: Sky) -> None:
        for data, sizes in sent:
            channel = sky.connect("10.0.0.9", node.address)
            rest = data
            with suppress(LinkLostError):  # it was more than enough already
                for size in sizes:
                    await channel.write(rest[:size])
                    rest = rest[size:]
                await channel.write(rest)
                channel.finish()
            frames(await read_all(channel))
        await asyncio.sleep(60)
        assert node.busy == 0
        assert await say(sky, "10.0.0.12", "NAME") == [("REPL", HERE.encode())]
        assert not node.peer.metrics.value("task_failed", "classic connections")
        assert not node.peer.metrics.value("task_failed", "old peers")
        assert {address.host for host, address in sky.dialled if host == "10.0.0.1"} <= {"10.0.0.9"}

    play(scene)


def test_a_port_that_is_closed_leaves_nothing_behind() -> None:
    async def main(rng: random.Random) -> None:
        sky = Sky()
        async with gateway_node(sky, HERE, rng) as node:
            silent = [sky.connect("10.0.0.12", node.address) for _ in range(5)]
            await asyncio.sleep(0.1)
        assert all(each.other.aborted for each in silent)
        assert sky.ears == {}
        assert node.busy == 0

    run_virtual(main)
