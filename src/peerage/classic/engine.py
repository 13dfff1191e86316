"""What runs behind a BTPeer: one thread with an event loop, and in it the listening port and the stabilizers.

Invariant: handlers and stabilizers of the program run in threads of their own, never on the loop, so they may block; a
connection reaches a handler only when its request has come whole. Connections, threads, and the time and memory that a
stranger can take are bounded. When the engine has stopped, none of its own threads, tasks and sockets is left; a
handler that still runs loses its connection. Counters, tasks and stabilizers are those of `peer/`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from peerage.classic.btconnection import BTPeerConnection
from peerage.classic.doorkeeper import Doorkeeper
from peerage.classic.patience import Patience
from peerage.errors import PeerageError, ProtocolError
from peerage.identity.address import Address
from peerage.limits import (
    BTPEER_BACKLOG,
    BTPEER_GOODBYE,
    BTPEER_HANDLERS,
    BTPEER_STABILIZERS,
    CLASSIC_CONNECTIONS,
    MAX_BTPEER_UNREAD,
    REQUEST_TIMEOUT,
)
from peerage.peer.metrics import Metrics
from peerage.peer.stabilizers import Stabilizer, StabilizerSet
from peerage.peer.tasks import TaskScope, contained
from peerage.transport.tcp_accept import Acceptor
from peerage.transport.tcp_clear import Socket, read_clear

Answer = Callable[[BTPeerConnection], None]


class Engine:
    """The thread, from construction until `stop`; `answer` handles one connection whose request waits in it."""

    def __init__(self, answer: Answer, name: str) -> None:
        self.metrics = Metrics()
        self._answer = answer
        self._unread = 0  # bytes of requests that have not come whole
        self._handlers = ThreadPoolExecutor(BTPEER_HANDLERS, f"{name} handler")
        self._workers = ThreadPoolExecutor(BTPEER_STABILIZERS, f"{name} stabilizer")
        self._acceptors: list[Acceptor] = []
        self._door = Doorkeeper[_Visit]()
        self._visits: dict[asyncio.Task[None], _Visit] = {}
        self._ended: Future[None] = Future()
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name=f"{name} engine")
        self._thread.start()
        started.result()

    # --- from any thread --------------------------------------------------------------------------------------

    def serve(self, listening: Socket) -> None:
        """Answer whoever connects; the socket stays the caller's, to be closed after the end."""
        listening.listen(BTPEER_BACKLOG)
        self._do(lambda: self._begin(listening))

    def repeat(self, work: Callable[[], object], delay: float) -> None:
        """Call `work` in a thread now, and again `delay` seconds after each time; LimitError for too many."""
        self._do(lambda: self._stabilizers.start(self._stabilizer(work, delay)))

    def stop(self) -> None:
        """Begin to end; does not wait."""
        with contextlib.suppress(RuntimeError):  # it has ended already
            self._loop.call_soon_threadsafe(self._stop.set)

    def wait(self) -> None:
        """Wait for the end; an interruption from the keyboard passes through."""
        self._ended.result()
        self._thread.join()

    def _do(self, call: Callable[[], object]) -> None:
        """Call it on the loop and wait; nothing happens when the engine has ended."""
        done: Future[None] = Future()
        with contextlib.suppress(RuntimeError):  # it has ended already
            self._loop.call_soon_threadsafe(_fulfil, done, call)
            wait((done, self._ended), return_when=FIRST_COMPLETED)
            if done.done():
                done.result()

    # --- the thread -------------------------------------------------------------------------------------------

    def _run(self, started: Future[None]) -> None:
        try:
            asyncio.run(self._live(started))
        finally:
            self._ended.set_result(None)

    async def _live(self, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._upkeep = TaskScope(self.metrics, BTPEER_STABILIZERS, "upkeep of a classic peer")
        self._tasks = TaskScope(self.metrics, 2 * CLASSIC_CONNECTIONS, "classic connections")
        self._stabilizers = StabilizerSet(self._upkeep, self.metrics, random.SystemRandom())
        started.set_result(None)
        try:
            await self._stop.wait()
        finally:
            for each in self._acceptors:
                each.close()
            await self._upkeep.close()
            if self._visits:
                await asyncio.wait(self._visits, timeout=BTPEER_GOODBYE)
            await self._tasks.close()
            self._handlers.shutdown(wait=False, cancel_futures=True)
            self._workers.shutdown(wait=False, cancel_futures=True)

    def _stabilizer(self, work: Callable[[], object], delay: float) -> Stabilizer:
        async def one_round() -> None:
            await self._loop.run_in_executor(self._workers, work)

        one_round.__qualname__ = getattr(work, "__qualname__", "stabilizer")
        return Stabilizer(one_round, delay, jitter=0.0, at_once=True)

    def _begin(self, listening: Socket) -> None:
        if not self._stop.is_set():
            self._acceptors.append(Acceptor(listening, self._welcome))

    def _welcome(self, stranger: Socket, place: Address) -> None:
        visit = _Visit(BTPeerConnection(None, place.host, place.port, stranger), stranger)
        stays, gives_way = self._door.enter(visit, place.host)
        if gives_way is not None and gives_way.task is not None:
            gives_way.task.cancel()
        if not stays or self._tasks.full:
            self.metrics.count("links_refused", "classic")
            self._leave(visit)
            return
        visit.task = self._tasks.start(self._attend(visit))
        self._visits[visit.task] = visit
        visit.task.add_done_callback(self._end)

    async def _attend(self, visit: _Visit) -> None:
        if await self._read(visit):
            self._door.heard(visit)
            visit.work = self._handlers.submit(self._answer, visit.connection)
            with contained(self.metrics, "handler_failed", "classic"):
                await asyncio.wrap_future(visit.work)

    async def _read(self, visit: _Visit) -> bool:
        """Whether a whole request came, in time and within the bounds."""
        patience, unread = Patience(self._loop.time(), REQUEST_TIMEOUT), 0
        try:
            while self._unread <= MAX_BTPEER_UNREAD:
                async with asyncio.timeout(patience.left(self._loop.time())):
                    data = await read_clear(visit.socket)
                if not data or visit.connection.feed(data):
                    return bool(data)
                patience.moved(len(data), self._loop.time())
                unread += len(data)
                self._unread += len(data)
        except (OSError, ProtocolError) as error:
            self.metrics.count("requests_lost", type(error).__name__)
        finally:
            self._unread -= unread
        return False

    def _end(self, task: asyncio.Task[None]) -> None:
        self._leave(self._visits.pop(task))

    def _leave(self, visit: _Visit) -> None:
        """Close what a stranger opened, but never under the feet of a handler."""
        self._door.leave(visit)  # first: who sees the end finds the place free
        if visit.work is None or visit.work.done():
            visit.connection.close()
        else:
            visit.connection.interrupt()
            visit.work.add_done_callback(lambda _work: visit.connection.close())


class _Visit:
    """One connection that somebody else opened."""

    __slots__ = ("connection", "socket", "task", "work")

    def __init__(self, connection: BTPeerConnection, stranger: Socket) -> None:
        self.connection = connection
        self.socket = stranger
        self.task: asyncio.Task[None] | None = None
        self.work: Future[None] | None = None  # the handler, once it has the connection


def _fulfil(done: Future[None], call: Callable[[], object]) -> None:
    try:
        call()
    except PeerageError as error:
        done.set_exception(error)
    else:
        done.set_result(None)
