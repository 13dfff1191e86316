"""Work on one SQLite connection, in a thread of its own, as seen from the event loop.

Invariant: all work runs in one thread, one piece after the other; work that writes happens as a whole or not at all;
errors of SQLite leave here as errors of Peerage, and a file found damaged is marked so that the next start rebuilds it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from peerage.catalogue import schema
from peerage.errors import StoreError

T = TypeVar("T")


class DatabaseThread:
    """The thread of one database file (None: in memory) of this layout.

    `executor` must run everything in one thread; without one, a thread is started, and ended by `shutdown`.
    """

    def __init__(self, path: Path | None, layout: schema.Layout, executor: Executor | None) -> None:
        self.path = path
        self.layout = layout
        self._own_executor = executor is None
        self._executor = executor or ThreadPoolExecutor(1, layout.title)

    async def call(self, work: Callable[[], T]) -> T:
        """Run work in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self.guarded, work)

    def shutdown(self) -> None:
        """End the thread when its work is done."""
        if self._own_executor:
            self._executor.shutdown(wait=False)

    def guarded(self, work: Callable[[], T]) -> T:
        """Run in the thread: errors of SQLite leave it as errors of Peerage."""
        try:
            return work()
        except sqlite3.Error as error:
            title = self.layout.title
            if self.path is not None and schema.is_damage(error):
                schema.mark_damaged(self.path)
                raise StoreError(f"the {title} {self.path} is damaged; start again to have it rebuilt") from error
            raise schema.store_error(error, str(self.path or "in memory"), title) from error


def transaction(connection: sqlite3.Connection, work: Callable[[], T]) -> T:
    """Run in the thread: all that `work` writes, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result
