"""Virtual time: an asyncio event loop whose clock jumps to the next timer instead of waiting for it.

Invariant: time moves only when nothing is left to do now, and then exactly to the next timer; no thread, socket or
clock of the computer has a say, so the same program with the same seed runs in the same way each time. A program that
waits for something that cannot come gets an error at once instead of hanging.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from contextvars import Context, copy_context
from heapq import heapify, heappop, heappush
from typing import Any, Final, ParamSpec, TypeVar, TypeVarTuple, Unpack

from peerage.errors import LocalError

T = TypeVar("T")
P = ParamSpec("P")
Ts = TypeVarTuple("Ts")

START: Final = 1000.0  # loop time at which a run begins; not 0, which much code takes for "never"
EPOCH: Final = 1_790_000_000.0  # time of day at which a run begins: September 2026
DAY: Final = 86_400.0
_RESOLUTION: Final = 1e-6  # seconds; far above the rounding of times up to a century, below any latency
_CLEAN_UP: Final = 600.0  # seconds past the horizon that remain for tasks to end in order
_SHOWN_TASKS: Final = 5
_SWEEP: Final = 1000  # timers from which on cancelled ones are looked for


class StandstillError(LocalError):
    """Every task waits and no timer is set: in real time this would hang for ever."""


class HorizonError(LocalError):
    """The run came to the end of its virtual time."""


class VirtualClock:
    """The time of day in virtual time (transport.base.Clock); it can jump as computers' clocks do."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._offset = EPOCH - START

    def time(self) -> float:
        """Return seconds since 1970."""
        return self._loop.time() + self._offset

    def jump(self, seconds: float) -> None:
        """Set the clock forward, or back with a negative number; timers do not notice."""
        self._offset += seconds


