"""A scope for tasks: bounded, and none outlives it.

Invariant: after `close` no task of the scope runs. An exception in a task is logged and counted; it never takes the
node down. Here and in `dispatch` everything is caught, nowhere else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from functools import partial
from typing import Any

from peerage.errors import LimitError
from peerage.peer.metrics import Metrics

log = logging.getLogger("peerage.peer")


class contained:  # noqa: N801 -- used as the context manager that it is
    """Log and count whatever fails inside, under a counter and a fixed name; what follows still runs."""

    __slots__ = ("_counter", "_metrics", "_name")

    def __init__(self, metrics: Metrics, counter: str, name: str) -> None:
        self._metrics = metrics
        self._counter = counter
        self._name = name

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> bool:
        """Keep an Exception from going on: whatever fails inside must not take the node down."""
        if kind is None or not isinstance(error, Exception):
            return False
        self._metrics.count(self._counter, self._name)
        log.error("%s: %s", self._counter.replace("_", " "), self._name, exc_info=error)
        return True


class TaskScope:
    """Tasks that live no longer than their owner."""

    def __init__(self, metrics: Metrics, maximum: int, name: str) -> None:
        self._metrics = metrics
        self._maximum = maximum
        self._name = name
        self._tasks: dict[asyncio.Task[None], None] = {}  # in order, so that a simulation ends the same way each time
        self._closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def full(self) -> bool:
        """Whether no further task may start."""
        return self._closed or len(self._tasks) >= self._maximum

    def start(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[None]:
        """Run `work` as a task; raises LimitError when too many run already."""
        if self.full:
            work.close()
            raise LimitError("tasks", "ours", f"no room for another task of {self._name}")
        task = asyncio.get_running_loop().create_task(self._guard(work))
        self._tasks[task] = None
        task.add_done_callback(partial(self._ended, work))
        return task

    async def close(self) -> None:
        """Cancel what runs and wait until it is gone; the task that calls is left alone."""
        self._closed = True
        rest = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _guard(self, work: Coroutine[Any, Any, object]) -> None:
        with contained(self._metrics, "task_failed", self._name):
            await work

    def _ended(self, work: Coroutine[Any, Any, object], task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        work.close()  # in case the task was cancelled before its first step
