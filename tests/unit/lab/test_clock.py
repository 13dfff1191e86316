import asyncio
import random
import socket

import pytest

from peerage.errors import LocalError
from peerage.lab.clock import EPOCH, START, HorizonError, InlineExecutor, StandstillError, VirtualClock, run_virtual
from peerage.limits import MIB


def test_a_year_of_sleep_costs_no_time_and_ends_on_the_dot():
    async def main(_rng: random.Random) -> float:
        await asyncio.sleep(31_536_000)
        return asyncio.get_running_loop().time() - START

    assert run_virtual(main, horizon=1e9) == 31_536_000


def test_timers_fire_in_order_and_at_their_time():
    async def main(rng: random.Random) -> list[float]:
        loop, seen = asyncio.get_running_loop(), []
        for delay in rng.sample(range(1000), 200):
            loop.call_later(delay / 7, lambda due=delay / 7: seen.append((due, loop.time() - START)))
        await asyncio.sleep(1000)
        return seen

    seen = run_virtual(main, 3)
    assert seen == sorted(seen)
    assert all(actual == pytest.approx(due, abs=1e-6) for due, actual in seen)


def test_the_same_seed_gives_the_same_random_numbers():
    async def main(rng: random.Random) -> list[float]:
        return [rng.random() for _ in range(5)]

    assert run_virtual(main, 7) == run_virtual(main, 7) != run_virtual(main, 8)


def test_waiting_for_what_cannot_come_is_an_error_that_says_who_waits():
    async def main(_rng: random.Random) -> None:
        async def forgotten() -> None:
            await asyncio.Event().wait()

        await asyncio.create_task(forgotten(), name="the-forgotten-one")

    with pytest.raises(StandstillError, match=r"the-forgotten-one at .*forgotten, line \d+"):
        run_virtual(main)


def test_a_run_without_end_ends_at_its_horizon():
    async def main(_rng: random.Random) -> None:
        while True:
            await asyncio.sleep(1)

    with pytest.raises(HorizonError) as caught:
        run_virtual(main, seed=99, horizon=60)
    assert "in a virtual run with seed 99" in caught.value.__notes__


def test_tasks_can_still_clean_up_after_the_horizon():
    done = []

    async def main(_rng: random.Random) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(5)
            done.append(True)

    with pytest.raises(HorizonError):
        run_virtual(main, horizon=60)
    assert done


def test_an_exception_in_a_callback_is_not_lost():
    async def main(_rng: random.Random) -> None:
        asyncio.get_running_loop().call_later(1, lambda: 1 // 0)
        await asyncio.sleep(2)

    with pytest.raises(ZeroDivisionError):
        run_virtual(main)


def test_work_for_threads_runs_inline_and_its_errors_reach_the_caller():
    async def main(_rng: random.Random) -> tuple[int, int]:
        loop = asyncio.get_running_loop()
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, lambda: 1 // 0)
        return await loop.run_in_executor(InlineExecutor(), max, 3, 4), await asyncio.to_thread(max, 5, 6)

    assert run_virtual(main) == (4, 6)


def test_the_inline_executor_answers_at_once():
    executor = InlineExecutor()
    assert executor.submit(max, 1, 2).result(timeout=0) == 2
    assert list(executor.map(abs, [-1, -2])) == [1, 2]
    with pytest.raises(ZeroDivisionError):
        executor.submit(lambda: 1 // 0).result(timeout=0)


def test_the_time_of_day_moves_with_the_loop_and_can_jump():
    async def main(_rng: random.Random) -> list[float]:
        clock = VirtualClock(asyncio.get_running_loop())
        seen = [clock.time()]
        await asyncio.sleep(10)
        seen.append(clock.time())
        clock.jump(-3600)
        seen.append(clock.time())
        return [each - EPOCH for each in seen]

    assert run_virtual(main) == pytest.approx([0, 10, -3590])


def test_a_deadline_passes_in_virtual_time():
    async def main(_rng: random.Random) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(86_000):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time() - START

    assert run_virtual(main) == pytest.approx(86_000)


def test_sockets_are_refused():
    async def main(_rng: random.Random) -> None:
        with socket.socket() as real:
            real.setblocking(False)
            asyncio.get_running_loop().add_reader(real, lambda: None)

    with pytest.raises(LocalError, match="no sockets"):
        run_virtual(main)


def test_many_wake_ups_from_outside_are_harmless():
    async def main(_rng: random.Random) -> int:
        loop, seen = asyncio.get_running_loop(), []
        for _ in range(MIB // 64):
            loop.call_soon_threadsafe(seen.append, 1)
        await asyncio.sleep(0)
        return len(seen)

    assert run_virtual(main) == MIB // 64
