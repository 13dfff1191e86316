"""Speed limits of links: what passes in a given time is what the pace allows, whoever shares it, whenever it changes."""

from __future__ import annotations

import asyncio

import pytest
from peer_world import Fetch, Heard, Say, Target, World, virtual

from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Bulk
from peerage.peer.limiter import TokenBucket

RATE = 100_000
BURST = 50_000
PIECE = 256 * 1024


class SharedPace:
    def __init__(self, rate: int) -> None:
        self.bucket = TokenBucket(rate, BURST, asyncio.get_running_loop().time())
        self.passed = 0

    @property
    def rate(self) -> int:
        return int(self.bucket.rate)

    def spend(self, count: int, now: float) -> float:
        self.passed += count
        return self.bucket.spend(count, now) if self.bucket.rate else 0.0

    def change(self, rate: int) -> None:
        self.bucket.change(rate, BURST, asyncio.get_running_loop().time())


async def links(world: World, count: int) -> list[tuple[PeerConnection, PeerConnection]]:
    """Return pairs of the serving and the asking end."""
    server = await world.peer("server")
    server.add_handler(Fetch, lambda _connection, message: Bulk(bytes([7]) * message.length))
    server.add_handler(Say, lambda _connection, message: Heard(message.text))
    pairs = []
    for number in range(count):
        client = world.silent_peer(f"client{number}")
        asking = await client.connect(server.addresses[0])
        await asyncio.sleep(1)
        [serving] = [each for each in server.connections() if each.peer_id == client.peer_id]
        pairs.append((serving, asking))
    return pairs


@virtual
@pytest.mark.parametrize("side", ["writing", "reading"])
@pytest.mark.parametrize("count", [1, 4])
async def test_what_passes_is_what_the_pace_allows(world, side, count):
    pairs = await links(world, count)
    pace = SharedPace(RATE)
    for serving, asking in pairs:
        serving.pace(writing=pace) if side == "writing" else asking.pace(reading=pace)
    began = asyncio.get_running_loop().time()
    targets = [Target(PIECE) for _ in range(8)]
    asked = [pairs[number % count][1].post_bulk(Fetch(PIECE), target, 600.0) for number, target in enumerate(targets)]
    for seconds in (5, 10, 15):
        await asyncio.sleep(began + seconds - asyncio.get_running_loop().time())
        came = sum(target.came for target in targets)
        allowed = RATE * seconds + BURST
        overshoot = count * (64 * 1024 if side == "writing" else PIECE)  # one portion, or one read, for each link
        assert allowed - overshoot - RATE * 0.2 <= came <= allowed + overshoot
    pieces = await asyncio.gather(*asked)
    assert all(piece == bytes([7]) * PIECE for piece in pieces)
    took = asyncio.get_running_loop().time() - began
    assert 8 * PIECE / RATE - 4 < took < 8 * PIECE / RATE + 1


@virtual
async def test_links_that_share_a_pace_get_about_the_same(world):
    pairs = await links(world, 3)
    pace = SharedPace(RATE)
    targets = [Target(8 * PIECE) for _ in pairs]
    fetched = []
    for (serving, asking), target in zip(pairs, targets, strict=True):
        serving.pace(writing=pace)
        fetched.append(asking.post_bulk(Fetch(8 * PIECE), target, 600.0))
    await asyncio.sleep(30)
    shares = [target.came / sum(each.came for each in targets) for target in targets]
    assert min(shares) > 0.9 / 3
    for _, asking in pairs:
        asking.close()
    await asyncio.gather(*fetched, return_exceptions=True)


@virtual
@pytest.mark.parametrize("side", ["writing", "reading"])
async def test_a_change_of_the_pace_is_felt_at_once(world, side):
    [(serving, asking)] = await links(world, 1)
    pace = SharedPace(1000)
    serving.pace(writing=pace) if side == "writing" else asking.pace(reading=pace)
    target = Target(4 * PIECE)
    asked = asking.post_bulk(Fetch(4 * PIECE), target, 6000.0)
    await asyncio.sleep(60)
    assert not asked.done()
    pace.change(0)
    async with asyncio.timeout(1.5):
        assert await asked == bytes([7]) * 4 * PIECE


@virtual
async def test_messages_keep_their_order_behind_slow_bytes(world):
    [(serving, asking)] = await links(world, 1)
    serving.pace(writing=SharedPace(RATE))
    fetched = asking.post_bulk(Fetch(PIECE), Target(PIECE), 60.0)
    reply = await asking.request(Say("behind"), 60.0)
    assert reply.text == "behind"
    assert fetched.done()


@virtual
async def test_without_a_limit_bytes_pass_at_once_and_are_counted(world):
    [(serving, asking)] = await links(world, 1)
    pace = SharedPace(0)
    serving.pace(writing=pace)
    began = asyncio.get_running_loop().time()
    await asking.post_bulk(Fetch(PIECE), Target(PIECE), 60.0)
    assert asyncio.get_running_loop().time() - began < 0.2
    assert PIECE <= pace.passed < PIECE + 100


@virtual
async def test_a_link_that_is_closed_still_sends_what_waits(world):
    [(serving, asking)] = await links(world, 1)
    serving.pace(writing=SharedPace(RATE))
    fetched = asking.post_bulk(Fetch(PIECE), Target(PIECE), 60.0)
    await asyncio.sleep(0.5)
    serving.close()
    assert await fetched == bytes([7]) * PIECE


@virtual
async def test_a_link_that_breaks_leaves_no_timer(world):
    [(serving, asking)] = await links(world, 1)
    serving.pace(writing=SharedPace(10))
    asking.pace(reading=SharedPace(10))
    fetched = asking.post_bulk(Fetch(PIECE), Target(PIECE), 60.0)
    await asyncio.sleep(1)
    world.network.break_links(world.network.find("server"), world.network.find("client0"))
    with pytest.raises(Exception, match="lost"):
        await fetched
    assert not asking.is_braked
