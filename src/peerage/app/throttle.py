"""The speed limits of a node: those of always, the slower ones of the schedule, and which of them hold now.

Invariant: at any moment the limits of always hold, or, in the hours of the schedule, the stricter of these and the
slower ones; a change of either is in force at once. Without a schedule there is no timer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from peerage.app.api.models import RateLimits
from peerage.app.config import LimitSettings, ScheduleSettings
from peerage.app.schedule import DAY, Hours
from peerage.peer.service import Service

_LOOK_SECONDS: Final = 60.0  # between two looks at the most: the clock may be set, and summer time may begin

Apply = Callable[[LimitSettings], None]
"""Puts limits in force."""


class Throttle(Service):
    """Holds the limits and puts the right ones in force with `apply`; `clock` gives the local time."""

    name = "throttle"

    def __init__(
        self,
        limits: LimitSettings,
        schedule: ScheduleSettings,
        apply: Apply,
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._limits = limits
        self._schedule = schedule
        self._hours = Hours(schedule.hours)
        self._apply = apply
        self._clock = clock
        self._now: LimitSettings | None = None
        self._scheduled = False
        self._until: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Put in force what holds."""
        self._look()

    async def stop(self) -> None:
        """Look at the clock no more; what is in force stays so."""
        if self._timer is not None:
            self._timer.cancel()

    @property
    def settings(self) -> LimitSettings:
        """The limits of always."""
        return self._limits

    def use(self, limits: LimitSettings | None = None, schedule: ScheduleSettings | None = None) -> None:
        """Use other limits or another schedule from now on; raises ConfigError when its hours are none."""
        if schedule is not None:
            self._hours = Hours(schedule.hours)
            self._schedule = schedule
        self._limits = limits or self._limits
        self._look()

    def view(self) -> RateLimits:
        """Show the limits."""
        now = self._now or self._limits
        return RateLimits(
            down=self._limits.down,
            up=self._limits.up,
            upload_slots=self._limits.upload_slots,
            downloads_at_once=self._limits.downloads_at_once,
            now_down=now.down,
            now_up=now.up,
            scheduled=self._scheduled,
            until=self._until,
        )

    # --- inside -------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Put in force what holds now, and look again when that changes."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._scheduled, self._until = False, None
        if self._schedule.on:
            left = self._ask_schedule()
            if left is not None:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(min(left, _LOOK_SECONDS), self._look)
        wanted = slower(self._limits, self._schedule) if self._scheduled else self._limits
        if wanted != self._now:
            self._now = wanted
            self._apply(wanted)

    def _ask_schedule(self) -> float | None:
        """Learn what the hours say now; returns the seconds until they say something else, None for never."""
        now = self._clock()
        minute = now.weekday() * DAY + now.hour * 60 + now.minute + (now.second + now.microsecond / 1e6) / 60
        self._scheduled, left = self._hours.at(minute)
        if left is None:
            return None
        self._until = time.time() + 60 * left
        return 60 * left


def slower(limits: LimitSettings, schedule: ScheduleSettings) -> LimitSettings:
    """Return the limits of the schedule's hours: 0 there changes nothing, and none is faster than always."""
    return LimitSettings(
        down=_stricter(limits.down, schedule.down),
        up=_stricter(limits.up, schedule.up),
        upload_slots=limits.upload_slots,
        downloads_at_once=limits.downloads_at_once,
    )


def _stricter(one: int, other: int) -> int:
    return min(one, other) if one and other else one or other
