"""A few workers over a bounded queue: for answers that need the database.

Invariant: never more than `workers` pieces of work run, never more than `maximum` wait, and none is left after `close`.
A worker is a task only as long as there is work.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from peerage.errors import LimitError

Work = Callable[[], Coroutine[Any, Any, None]]


class WorkQueue:
    """Work that waits for its turn; `spawn` starts a task that ends with its owner."""

    def __init__(
        self, spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]], *, workers: int, maximum: int
    ) -> None:
        self._spawn = spawn
        self._workers = workers
        self._maximum = maximum
        self._waiting: deque[Work] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = 0  # workers that will look at the queue again
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, work: Work) -> bool:
        """Have the work done when its turn comes; False when there is no room for it."""
        if len(self._waiting) >= self._maximum or self._closed:
            return False
        self._waiting.append(work)
        if self._running < self._workers and not self._hire() and not self._running:
            self._waiting.clear()
            return False
        return True

    async def close(self) -> None:
        """Drop what waits and cancel what runs."""
        self._closed = True
        self._waiting.clear()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _hire(self) -> bool:
        try:
            task = self._spawn(self._work())
        except LimitError:
            return False
        self._running += 1
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._waiting.popleft()()
        finally:
            self._running -= 1
