"""Runs experiments side by side, each in a process of its own, and tells how far they are.

A process for each, because a world of ten thousand nodes fills one core and much memory, which only the end of the
process gives back for certain. Invariant: results come in the order of the jobs, whoever is ready first; when the
caller leaves, for whatever reason, no process is left. A job that fails ends all, with its own words.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Final, Generic, TypeVar

import msgspec

from peerage.errors import LocalError, PeerageError

ResultT = TypeVar("ResultT")

_PATIENCE: Final = 5.0  # seconds that a process has to end when told to
_TELL_STEP: Final = 0.01  # how much further a job must be to be worth a word


class Job(msgspec.Struct, Generic[ResultT], frozen=True):
    """Something to run elsewhere: `work(*arguments, report)`; all of it must be picklable."""

    label: str
    work: Callable[..., ResultT]
    arguments: tuple[Any, ...]


class Told(msgspec.Struct, frozen=True):
    """How far a job is; `share` 1.0 and an empty step: it is done."""

    job: int
    step: str
    share: float


Listener = Callable[[Told], None]


def run_here(jobs: Sequence[Job[ResultT]], listen: Listener) -> list[ResultT]:
    """Run jobs one after the other in this process."""
    results = []
    for number, job in enumerate(jobs):
        results.append(job.work(*job.arguments, _Teller(number, listen)))
        listen(Told(number, "", 1.0))
    return results


def run_all(jobs: Sequence[Job[ResultT]], listen: Listener, at_once: int) -> list[ResultT]:
    """Run jobs in processes, at most `at_once` at a time; raises what the first failing job raised."""
    fleet = _Fleet(jobs, listen)
    try:
        while len(fleet.results) < len(jobs):
            fleet.start_up_to(at_once)
            fleet.hear()
    finally:
        fleet.end()
    return [fleet.results[number] for number in range(len(jobs))]


class _Fleet:
    def __init__(self, jobs: Sequence[Job[Any]], listen: Listener) -> None:
        self._jobs = jobs
        self._listen = listen
        self._context = multiprocessing.get_context("spawn")
        self._next = 0
        self._running: dict[Connection, tuple[int, SpawnProcess]] = {}
        self.results: dict[int, Any] = {}

    def start_up_to(self, at_once: int) -> None:
        while len(self._running) < at_once and self._next < len(self._jobs):
            ours, theirs = self._context.Pipe(duplex=False)
            arguments = (theirs, self._next, self._jobs[self._next])
            process = self._context.Process(target=_work, args=arguments, daemon=True)
            with _ignoring_ctrl_c():
                process.start()
            theirs.close()
            self._running[ours] = self._next, process
            self._next += 1

    def hear(self) -> None:
        """Take in what the next process has to say."""
        for each in wait(list(self._running)):
            assert isinstance(each, Connection)
            number, process = self._running[each]
            try:
                said = each.recv()
            except EOFError:
                process.join()
                raise LocalError(
                    f"{self._jobs[number].label}: its process ended with status {process.exitcode}; "
                    "if that is -9, memory ran out: take fewer peers, or --jobs 1"
                ) from None
            if isinstance(said, Told):
                self._listen(said)
            elif isinstance(said, _Failed):
                raise said.error(self._jobs[number].label)
            else:
                (self.results[number],) = said
                process.join()
                del self._running[each]
                each.close()
                self._listen(Told(number, "", 1.0))

    def end(self) -> None:
        for connection, (_, process) in self._running.items():
            process.terminate()
            connection.close()
        for _, process in self._running.values():
            process.join(_PATIENCE)
            if process.is_alive():
                process.kill()
                process.join()


class _Failed(msgspec.Struct, frozen=True):
    """Why a job failed: the text of an error of ours, or the whole traceback of any other."""

    text: str
    expected: bool

    def error(self, label: str) -> LocalError:
        return LocalError(f"{label}: {self.text}" if self.expected else f"{label} failed:\n{self.text}")


class _Teller:
    """Passes on how far a job is, no more often than a person can see."""

    def __init__(self, job: int, tell: Callable[[Told], None]) -> None:
        self._job = job
        self._tell = tell
        self._last = ("", -1.0)

    def __call__(self, step: str, share: float) -> None:
        name, told = self._last
        if step != name or share - told >= _TELL_STEP:
            self._last = step, share
            self._tell(Told(self._job, step, share))


def _work(connection: Connection, number: int, job: Job[Any]) -> None:
    """Run one job; the main function of its process, which ends by itself when nobody listens any more."""
    try:
        try:
            connection.send((job.work(*job.arguments, _Teller(number, connection.send)),))
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001 -- boundary: the other process must learn of it, whatever it is
            ours = _ours(error)
            text = traceback.format_exc() if ours is None else str(ours)
            connection.send(_Failed(text, expected=ours is not None))
    except BrokenPipeError:
        sys.exit(1)


def _ours(error: BaseException) -> PeerageError | None:
    """Return the error that is to be told in one line, where it is one of ours, alone in its group or not in one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, PeerageError) else None


@contextmanager
def _ignoring_ctrl_c() -> Iterator[None]:
    """Let processes that are started here ignore Ctrl-C: the one that started them sees to their end."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not the main thread, which gets no Ctrl-C either
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
