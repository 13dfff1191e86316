"""One suite, every transport: what a peer may rely on whatever its links are made of."""

import asyncio
from array import array

import msgspec
import pytest
from transport_rigs import NETWORK, OTHER_NETWORK, RIGS, Door, Recorder, Rig

from peerage.errors import DialError, WrongNetworkError
from peerage.identity.address import Address
from peerage.identity.keys import PeerKey, peer_id_of
from peerage.limits import DEFAULT, MIB


@pytest.fixture(params=RIGS, ids=str)
def rig(request) -> Rig:
    return RIGS[request.param]()


def pattern(size: int, salt: int = 0) -> bytes:
    """Bytes in which any loss, doubling or swap shows."""
    return array("I", range(salt, salt + size // 4 + 1)).tobytes()[:size]


def check(actual: bytes | bytearray, expected: bytes) -> None:
    """Compare without pytest's explanation, which takes minutes for megabytes."""
    same = actual == expected
    assert same, f"{len(actual)} bytes came, {len(expected)} were expected"


# --- bytes --------------------------------------------------------------------------------------------------------


def test_bytes_come_in_the_order_in_which_they_were_written(rig):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            Recorder(near)
            there = Recorder(far)
            written = b""
            for size in (1, 2, 3, 1000, 5, 70_000, 1, 16_384, 16_385, 7):
                piece = pattern(size, len(written))
                near.write(piece)
                written += piece
            check(await there.has(len(written)), written)

    rig.run(scenario)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_kind_of_buffer_can_be_written(rig, kind):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            there = Recorder(far)
            near.write(kind(b"hello"))
            near.write(kind(b""))
            assert await there.has(5) == b"hello"

    rig.run(scenario)


def test_a_buffer_may_be_used_again_once_it_was_written(rig):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            Recorder(near)
            there = Recorder(far)
            buffer = bytearray(300_000)
            for fill in (1, 2, 3):
                buffer[:] = bytes([fill]) * len(buffer)
                near.write(memoryview(buffer))
            buffer[:] = bytes(len(buffer))
            check(await there.has(900_000), b"".join(bytes([fill]) * 300_000 for fill in (1, 2, 3)))

    rig.run(scenario)


def test_one_large_write_arrives_whole(rig):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            Recorder(near)
            there = Recorder(far)
            piece = pattern(16 * MIB)
            near.write(piece)
            check(await there.has(len(piece)), piece)
            assert near.unsent() == 0

    rig.run(scenario)


def test_both_directions_at_once(rig):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            here, there = Recorder(near), Recorder(far)
            for index in range(50):
                near.write(pattern(100_000, index))
                far.write(pattern(100_000, 1000 + index))
            check(await there.has(5_000_000), b"".join(pattern(100_000, index) for index in range(50)))
            check(await here.has(5_000_000), b"".join(pattern(100_000, 1000 + index) for index in range(50)))

    rig.run(scenario)


def test_small_buffers_only_mean_more_reads(rig):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            there = Recorder(far, room=7)
            near.write(pattern(10_000))
            check(await there.has(10_000), pattern(10_000))
            assert there.reads >= 10_000 / 7

    rig.run(scenario)


def test_what_comes_before_start_is_kept(rig):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            near.write(pattern(300_000))
            await rig.fence()
            there = Recorder(far)
            check(await there.has(300_000), pattern(300_000))

    rig.run(scenario)


def test_the_side_that_was_dialled_may_speak_first(rig):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            far.write(b"welcome")
            await rig.fence()
            assert await Recorder(near).has(7) == b"welcome"

    rig.run(scenario)


def test_a_receiver_may_answer_from_within(rig):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            here, there = Recorder(near), Recorder(far)
            there.on_data = lambda: far.write(bytes(there.data[len(here.data) :][:1]) or b"?")
            near.write(b"a")
            assert await here.has(1) == b"a"

    rig.run(scenario)


# --- backpressure ---------------------------------------------------------------------------------------------------


def test_a_receiver_that_does_not_read_makes_the_writer_pause_and_nothing_is_lost(rig):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            here, there = Recorder(near), Recorder(far)
            far.pause_reading()
            written = 0
            while not here.pauses:
                near.write(pattern(65_536, written))
                written += 65_536
                assert written < 64 * MIB
                await asyncio.sleep(0)
            assert near.unsent() > MIB / 2
            await rig.fence()
            before = len(there.data)
            assert (here.pauses, here.resumes) == (1, 0)
            await rig.fence()
            assert len(there.data) == before
            far.resume_reading()
            received = await there.has(written)
            check(received, b"".join(pattern(65_536, start) for start in range(0, written, 65_536)))
            await here.until(lambda: here.resumes == 1)
            assert near.unsent() == 0

    rig.run(scenario)


def test_pausing_from_within_a_read_stops_the_next_one(rig):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            Recorder(near)
            there = Recorder(far, room=1000)
            there.on_data = far.pause_reading
            near.write(pattern(100_000))
            await there.until(lambda: there.reads >= 1)
            await rig.fence()
            assert there.reads == 1
            there.on_data = lambda: None
            far.resume_reading()
            check(await there.has(100_000), pattern(100_000))

    rig.run(scenario)


def test_pausing_and_resuming_twice_is_harmless(rig):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            there = Recorder(far)
            far.pause_reading()
            far.pause_reading()
            near.write(b"hello")
            far.resume_reading()
            far.resume_reading()
            assert await there.has(5) == b"hello"

    rig.run(scenario)


# --- the end ----------------------------------------------------------------------------------------------------------


def test_close_sends_what_waits_first(rig):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            here, there = Recorder(near), Recorder(far)
            near.write(pattern(5 * MIB))
            near.close()
            check(await there.has(5 * MIB), pattern(5 * MIB))
            assert await there.ended() is None
            assert await here.ended() is None

    rig.run(scenario)


def test_close_sends_what_waits_even_to_a_side_that_is_sending_too(rig):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            here, there = Recorder(near), Recorder(far)
            for _ in range(100):
                far.write(pattern(65_536))
                near.write(pattern(65_536))
            near.close()
            await there.has(100 * 65_536)
            check(there.data, pattern(65_536) * 100)
            await there.ended()
            await here.ended()
            check(here.data, (pattern(65_536) * 100)[: len(here.data)])

    rig.run(scenario)


def test_nothing_can_be_written_after_close(rig):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            here, there = Recorder(near), Recorder(far)
            near.write(b"last words")
            near.close()
            near.write(b"and one more thing")
            await there.ended()
            await here.ended()
            near.write(b"hello?")
            assert there.data == b"last words"
            assert near.unsent() == 0

    rig.run(scenario)


def test_abort_ends_both_sides(rig):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            here, there = Recorder(near), Recorder(far)
            far.pause_reading()
            near.write(pattern(32 * MIB))
            near.abort()
            assert not here.lost, "not from within the call"
            assert await here.ended() is None
            far.resume_reading()
            await there.ended()
            assert len(there.data) < 32 * MIB
            check(there.data, pattern(32 * MIB)[: len(there.data)])

    rig.run(scenario)


@pytest.mark.parametrize("ways", ["close close", "abort abort", "close abort", "abort close", "close far-close"])
def test_the_end_is_told_exactly_once(rig, ways):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            here, there = Recorder(near), Recorder(far)
            for way in ways.split():
                if way == "far-close":
                    far.close()
                else:
                    getattr(near, way)()
            await here.ended()
            await there.ended()
            for link in (near, far):
                link.close()
                link.abort()
                link.pause_reading()
                link.resume_reading()
            await rig.fence()
            assert len(here.lost) == len(there.lost) == 1

    rig.run(scenario)


def test_a_link_that_ended_before_start_says_so_at_start(rig):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            near.write(b"bye")
            near.close()
            await rig.fence()
            there = Recorder(far)
            await there.ended()
            assert there.data == b"bye"
            late = Recorder(near)
            await late.ended()
            assert len(late.lost) == 1

    rig.run(scenario)


def test_ending_from_within_a_read_is_the_last_read(rig):
    async def scenario(rig: Rig) -> None:
        async with rig.pair() as (near, far):
            Recorder(near)
            there = Recorder(far, room=100)
            there.on_data = far.abort
            near.write(pattern(10_000))
            await there.ended()
            assert there.reads == 1

    rig.run(scenario)


def test_a_closed_listener_leaves_its_links_alone_and_takes_no_more(rig):
    async def scenario(rig: Rig) -> None:
        door = Door()
        listener = await rig.listen(door)
        here = Recorder(await rig.transport().dial(listener.addresses[0]))
        there = Recorder(await door.comes())
        await listener.close()
        with pytest.raises(DialError):
            await rig.transport().dial(listener.addresses[0])
        here.link.write(b"still here")
        assert await there.has(10) == b"still here"
        here.link.close()
        await there.ended()
        await here.ended()

    rig.run(scenario)


# --- who and where ----------------------------------------------------------------------------------------------------


def test_both_sides_know_who_the_other_is(rig):
    async def scenario(rig: Rig) -> None:
        one, other, door = PeerKey.generate(), PeerKey.generate(), Door()
        listener = await rig.listen(door, rig.transport(key=other))
        near = await rig.transport(key=one).dial(listener.addresses[0])
        far = await door.comes()
        assert (near.peer_id, near.public_key) == (other.peer_id, other.public_key)
        assert (far.peer_id, far.public_key) == (one.peer_id, one.public_key)
        assert peer_id_of(near.public_key) == near.peer_id
        assert (near.outgoing, far.outgoing) == (True, False)
        assert near.remote == far.local == listener.addresses[0]
        assert near.local == far.remote
        assert door.asked == [far.remote.host]
        near.abort()
        far.abort()
        await listener.close()

    rig.run(scenario)


def test_many_links_do_not_mix(rig):
    async def scenario(rig: Rig) -> None:
        door, transport = Door(), rig.transport()
        listener = await rig.listen(door)
        here = [Recorder(await transport.dial(listener.addresses[0])) for _ in range(40)]
        await door.comes(40)
        there = {link.remote: Recorder(link) for link in door.links}
        for index, each in enumerate(here):
            each.link.write(pattern(20_000, index))
        for index, each in enumerate(here):
            assert await there[each.link.local].has(20_000) == pattern(20_000, index)
            each.link.close()
            await each.ended()
            await there[each.link.local].ended()
        await listener.close()

    rig.run(scenario)


# --- refusals -----------------------------------------------------------------------------------------------------------


def test_nobody_listens(rig):
    async def scenario(rig: Rig) -> None:
        with pytest.raises(DialError, match="nobody listens there"):
            await rig.transport().dial(rig.unreached)

    rig.run(scenario)


def test_no_such_host(rig):
    async def scenario(rig: Rig) -> None:
        with pytest.raises(DialError, match="no such host"):
            await rig.transport().dial(Address("nowhere.invalid", 7))

    rig.run(scenario)


def test_a_port_is_listened_on_once(rig):
    async def scenario(rig: Rig) -> None:
        door, transport = Door(), rig.transport()
        listener = await rig.listen(door, transport)
        with pytest.raises(DialError, match="cannot listen at"):
            await transport.listen(listener.addresses[0], door, door.accept)
        await listener.close()
        await (await transport.listen(listener.addresses[0], door, door.accept)).close()

    rig.run(scenario)


def test_another_network_is_refused_with_a_clear_word_on_both_sides(rig):
    async def scenario(rig: Rig) -> None:
        door = Door()
        listener = await rig.listen(door)
        with pytest.raises(WrongNetworkError, match="belongs to another network than 'somewhere else'.*same --network"):
            await rig.transport(OTHER_NETWORK).dial(listener.addresses[0])
        await door.until(lambda: bool(door.failures))
        await rig.fence()
        assert door.failures == ["wrong-network"]
        assert not door.links
        await listener.close()

    rig.run(scenario)


def test_the_gate_is_asked_before_the_handshake(rig):
    async def scenario(rig: Rig) -> None:
        door = Door()
        door.open = False
        listener = await rig.listen(door)
        with pytest.raises(DialError, match="cannot connect to"):
            await rig.transport().dial(listener.addresses[0])
        assert len(door.asked) == 1
        assert not door.failures
        assert not door.links
        door.open = True
        near = await rig.transport().dial(listener.addresses[0])
        (await door.comes()).abort()
        near.abort()
        await listener.close()

    rig.run(scenario)


def test_garbage_instead_of_a_handshake_is_counted_and_dropped(rig):
    async def scenario(rig: Rig) -> None:
        door = Door()
        listener = await rig.listen(door)
        stranger = await rig.stranger(listener.addresses[0])
        stranger.send(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
        await stranger.wait_closed()
        await door.until(lambda: bool(door.failures))
        assert door.failures == ["broken"]
        assert not door.links
        await listener.close()

    rig.run(scenario)


def test_a_stranger_who_goes_away_is_counted(rig):
    async def scenario(rig: Rig) -> None:
        door = Door()
        listener = await rig.listen(door)
        stranger = await rig.stranger(listener.addresses[0])
        await door.until(lambda: bool(door.asked))
        stranger.close()
        await door.until(lambda: bool(door.failures))
        assert door.failures == ["broken"]
        await listener.close()

    rig.run(scenario)


def test_a_silent_stranger_is_dropped_after_the_handshake_timeout(rig):
    async def scenario(rig: Rig) -> None:
        door = Door()
        limits = msgspec.structs.replace(DEFAULT, handshake_timeout=0.3)
        listener = await rig.listen(door, rig.transport(limits=limits))
        stranger = await rig.stranger(listener.addresses[0])
        await stranger.wait_closed()
        await door.until(lambda: bool(door.failures))
        assert door.failures == ["timeout"]
        await listener.close()

    rig.run(scenario)


def test_when_strangers_crowd_in_the_oldest_gives_way_and_honest_peers_get_through(rig):
    async def scenario(rig: Rig) -> None:
        door = Door()
        limits = msgspec.structs.replace(DEFAULT, pending_handshakes=3)
        listener = await rig.listen(door, rig.transport(limits=limits))
        strangers = []
        for count in range(1, 6):
            strangers.append(await rig.stranger(listener.addresses[0]))
            await door.until(lambda count=count: len(door.asked) == count)
        for oldest in strangers[:2]:
            await oldest.wait_closed()
        assert door.failures == ["crowded-out"] * 2
        near = await rig.transport().dial(listener.addresses[0])
        far = await door.comes()
        assert door.failures == ["crowded-out"] * 3
        for stranger in strangers:
            stranger.close()
        near.abort()
        far.abort()
        await listener.close()

    rig.run(scenario)


def test_closing_the_listener_drops_strangers(rig):
    async def scenario(rig: Rig) -> None:
        door = Door()
        listener = await rig.listen(door)
        stranger = await rig.stranger(listener.addresses[0])
        await door.until(lambda: bool(door.asked))
        await listener.close()
        await stranger.wait_closed()
        assert not door.links

    rig.run(scenario)


@pytest.mark.parametrize("turns", range(1, 12, 2))
def test_a_dial_that_is_given_up_leaves_no_link_behind(rig, turns):
    async def scenario(rig: Rig) -> None:
        door = Door()
        listener = await rig.listen(door)
        dial = asyncio.create_task(rig.transport(NETWORK).dial(listener.addresses[0]))
        for _ in range(turns):
            await asyncio.sleep(0.01 if rig.host == "" else 0)
        dial.cancel()
        await asyncio.wait([dial])
        if not dial.cancelled():
            dial.result().abort()
        await rig.fence()
        for link in door.links:
            await Recorder(link).ended()
        await listener.close()

    rig.run(scenario)
