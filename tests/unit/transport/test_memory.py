"""What only the simulated network has: distance, bandwidth, misfortune, and all of it the same each time."""

import asyncio
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transport_rigs import NETWORK, Door, Recorder

from peerage.errors import DialError, LocalError
from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.lab.clock import run_virtual
from peerage.limits import DIAL_TIMEOUT, HANDSHAKE_TIMEOUT, KIB, MIB
from peerage.transport.memory import MemoryNetwork, MemoryTransport

LATENCY = 0.05
GRAIN = 0.001


class Site:
    """Some hosts, each with a peer that listens on port 7."""

    def __init__(self, rng: random.Random, hosts: int = 2, **plan) -> None:
        self.network = MemoryNetwork(rng, lambda _one, _other: LATENCY, grain=GRAIN, **plan)
        self.hosts = [self.network.add_host(f"10.0.0.{number}") for number in range(hosts)]
        self.doors = [Door() for _ in self.hosts]

    def transport(self, number: int) -> MemoryTransport:
        return MemoryTransport(self.hosts[number], NETWORK, PeerKey.from_seed(bytes([number]) * 32))

    async def listen(self) -> None:
        for number, door in enumerate(self.doors):
            await self.transport(number).listen(Address("", 7), door, door.accept)

    async def pair(self, one: int = 0, other: int = 1) -> tuple[Recorder, Recorder]:
        near = await self.transport(one).dial(Address(self.hosts[other].name, 7))
        far = await self.doors[other].comes(len(self.doors[other].links) + 1)
        return Recorder(near), Recorder(far)


async def open_site(rng: random.Random, hosts: int = 2, **plan) -> Site:
    site = Site(rng, hosts, **plan)
    await site.listen()
    return site


def now() -> float:
    return asyncio.get_running_loop().time()


def about(seconds: float):
    return pytest.approx(seconds, abs=3 * GRAIN)


# --- distance and bandwidth -----------------------------------------------------------------------------------------


def test_a_dial_takes_two_round_trips_and_bytes_one_way():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        began = now()
        near = await site.transport(0).dial(Address("10.0.0.1", 7))
        assert now() - began == about(4 * LATENCY)
        far = await site.doors[1].comes()
        assert now() - began == about(5 * LATENCY)
        there = Recorder(far)
        began = now()
        near.write(b"x")
        await there.has(1)
        assert now() - began == about(LATENCY)

    run_virtual(main)


def test_nobody_there_is_known_after_one_round_trip():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        began = now()
        with pytest.raises(DialError, match="nobody listens there"):
            await site.transport(0).dial(Address("10.0.0.1", 8))
        assert now() - began == about(2 * LATENCY)

    run_virtual(main)


@pytest.mark.parametrize(("up", "down"), [(MIB, 0), (0, MIB), (MIB, 4 * MIB), (4 * MIB, MIB)])
def test_the_slower_end_sets_the_pace(up, down):
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        site.hosts[0].set_bandwidth(up=up)
        site.hosts[1].set_bandwidth(down=down)
        _, there = pair = await site.pair()
        began = now()
        pair[0].link.write(bytes(8 * MIB))
        await there.has(8 * MIB)
        assert now() - began == pytest.approx(8 + LATENCY, rel=0.05)

    run_virtual(main)


def test_without_bounds_a_window_goes_each_round_trip():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        here, there = await site.pair()
        began = now()
        here.link.write(bytes(40 * MIB))
        await there.has(40 * MIB)
        assert now() - began == pytest.approx(10 * 2 * LATENCY, rel=0.2)

    run_virtual(main)


def test_links_share_an_uplink_fairly_and_small_talk_is_not_stuck_behind_bulk():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng, 4)
        site.hosts[0].set_bandwidth(up=MIB)
        pairs = [await site.pair(0, number) for number in (1, 2, 3)]
        began = now()
        for here, _ in pairs[:2]:
            here.link.write(bytes(4 * MIB))
        await asyncio.sleep(1)
        pairs[2][0].link.write(b"small")
        await pairs[2][1].has(5)
        assert now() - began == pytest.approx(1 + LATENCY, abs=0.05)
        for _, there in pairs[:2]:
            await there.has(4 * MIB)
            assert now() - began == pytest.approx(8 + LATENCY, rel=0.05)

    run_virtual(main)


