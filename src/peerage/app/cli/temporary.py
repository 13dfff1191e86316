"""A node for the duration of one command, in a thread of this process, asked over its local API like any other.

Invariant: when the `with` block is left the node has stopped in order; Ctrl-C during that ends the process at once,
which the node's disk formats stand.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import NamedTuple

from peerage.app.daemon import temporary
from peerage.app.home import Home
from peerage.app.logs import logging_to


class _Running(NamedTuple):
    """A node that is up: where its API is, and how to stop it from another thread."""

    api: str
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event


@contextmanager
def temporary_node(home: Home) -> Iterator[str]:
    """Run a node and give the address of its API; raises why it cannot start, or did not stop in order."""
    up: Future[_Running] = Future()
    over: Future[None] = Future()
    thread = threading.Thread(target=_run, args=(home, up, over), name="node", daemon=True)
    thread.start()
    running = up.result()
    try:
        yield running.api
    finally:
        running.loop.call_soon_threadsafe(running.stop.set)
        over.result()


def _run(home: Home, up: Future[_Running], over: Future[None]) -> None:
    try:
        home.create()
        with logging_to(home.log_file, home.config().log):
            asyncio.run(_serve(home, up))
    except BaseException as error:  # noqa: BLE001  # it is raised again in the thread that waits for it
        (over if up.done() else up).set_exception(error)
    else:
        over.set_result(None)


async def _serve(home: Home, up: Future[_Running]) -> None:
    stop = asyncio.Event()
    async with temporary(home) as info:
        up.set_result(_Running(info.api, asyncio.get_running_loop(), stop))
        await stop.wait()
