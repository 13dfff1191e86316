"""A scope for tasks: bounded, and none outlives it.

Invariant: after `close` no task of the scope runs. An exception in a task is logged and counted; it never takes the
node down. This is one of the two places that catch everything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from peerage.errors import LimitError
from peerage.peer.metrics import Metrics

log = logging.getLogger("peerage.peer")


class TaskScope:
    """Tasks that live no longer than their owner."""

    def __init__(self, metrics: Metrics, maximum: int, name: str) -> None:
        self._metrics = metrics
        self._maximum = maximum
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def full(self) -> bool:
        """Whether no further task may start."""
        return len(self._tasks) >= self._maximum

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` as a task; raises LimitError when too many run already."""
        if self.full or self._closed:
            work.close()
            raise LimitError("tasks", "ours", f"no room for another task of {self._name}")
        task = asyncio.get_running_loop().create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Cancel what runs and wait until it is gone; the task that calls is left alone."""
        self._closed = True
        rest = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:  # boundary: whatever fails here must not take the node down
            self._metrics.count("task_failed", self._name)
            log.exception("a task of %s failed", self._name)
