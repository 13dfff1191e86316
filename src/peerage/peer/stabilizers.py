"""Stabilizers: periodic upkeep, as in the 2007 framework.

Invariant: a stabilizer ends with its peer; an exception in one round is logged, counted, and the next round still runs.
Rounds of many peers drift apart by a random jitter, so that a network does not beat in step.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec

from peerage.errors import LocalError
from peerage.peer.metrics import Metrics
from peerage.peer.tasks import TaskScope, contained

DEFAULT_JITTER: Final = 0.1


class Stabilizer(msgspec.Struct, frozen=True):
    """What to do, how often (seconds), and how much the interval varies (0.1 = up to 10 % either way)."""

    work: Callable[[], Awaitable[object] | None]
    interval: float
    jitter: float = DEFAULT_JITTER
    at_once: bool = False  # whether the first round comes without waiting

    @property
    def name(self) -> str:
        """What the counters call it."""
        work = self.work.func if isinstance(self.work, partial) else self.work
        return getattr(work, "__qualname__", type(work).__name__)


class StabilizerSet:
    """The stabilizers of one peer."""

    def __init__(self, tasks: TaskScope, metrics: Metrics, rng: random.Random) -> None:
        self._tasks = tasks
        self._metrics = metrics
        self._rng = rng
        self._running: dict[int, asyncio.Task[None]] = {}

    def start(self, stabilizer: Stabilizer) -> None:
        """Begin its rounds; starting the same one twice, or one that would never pause, is a LocalError."""
        if id(stabilizer) in self._running:
            raise LocalError(f"stabilizer {stabilizer.name} runs already")
        if stabilizer.interval <= 0 or not 0 <= stabilizer.jitter < 1:
            raise LocalError(f"stabilizer {stabilizer.name} needs an interval above 0 seconds and a jitter below 1")
        self._running[id(stabilizer)] = self._tasks.start(self._rounds(stabilizer))

    async def stop(self, stabilizer: Stabilizer) -> None:
        """End its rounds, the one under way too, unless that is what calls."""
        task = self._running.pop(id(stabilizer), None)
        if task is None or task is asyncio.current_task():
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _rounds(self, stabilizer: Stabilizer) -> None:
        pause_first = not stabilizer.at_once
        while self._running.get(id(stabilizer)) is asyncio.current_task():
            if pause_first:
                await self._pause(stabilizer)
            with contained(self._metrics, "stabilizer_failed", stabilizer.name):
                await _one_round(stabilizer)
            pause_first = True

    async def _pause(self, stabilizer: Stabilizer) -> None:
        spread = self._rng.uniform(-stabilizer.jitter, stabilizer.jitter)
        await asyncio.sleep(stabilizer.interval * (1 + spread))


async def _one_round(stabilizer: Stabilizer) -> None:
    try:
        outcome = stabilizer.work()
        if outcome is not None:
            await outcome
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise LocalError("something that the round waited for was cancelled") from error
