import asyncio

from peerage.errors import LimitError
from peerage.overlay.work_queue import WorkQueue


def spawn(work):
    return asyncio.get_running_loop().create_task(work)


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


async def test_no_more_than_the_workers_run_and_no_more_than_the_maximum_wait():
    running, most, done, gate = 0, 0, 0, asyncio.Event()

    async def work():
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        done += 1

    queue = WorkQueue(spawn, workers=2, maximum=3)
    assert [queue.put(work) for _ in range(2)] == [True, True]
    await settle()
    assert [queue.put(work) for _ in range(5)] == [True, True, True, False, False]
    gate.set()
    await settle()
    assert (most, done, len(queue)) == (2, 5, 0)


async def test_work_put_while_the_last_piece_ends_is_done():
    done = []
    queue = WorkQueue(spawn, workers=1, maximum=9)

    async def last():
        done.append("last")

    async def first():
        asyncio.current_task().add_done_callback(lambda _: queue.put(last))

    queue.put(first)
    await settle()
    assert done == ["last"]


async def test_a_failure_does_not_stop_what_comes_later():
    done = []

    async def fail():
        raise ValueError

    async def work():
        done.append(1)

    async def guarded(coroutine):
        try:
            await coroutine
        except ValueError:
            done.append("failed")

    queue = WorkQueue(lambda coroutine: spawn(guarded(coroutine)), workers=1, maximum=9)
    queue.put(fail)
    await settle()
    queue.put(work)
    await settle()
    assert done == ["failed", 1]


async def test_close_leaves_nothing_behind():
    started = []

    async def work():
        started.append(1)
        await asyncio.Event().wait()

    queue = WorkQueue(spawn, workers=2, maximum=9)
    for _ in range(5):
        queue.put(work)
    await settle()
    await queue.close()
    assert len(started) == 2
    assert len(asyncio.all_tasks()) == 1
    assert not queue.put(work)


async def test_without_room_for_a_task_the_work_is_refused():
    def refuse(coroutine):
        coroutine.close()
        raise LimitError("tasks", "ours", "full")

    queue = WorkQueue(refuse, workers=2, maximum=9)

    async def work():
        pass

    assert not queue.put(work)
    assert len(queue) == 0
