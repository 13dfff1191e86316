"""A task scope: bounded, and none outlives it."""

from __future__ import annotations

import asyncio
import gc

import pytest
from peer_world import World, virtual

from peerage.errors import LimitError
from peerage.peer.metrics import Metrics
from peerage.peer.tasks import TaskScope


@virtual
async def test_a_scope_is_bounded(world: World) -> None:
    scope = TaskScope(Metrics(), 2, "tests")
    for _ in range(2):
        scope.start(asyncio.sleep(10))
    assert scope.full
    with pytest.raises(LimitError, match="no room"):
        scope.start(asyncio.sleep(10))
    await asyncio.sleep(11)
    assert len(scope) == 0
    assert not scope.full


@virtual
async def test_closing_ends_every_task(world: World) -> None:
    scope, ended = TaskScope(Metrics(), 10, "tests"), []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)  # tidying up is waited for
            ended.append(1)

    for _ in range(3):
        scope.start(work())
    await asyncio.sleep(1)
    await scope.close()
    assert len(ended) == 3
    with pytest.raises(LimitError):
        scope.start(work())


@virtual
async def test_a_task_cancelled_before_its_first_step_leaves_no_warning(world: World) -> None:
    scope = TaskScope(Metrics(), 10, "tests")
    scope.start(asyncio.sleep(10))
    await scope.close()
    gc.collect()  # "coroutine was never awaited" would be an error here


@virtual
async def test_failures_are_counted_and_logged(world: World, caplog) -> None:
    metrics = Metrics()
    scope = TaskScope(metrics, 10, "tests")

    async def fail() -> None:
        raise ZeroDivisionError("on purpose")

    await scope.start(fail())
    assert metrics.value("task_failed", "tests") == 1
    assert "on purpose" in caplog.text


@virtual
async def test_a_task_may_close_its_own_scope(world: World) -> None:
    scope, after = TaskScope(Metrics(), 10, "tests"), []

    async def close() -> None:
        await scope.close()
        after.append(True)

    await scope.start(close())
    assert after == [True]
