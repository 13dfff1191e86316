"""Virtual time: an asyncio event loop whose clock jumps to the next timer instead of waiting for it.

Invariant: time moves only when nothing is left to do now, and then exactly to the next timer; no thread, socket or
clock of the computer has a say, so the same program with the same seed runs in the same way each time. A program that
waits for something that cannot come gets an error at once instead of hanging.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
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


class _Waiter(selectors.SelectSelector):
    """What the loop waits with: instead of waiting, it moves the time on."""

    def __init__(self, horizon: float) -> None:
        super().__init__()
        self.now = START
        self.end = START + horizon

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if self.get_map():  # the loop itself registers one, for signals
            raise LocalError("there are no sockets in virtual time: use transport.memory")
        return super().register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StandstillError("nothing is left to do and no timer is set, but these tasks wait: " + _waiting())
        if timeout > 0:
            self.now += timeout
            if self.now > self.end:
                self.end = self.now + _CLEAN_UP
                raise HorizonError("the virtual time is used up; these tasks still wait: " + _waiting())
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time; `horizon` is how many seconds a run may last at the most."""

    def __init__(self, horizon: float = DAY) -> None:
        self._waiter = _Waiter(horizon)
        self.failures: list[BaseException] = []
        super().__init__(self._waiter)
        self._clock_resolution = _RESOLUTION  # asyncio's own attribute: timers this close count as due
        self.set_exception_handler(self._keep_failure)

    def time(self) -> float:
        """Return the virtual time in seconds; it begins at START."""
        return self._waiter.now

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