def test_links_share_a_downlink():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng, 3)
        site.hosts[0].set_bandwidth(down=MIB)
        pairs = [await site.pair(number, 0) for number in (1, 2)]
        began = now()
        for here, _ in pairs:
            here.link.write(bytes(2 * MIB))
        for _, there in pairs:
            await there.has(2 * MIB)
        assert now() - began == pytest.approx(4, rel=0.05)

    run_virtual(main)


def test_hosts_count_their_bytes():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        here, there = await site.pair()
        here.link.write(bytes(1000))
        await there.has(1000)
        assert [(host.bytes_sent, host.bytes_received) for host in site.hosts] == [(1000, 0), (0, 1000)]

    run_virtual(main)


# --- misfortune -------------------------------------------------------------------------------------------------------


def test_a_partition_holds_bytes_back_and_healing_brings_them_in_order():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        here, there = await site.pair()
        here.link.write(b"under way ")
        site.network.partition([site.hosts[0]])
        here.link.write(b"written meanwhile ")
        await asyncio.sleep(60)
        assert not there.data
        assert not there.lost
        site.network.heal()
        here.link.write(b"and after")
        assert await there.has(36) == b"under way written meanwhile and after"

    run_virtual(main)


def test_a_dial_into_another_partition_times_out_and_one_that_heals_in_time_comes_through():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        site.network.partition([site.hosts[0]])
        began = now()
        with pytest.raises(DialError, match="did not answer in time"):
            await site.transport(0).dial(Address("10.0.0.1", 7))
        assert now() - began == about(DIAL_TIMEOUT + HANDSHAKE_TIMEOUT)
        asyncio.get_running_loop().call_later(3.5, site.network.heal)
        began = now()
        await site.transport(0).dial(Address("10.0.0.1", 7))
        assert now() - began == pytest.approx(4, abs=0.5)

    run_virtual(main)


def test_a_handshake_cut_in_the_middle_is_counted_as_timed_out():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        asyncio.get_running_loop().call_later(3.5 * LATENCY, site.network.partition, [site.hosts[0]])
        with pytest.raises(DialError):
            await site.transport(0).dial(Address("10.0.0.1", 7))
        await site.doors[1].until(lambda: bool(site.doors[1].failures))
        assert site.doors[1].failures == ["timeout"]

    run_virtual(main)


def test_a_killed_process_resets_its_links():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        here, there = await site.pair()
        site.network.kill(site.hosts[1])
        assert isinstance(await there.ended(), ConnectionAbortedError)
        assert isinstance(await here.ended(), ConnectionResetError)
        with pytest.raises(DialError, match="nobody listens there"):
            await site.transport(0).dial(Address("10.0.0.1", 7))
        with pytest.raises(DialError, match="unreachable"):
            await site.transport(1).dial(Address("10.0.0.0", 7))
        with pytest.raises(DialError, match="the host is down"):
            await site.transport(1).listen(Address("", 9), site.doors[1], site.doors[1].accept)

    run_virtual(main)


def test_a_power_cut_leaves_the_others_in_the_dark_until_the_host_is_back():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        here, there = await site.pair()
        site.network.kill(site.hosts[1], silently=True)
        await there.ended()
        here.link.write(b"are you there?")
        await asyncio.sleep(600)
        assert not here.lost
        with pytest.raises(DialError, match="did not answer in time"):
            await site.transport(0).dial(Address("10.0.0.1", 7))
        site.network.revive(site.hosts[1])
        here.link.write(b"and now?")
        assert isinstance(await here.ended(), ConnectionResetError)
        await site.transport(1).listen(Address("", 7), site.doors[1], site.doors[1].accept)
        await site.pair()

    run_virtual(main)


def test_broken_links_are_told_to_both_ends_and_others_stay():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng, 3)
        here, there = await site.pair(0, 1)
        other, _ = await site.pair(0, 2)
        assert site.network.break_links(site.hosts[0], site.hosts[1]) == 1
        for end in (here, there):
            assert isinstance(await end.ended(), ConnectionResetError)
        await asyncio.sleep(10)
        assert not other.lost

    run_virtual(main)


def test_links_can_have_a_mean_life():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng, link_life=100.0)
        ends, born = [], []
        for _ in range(300):
            born.append(now())
            ends.append((await site.pair())[0])
        alive = sum(not end.lost for end in ends)
        assert alive == pytest.approx(sum(math.exp((birth - now()) / 100) for birth in born), rel=0.2)
        await asyncio.sleep(5000)
        assert {type(end.lost[0]) for end in ends} == {ConnectionResetError}

    run_virtual(main, seed=4)


