"""Which speed limits hold: at once, on the minute, and again after the clock was set."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest
from app_worlds import Api

from peerage.app.api.models import RateLimits
from peerage.app.config import LimitSettings, ScheduleSettings
from peerage.app.node import Node
from peerage.app.throttle import Throttle, slower
from peerage.errors import ConfigError
from peerage.lab.clock import run_virtual

ALWAYS = LimitSettings(down=5000, up=1000, upload_slots=4)
WORK = ScheduleSettings(on=True, down=100, up=50, hours=["mon-fri 08:00-18:00"])
SLOW = LimitSettings(down=100, up=50, upload_slots=4)


class Watch:
    """A wall clock that goes with virtual time, and can be set."""

    def __init__(self) -> None:
        self.time = dt.datetime(2026, 11, 23, 7, 59, 30)  # noqa: DTZ001 -- local time; a Monday
        self._then = asyncio.get_running_loop().time()

    def __call__(self) -> dt.datetime:
        return self.time + dt.timedelta(seconds=asyncio.get_running_loop().time() - self._then)


def virtually(test: Callable[[Watch, list[LimitSettings]], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        async def main(_: random.Random) -> None:
            await test(Watch(), [])

        run_virtual(main)

    run.__name__ = test.__name__
    return run


@virtually
async def test_the_hours_begin_and_end_on_the_minute(watch: Watch, applied: list[LimitSettings]) -> None:
    throttle = Throttle(ALWAYS, WORK, applied.append, watch)
    await throttle.start()
    assert applied == [ALWAYS]
    await asyncio.sleep(29.9)
    assert applied == [ALWAYS]
    await asyncio.sleep(0.2)
    assert applied == [ALWAYS, SLOW]
    view = throttle.view()
    assert (view.down, view.up, view.now_down, view.now_up, view.scheduled) == (5000, 1000, 100, 50, True)
    await asyncio.sleep(10 * 3600)
    assert applied == [ALWAYS, SLOW, ALWAYS]
    assert not throttle.view().scheduled
    await throttle.stop()


@virtually
async def test_changes_are_in_force_at_once(watch: Watch, applied: list[LimitSettings]) -> None:
    throttle = Throttle(ALWAYS, ScheduleSettings(), applied.append, watch)
    await throttle.start()
    assert throttle._timer is None
    throttle.use(schedule=ScheduleSettings(on=True, up=50, hours=["mon 7-8"]))
    assert applied[-1] == LimitSettings(down=5000, up=50, upload_slots=4)
    throttle.use(LimitSettings(down=7, up=20))
    assert applied[-1] == LimitSettings(down=7, up=20)  # slower than the slower ones
    throttle.use(schedule=ScheduleSettings(on=False, up=5, hours=["mon 7-8"]))
    assert applied[-1] == LimitSettings(down=7, up=20)
    assert throttle._timer is None
    with pytest.raises(ConfigError):
        throttle.use(schedule=ScheduleSettings(on=True, hours=["never"]))
    assert throttle.view().until is None
    await throttle.stop()


@virtually
async def test_a_clock_that_is_set_is_noticed_within_a_minute(watch: Watch, applied: list[LimitSettings]) -> None:
    throttle = Throttle(ALWAYS, WORK, applied.append, watch)
    await throttle.start()
    watch.time += dt.timedelta(days=5)  # a Saturday
    await asyncio.sleep(61)
    assert applied == [ALWAYS]
    watch.time += dt.timedelta(days=2, hours=1)
    await asyncio.sleep(61)
    assert applied == [ALWAYS, SLOW]
    await throttle.stop()


@virtually
async def test_whoever_stops_looks_no_more(watch: Watch, applied: list[LimitSettings]) -> None:
    throttle = Throttle(ALWAYS, WORK, applied.append, watch)
    await throttle.start()
    await throttle.stop()
    await asyncio.sleep(3600)
    assert applied == [ALWAYS]


@pytest.mark.parametrize(("always", "then", "now"), [(0, 0, 0), (0, 5, 5), (5, 0, 5), (5, 3, 3), (3, 5, 3)])
def test_slower_is_never_faster(always: int, then: int, now: int) -> None:
    found = slower(LimitSettings(down=always, up=always), ScheduleSettings(down=then, up=then))
    assert (found.down, found.up) == (now, now)


async def test_over_http(api: Api, node: Node) -> None:
    async def change(**values: object) -> int:
        changes = [{"name": f"schedule.{name}", "value": value} for name, value in values.items()]
        return (await api.http.patch("settings", content=msgspec.json.encode({"changes": changes}))).status_code

    async def limits() -> RateLimits:
        return msgspec.json.decode((await api.http.get("limits")).content, type=RateLimits)

    assert await change(on=True, up=2000, hours=["00:00-24:00"]) == 200
    now = await limits()
    assert (now.up, now.now_up, now.scheduled, now.until) == (0, 2000, True, None)
    assert node.exchange.rate.rate == 2000
    assert await change(hours=["soon"]) == 409
    assert (await limits()).scheduled
    answer = await api.http.put("limits", content=b'{"up": 3000}')
    assert msgspec.json.decode(answer.content, type=RateLimits).up == 3000
    assert node.exchange.rate.rate == 2000
    assert await change(on=False) == 200
    assert node.exchange.rate.rate == 3000
    assert node.home.config().schedule == ScheduleSettings(on=False, up=2000, hours=["00:00-24:00"])