class InlineExecutor(Executor):
    """Runs work at once, in the caller: threads do not know virtual time."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` and return a future that is done."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 -- whatever it is, it belongs to whoever waits for the result
            future.set_exception(error)
        return future


class _NoSockets(selectors.SelectSelector):
    """In the place of what the loop would wait with: nothing waits here."""

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if self.get_map():  # the loop itself registers one, for signals
            raise LocalError("there are no sockets in virtual time: use transport.memory")
        return super().register(fileobj, events, data)


class _Call:
    """Something to be called, soon or at a time: what asyncio calls a handle, with what is needed of it."""

    __slots__ = ("_when", "args", "callback", "context")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context, when: float) -> None:
        self.callback: Callable[..., object] | None = callback
        self.args = args
        self.context = context
        self._when = when

    def cancel(self) -> None:
        """Do not call it."""
        self.callback, self.args = None, ()

    def cancelled(self) -> bool:
        """Whether it will not be called."""
        return self.callback is None

    def when(self) -> float:
        """Return the loop time at which it is due."""
        return self._when


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time; `horizon` is how many seconds a run may last at the most.

    Calls come in the order of their times, and those of one time in the order in which they were put in. The part of
    asyncio's loop that everything goes through is replaced: no polling, and timers compared as numbers.
    """

    _stopping: bool  # asyncio's own

    def __init__(self, horizon: float = DAY) -> None:
        self._now = START
        self._end = START + horizon
        self._soon: deque[_Call] = deque()
        self._timers: list[tuple[float, int, _Call]] = []  # a heap
        self._made = 0  # timers, ever
        self._sweep_at = _SWEEP
        self.failures: list[BaseException] = []
        super().__init__(_NoSockets())
        self.set_exception_handler(self._keep_failure)

    def time(self) -> float:
        """Return the virtual time in seconds; it begins at START."""
        return self._now

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Call it in the next round."""
        call = _Call(callback, args, context if context is not None else copy_context(), self._now)
        self._soon.append(call)
        return call  # type: ignore[return-value] # all of a handle that anybody uses

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Call it in the next round; there are no threads, but signals come this way."""
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call it in so many seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call it at this time."""
        call = _Call(callback, args, context if context is not None else copy_context(), when)
        self._made += 1
        heappush(self._timers, (when, self._made, call))
        if len(self._timers) > self._sweep_at:
            self._sweep()
        return call  # type: ignore[return-value] # as above

    def run_in_executor(
        self,
        executor: Executor | None,  # noqa: ARG002 -- asyncio's signature
        func: Callable[[Unpack[Ts]], T],
        *args: *Ts,
    ) -> asyncio.Future[T]:
        """Run `func` at once: an executor of threads would not know this time."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 -- belongs to whoever waits for the result
            future.set_exception(error)
        return future

    def raise_failure(self) -> None:
        """Raise the first exception that nobody was there to catch, if there was one."""
        if self.failures:
            raise self.failures[0]

    def _run_once(self) -> None:
        """One round: what is ready, after moving on to the next timer if nothing is (asyncio's hook)."""
        ready, timers = self._soon, self._timers
        if not ready and not self._stopping:
            self._move_on()
        due = self._now + _RESOLUTION
        while timers and timers[0][0] < due:
            ready.append(heappop(timers)[2])
        for _ in range(len(ready)):
            call = ready.popleft()
            callback = call.callback
            if callback is not None:
                try:
                    call.context.run(callback, *call.args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:  # noqa: BLE001 -- as in asyncio: a call harms no other
                    self.call_exception_handler({"message": f"a call of {callback!r} failed", "exception": error})

    def _move_on(self) -> None:
        """Let the time be that of the next timer."""
        timers = self._timers
        while timers and timers[0][2].callback is None:
            heappop(timers)
        if not timers:
            raise StandstillError("nothing is left to do and no timer is set, but these tasks wait: " + _waiting())
        self._now = max(self._now, timers[0][0])
        if self._now > self._end:
            self._end = self._now + _CLEAN_UP
            raise HorizonError("the virtual time is used up; these tasks still wait: " + _waiting())

    def _sweep(self) -> None:
        """Forget timers that were cancelled, when there may be many."""
        self._timers[:] = [each for each in self._timers if each[2].callback is not None]
        heapify(self._timers)
        self._sweep_at = max(2 * len(self._timers), _SWEEP)

    def _write_to_self(self) -> None:
        """Nothing sleeps, so nothing has to be woken."""

    def _keep_failure(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.failures.append(error if isinstance(error, BaseException) else LocalError(str(context.get("message"))))


def run_virtual(main: Callable[[random.Random], Coroutine[Any, Any, T]], seed: int = 0, horizon: float = DAY) -> T:
    """Run `main(rng)` in virtual time, with a random source of this seed, and return what it returns.

    An exception that would only have been logged (in a callback, in a task nobody waited for) is raised at the end;
    StandstillError and HorizonError are raised where a real run would hang or go on for more than `horizon` seconds.
    """
    loops: list[VirtualLoop] = []

    def make_loop() -> VirtualLoop:
        loops.append(VirtualLoop(horizon))
        return loops[0]

    try:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            result = runner.run(main(random.Random(seed)))  # noqa: S311 -- a simulation, not a secret
        loops[0].raise_failure()
    except BaseException as error:
        error.add_note(f"in a virtual run with seed {seed}")
        raise
    return result


def _waiting() -> str:
    """Name some of the tasks that wait, and where."""
    tasks = sorted(asyncio.all_tasks(asyncio.get_event_loop()), key=lambda task: task.get_name())
    shown = [f"{task.get_name()} at {_place(task)}" for task in tasks[:_SHOWN_TASKS]]
    return "; ".join(shown) + (f"; and {len(tasks) - len(shown)} more" if len(tasks) > len(shown) else "")


def _place(task: asyncio.Task[Any]) -> str:
    frames = task.get_stack(limit=1)
    return f"{frames[-1].f_code.co_qualname}, line {frames[-1].f_lineno}" if frames else "its end"
