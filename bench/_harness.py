"""What the scripts of this folder share: contestants as processes, their CPU and memory, environments, medians, tables.

Invariant: everything a bench makes lies under bench/.work, and every process it started has ended when it ends. Nothing here
knows any contestant; what they say and hear is described in rivals/_contest.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import select
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

HERE = Path(__file__).resolve().parent
WORK = HERE / ".work"
RIVALS = HERE / "rivals"
_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLE = 0.05  # seconds between two looks at the memory of the processes


class ContestError(Exception):
    """A contestant failed: it ended, said something unreadable or nothing in time."""


class UnavailableError(Exception):
    """A rival cannot run on this machine; the reason is printed in place of its figures."""


@dataclass(frozen=True)
class Contestant:
    """One line of the table: `command` is the script and style, after the interpreter `python`."""

    name: str
    title: str
    python: str
    script: Path
    style: str
    facts: dict[str, object] = field(default_factory=dict)

    def role(self, role: str, *arguments: object) -> list[str]:
        """Return the command line of one of its two processes."""
        return [self.python, str(self.script), role, self.style, *map(str, arguments)]


class Process:
    """One contestant's process and all that it starts."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.name = " ".join(Path(part).name for part in command[1:4])
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd=WORK, start_new_session=True
            )
        self.pid = self._process.pid
        self._unread = b""

    def say(self, **fields: object) -> None:
        """Send one JSON line."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(fields).encode() + b"\n")
            self._process.stdin.flush()

    def hear(self, seconds: float) -> dict:
        """Wait for one JSON line; raises ContestError when none comes in time."""
        assert self._process.stdout is not None
        source, deadline = self._process.stdout.fileno(), time.monotonic() + seconds
        while b"\n" not in self._unread:
            ready, _, _ = select.select([source], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(source, 65_536) if ready else b""
            if not data:
                what = "ended" if ready else f"said nothing for {seconds:.0f} s"
                raise ContestError(f"{self.name} {what}; the end of its log:\n{self._tail()}")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        try:
            return json.loads(line)
        except ValueError as error:
            raise ContestError(f"{self.name} said {line[:200]!r}") from error

    def family(self) -> list[int]:
        """Return its process id and those of all its descendants that live."""
        found = [self.pid]
        for pid in found:
            with contextlib.suppress(OSError):
                for thread in Path(f"/proc/{pid}/task").iterdir():
                    found.extend(map(int, (thread / "children").read_text().split()))
        return found

    def cpu(self) -> float:
        """Return the CPU seconds it and its descendants have used, those that ended included."""
        return sum(_cpu_of(pid) for pid in self.family())

    def stop(self) -> None:
        """Close stdin, which asks it to end, and make sure that it and its descendants do."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            for pid in reversed(self.family()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            self._process.wait()
        self._process.stdout.close()

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""


@contextlib.contextmanager
def processes() -> Iterator[list[Process]]:
    """Give a list to which started processes are added; all are stopped at the end, the last first."""
    started: list[Process] = []
    try:
        yield started
    finally:
        for process in reversed(started):
            process.stop()


class MemoryWatch:
    """Samples the memory of processes: `peaks()` gives each one's largest."""

    def __init__(self, watched: dict[str, list[Process]]) -> None:
        self._watched = watched
        self._peaks: dict[int, dict[str, object]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def peaks(self) -> list[dict[str, object]]:
        """Return for each process its name and side, its peak resident MiB, and that without pages of mapped files."""
        return list(self._peaks.values())

    def _run(self) -> None:
        while True:
            for side, watched in self._watched.items():
                for pid in [pid for process in watched for pid in process.family()]:
                    self._look(side, pid)
            if self._over.wait(_SAMPLE):
                return

    def _look(self, side: str, pid: int) -> None:
        try:
            text = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return  # it has ended
        facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        if "VmHWM" not in facts:
            return  # it has ended and waits to be collected
        peak, anonymous, shared = (int(facts[key].split()[0]) / 1024 for key in ("VmHWM", "RssAnon", "RssShmem"))
        before = self._peaks.get(pid, {"anonymous_mib": 0.0})
        self._peaks[pid] = {
            "side": side,
            "process": facts["Name"].strip(),
            "peak_mib": round(peak, 1),
            "anonymous_mib": max(before["anonymous_mib"], round(anonymous + shared, 1)),
        }


def environment(name: str, *requirements: str) -> str:
    """Return the Python of a virtual environment with these packages, made at the first call; UnavailableError if it fails."""
    folder = WORK / f"venv-{name}"
    stamp, wanted = folder / "bench-requirements", "\n".join(requirements)
    python = folder / "bin" / "python"
    if stamp.exists() and stamp.read_text() == wanted:
        return str(python)
    note(f"setting up {name}: {', '.join(requirements)} ...")
    WORK.mkdir(exist_ok=True)
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UnavailableError(f"{' '.join(command[1:4])} failed: {done.stderr.strip()[-500:]}")
    stamp.write_text(wanted)
    return str(python)


def version_of(python: str, package: str) -> str:
    """Return the version of a package in that interpreter's environment."""
    ask = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


def debian(program: str, package: str) -> str:
    """Return the path of a program, installed from Debian if it is missing and we may; else UnavailableError."""
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    if found := shutil.which(program, path=places):
        return found
    if os.geteuid() or not shutil.which("apt-get"):
        raise UnavailableError(f"{program} is not installed; on Debian: apt-get install {package}")
    note(f"installing {package} ...")
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", package]):
        subprocess.run(["apt-get", "--quiet", *arguments], capture_output=True, check=False)
    if found := shutil.which(program, path=places):
        return found
    raise UnavailableError(f"apt-get could not install {package}")


def median(values: Iterable[float]) -> float:
    """Return the median, rounded to what such a measurement can mean."""
    return float(f"{statistics.median(values):.4g}")


def machine() -> dict[str, object]:
    """Describe where the figures come from."""
    facts = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in facts if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }


def note(text: str) -> None:
    """Tell the person at the terminal; stdout is for the JSON object alone."""
    print(text, file=sys.stderr, flush=True)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table on stderr, the first column to the left."""
    cells = [list(heads), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    for row in cells:
        first, *others = zip(row, widths, strict=True)
        note("  ".join([first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _cpu_of(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS  # user, system, and the same of children that were collected
