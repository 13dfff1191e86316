import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerage.lab.clock import START, run_virtual
from peerage.transport.agenda import Agenda, Conveyor


def now() -> float:
    return asyncio.get_running_loop().time() - START


def test_events_come_in_time_and_those_of_one_step_in_the_order_they_were_put_in():
    async def main(rng: random.Random) -> None:
        agenda, seen = Agenda(0.01), []
        for number in range(200):
            when = rng.randrange(10) / 100
            agenda.at(START + 1 + when, lambda number=number, when=when: seen.append((when, number, now())))
        await asyncio.sleep(2)
        assert [each[:2] for each in seen] == sorted(each[:2] for each in seen)
        assert all(at == pytest.approx(1 + when, abs=1e-6) for when, _, at in seen)

    run_virtual(main)


def test_times_are_rounded_up_to_the_grid():
    async def main(_rng: random.Random) -> None:
        agenda, seen = Agenda(0.1), []
        for when in (0.01, 0.1, 0.11, 0.2):
            agenda.at(START + when, lambda: seen.append(round(now(), 6)))
        await asyncio.sleep(1)
        assert seen == [0.1, 0.1, 0.2, 0.2]

    run_virtual(main)


def test_an_event_never_runs_in_the_step_that_put_it_in():
    async def main(_rng: random.Random) -> None:
        agenda, seen = Agenda(0.1), []

        def again() -> None:
            seen.append(round(now(), 6))
            if len(seen) < 4:
                agenda.after(0, again)

        agenda.after(0, again)
        await asyncio.sleep(1)
        assert seen == [0.0, 0.1, 0.2, 0.3]

    run_virtual(main)


def test_an_earlier_event_moves_the_alarm():
    async def main(_rng: random.Random) -> None:
        agenda, seen = Agenda(0.1), []
        agenda.after(5, lambda: seen.append("late"))
        agenda.after(1, lambda: seen.append("early"))
        await asyncio.sleep(2)
        assert seen == ["early"]
        await asyncio.sleep(4)
        assert seen == ["early", "late"]

    run_virtual(main)


def test_a_failing_event_does_not_take_the_others_with_it():
    async def main(_rng: random.Random) -> None:
        agenda, seen = Agenda(0.1), []
        agenda.after(1, lambda: seen.append(1))
        agenda.after(1, lambda: 1 // 0)
        agenda.after(1, lambda: seen.append(2))
        agenda.after(2, lambda: seen.append(3))
        await asyncio.sleep(3)
        assert seen == [1, 2, 3]

    with pytest.raises(ZeroDivisionError):
        run_virtual(main)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 3), max_size=30))
def test_what_is_on_a_conveyor_keeps_its_order(delays):
    async def main(_rng: random.Random) -> None:
        agenda, out = Agenda(0.01), []
        conveyor = Conveyor(agenda, lambda items: out.extend((item, now()) for item in items))
        for number, delay in enumerate(delays):
            conveyor.put(START + delay, number)
        await asyncio.sleep(5)
        assert [number for number, _ in out] == list(range(len(delays)))
        for number, at in out:
            assert at == pytest.approx(max(delays[: number + 1]), abs=0.0201)

    run_virtual(main)