def test_a_host_behind_a_nat_dials_but_cannot_be_dialled():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        site.hosts[1].reachable = False
        with pytest.raises(DialError, match="did not answer in time"):
            await site.transport(0).dial(Address("10.0.0.1", 7))
        here, there = await site.pair(1, 0)
        there.link.write(b"hello")
        await here.has(5)

    run_virtual(main)


def test_a_closed_link_does_not_wait_for_ever_for_a_side_that_never_reads():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        here, there = await site.pair()
        there.link.pause_reading()
        here.link.write(b"last words")
        here.link.close()
        await asyncio.sleep(29)
        assert not here.lost
        assert isinstance(await here.ended(), TimeoutError)
        assert isinstance(await there.ended(), ConnectionResetError)

    run_virtual(main)


# --- odds and ends ----------------------------------------------------------------------------------------------------


def test_a_host_name_is_given_once():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        with pytest.raises(LocalError, match="10.0.0.0"):
            site.network.add_host("10.0.0.0")
        assert site.network.find("10.0.0.0") is site.hosts[0]
        assert site.network.hosts == tuple(site.hosts)

    run_virtual(main)


def test_a_peer_can_dial_itself():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        here, there = await site.pair(0, 0)
        here.link.write(b"me")
        assert await there.has(2) == b"me"
        assert here.link.peer_id == there.link.peer_id

    run_virtual(main)


def test_the_tap_sees_every_delivery():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        seen = []
        site.network.tap = lambda link, data: seen.append((str(link.local), bytes(data)))
        here, there = await site.pair()
        here.link.write(b"one")
        await there.has(3)
        there.link.write(b"two")
        await here.has(3)
        assert seen == [("10.0.0.1:7", b"one"), (str(here.link.local), b"two")]

    run_virtual(main)


step = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 1), st.integers(1, 200_000)),
    st.tuples(st.sampled_from(["pause", "resume"]), st.integers(0, 1), st.just(0)),
    st.tuples(st.just("sleep"), st.just(0), st.integers(0, 300)),
    st.tuples(st.sampled_from(["cut", "heal"]), st.just(0), st.just(0)),
)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(step, max_size=40),
    rates=st.tuples(*[st.sampled_from([0, 50_000, 3_000_000])] * 4),
    room=st.integers(1, 70_000),
)
def test_whatever_happens_every_byte_comes_once_and_in_order(steps, rates, room):
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        site.hosts[0].set_bandwidth(rates[0], rates[1])
        site.hosts[1].set_bandwidth(rates[2], rates[3])
        ends = [Recorder(end.link, room, start=False) for end in await site.pair()]
        for end in ends:
            end.link.start(end)
        written = [b"", b""]
        for what, side, amount in steps:
            link = ends[side].link
            if what == "write":
                data = rng.randbytes(amount)
                link.write(data)
                written[side] += data
            elif what == "sleep":
                await asyncio.sleep(amount / 1000)
            elif what == "cut":
                site.network.partition([site.hosts[0]])
            elif what == "heal":
                site.network.heal()
            else:
                getattr(link, f"{what}_reading")()
        site.network.heal()
        for end in ends:
            end.link.resume_reading()
        for side in (0, 1):
            await asyncio.wait_for(
                ends[side].until(lambda side=side: len(ends[side].data) >= len(written[1 - side])), 900
            )
            same = ends[side].data == written[1 - side]
            assert same
        for end in ends:
            assert end.link.unsent() == 0
            assert end.pauses == end.resumes
        ends[0].link.close()
        assert [await end.ended() for end in ends] == [None, None]

    run_virtual(main, horizon=3000)


def test_the_window_follows_a_slow_host():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        site.hosts[1].set_bandwidth(down=MIB)
        here, _ = await site.pair()
        here.link.write(bytes(8 * MIB))
        assert here.link.unsent() > 7 * MIB
        assert here.pauses == 1
        here.link.abort()

    run_virtual(main)


def test_small_writes_of_one_moment_are_one_read():
    async def main(rng: random.Random) -> None:
        site = await open_site(rng)
        here, there = await site.pair()
        for _ in range(100):
            here.link.write(bytes(100))
        await there.has(10_000)
        assert there.reads == 1
        assert len(there.data) < 64 * KIB

    run_virtual(main)
