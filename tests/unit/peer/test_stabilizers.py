"""Stabilizers: rounds go on whatever happens in one, with jitter, and end with the peer."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from peer_world import World, virtual

from peerage.errors import LocalError
from peerage.peer.stabilizers import Stabilizer


class Rounds:
    """Notes when each round began."""

    def __init__(self, fails: BaseException | None = None) -> None:
        self.at: list[float] = []
        self.fails = fails

    def work(self) -> None:
        self.at.append(asyncio.get_running_loop().time())
        if self.fails is not None and len(self.at) == 2:
            raise self.fails

    async def async_work(self) -> None:
        await asyncio.sleep(0.25)
        self.work()


@virtual
@pytest.mark.parametrize("kind", ["plain", "coroutine"])
async def test_an_exception_in_a_round_does_not_stop_the_next(world: World, kind: str, caplog) -> None:
    peer, rounds = world.silent_peer("a"), Rounds(ZeroDivisionError("a bad day"))
    peer.start_stabilizer(Stabilizer(rounds.work if kind == "plain" else rounds.async_work, 1.0, jitter=0))
    await asyncio.sleep(5.5)
    assert len(rounds.at) >= 4
    assert "a bad day" in caplog.text
    [(name, reason, count)] = [each for each in peer.metrics if each[0] == "stabilizer_failed"]
    assert (name, count) == ("stabilizer_failed", 1)
    assert "work" in reason


@virtual
async def test_something_cancelled_in_a_round_does_not_stop_the_next(world: World, caplog) -> None:
    peer, rounds = world.silent_peer("a"), Rounds(asyncio.CancelledError())
    peer.start_stabilizer(Stabilizer(rounds.async_work, 1.0, jitter=0))
    await asyncio.sleep(5.5)
    assert len(rounds.at) >= 4
    assert "was cancelled" in caplog.text


@virtual
async def test_rounds_come_with_jitter(world: World) -> None:
    peer, rounds = world.silent_peer("a"), Rounds()
    peer.start_stabilizer(Stabilizer(rounds.work, 10.0, jitter=0.2))
    await asyncio.sleep(1000)
    gaps = [later - earlier for earlier, later in zip(rounds.at, rounds.at[1:], strict=False)]
    assert all(8 - 1e-6 <= gap <= 12 + 1e-6 for gap in gaps)
    assert max(gaps) - min(gaps) > 2
    assert 85 < len(gaps) < 115


@virtual
async def test_two_peers_drift_apart(world: World) -> None:
    both = [Rounds(), Rounds()]
    for number, rounds in enumerate(both):
        world.silent_peer(f"peer{number}").start_stabilizer(Stabilizer(rounds.work, 10.0))
    await asyncio.sleep(500)
    assert not set(both[0].at) & set(both[1].at)


@virtual
async def test_the_first_round_may_come_at_once(world: World) -> None:
    peer, now, later = world.silent_peer("a"), Rounds(), Rounds()
    peer.start_stabilizer(Stabilizer(now.work, 10.0, at_once=True))
    peer.start_stabilizer(Stabilizer(later.work, 10.0))
    await asyncio.sleep(0.1)
    assert (len(now.at), len(later.at)) == (1, 0)


@virtual
async def test_stabilizers_end_with_the_peer(world: World) -> None:
    peer, rounds = world.silent_peer("a"), Rounds()
    ended = asyncio.Event()

    async def long_round() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    peer.start_stabilizer(Stabilizer(rounds.work, 1.0, jitter=0))
    peer.start_stabilizer(Stabilizer(long_round, 1.0))
    await asyncio.sleep(3.5)
    await peer.stop()
    assert ended.is_set()
    await asyncio.sleep(10)
    assert len(rounds.at) == 3


@virtual
async def test_stop_one_and_start_it_again(world: World) -> None:
    peer, rounds = world.silent_peer("a"), Rounds()
    stabilizer = Stabilizer(rounds.work, 1.0, jitter=0)
    peer.start_stabilizer(stabilizer)
    with pytest.raises(LocalError, match="runs already"):
        peer.start_stabilizer(stabilizer)
    await asyncio.sleep(2.5)
    await peer.stop_stabilizer(stabilizer)
    await peer.stop_stabilizer(stabilizer)
    await asyncio.sleep(10)
    assert len(rounds.at) == 2
    peer.start_stabilizer(stabilizer)
    await asyncio.sleep(1.5)
    assert len(rounds.at) == 3


@virtual
async def test_a_round_may_stop_its_own_stabilizer(world: World) -> None:
    peer, rounds = world.silent_peer("a"), Rounds()

    async def once() -> None:
        rounds.work()
        await peer.stop_stabilizer(stabilizer)
        rounds.work()

    stabilizer = Stabilizer(once, 1.0)
    peer.start_stabilizer(stabilizer)
    await asyncio.sleep(10)
    assert len(rounds.at) == 2


@virtual
@pytest.mark.parametrize(("interval", "jitter"), [(0, 0.1), (-1, 0.1), (1, 1.0), (1, -0.1)])
async def test_rounds_without_a_pause_are_an_error(world: World, interval: float, jitter: float) -> None:
    with pytest.raises(LocalError, match="interval above 0"):
        world.silent_peer("a").start_stabilizer(Stabilizer(Rounds().work, interval, jitter))


def test_work_with_arguments_keeps_its_name():
    assert Stabilizer(partial(sorted, [2, 1]), 1.0).name == "sorted"
