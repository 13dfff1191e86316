"""A computer of its own for command-line tests: a home, a folder for files, and `peerage` as a real process."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

TIMEOUT = 60


class Result:
    def __init__(self, completed):
        self.status = completed.returncode
        self.out = completed.stdout
        self.err = completed.stderr

    @property
    def json(self):
        (value,) = self.json_lines
        return value

    @property
    def json_lines(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def __repr__(self):
        return f"status {self.status}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Machine:
    """One home folder, and a node in it while the test wants one; `close` ends what is left."""

    def __init__(self, folder, network):
        self.folder = folder
        self.files = folder / "files"
        self.files.mkdir(parents=True)
        self.home = folder / "home"
        self.network = network
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("PEERAGE")}
        self.environment |= {"HOME": str(folder), "COLUMNS": "200"}
        self.started = []

    def command(self, *arguments):
        return [sys.executable, "-m", "peerage", "--home", str(self.home), *map(str, arguments)]

    def try_to(self, *arguments, text=None):
        """Run a command and return how it went."""
        completed = subprocess.run(
            self.command(*arguments),
            env=self.environment,
            cwd=self.files,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        return Result(completed)

    def do(self, *arguments, text=None):
        """Run a command that must succeed."""
        result = self.try_to(*arguments, text=text)
        assert result.status == 0, result
        return result

    def start(self, *arguments):
        """Start a command and leave it running."""
        process = subprocess.Popen(
            self.command(*arguments),
            env=self.environment,
            cwd=self.files,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def up(self, *arguments):
        """Start the node in the background and return its status."""
        local = ["--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--no-lan", "--network", self.network]
        self.do("up", *local, *arguments, "--detach")
        return self.do("status", "--json").json

    def write(self, name, content):
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def close(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, KeyError):
            pid = json.loads((self.home / "daemon.json").read_text())["pid"]
            os.kill(pid, signal.SIGKILL)


def wait_until(question, what, seconds=30.0):
    """Ask until the answer is true, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := question():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def is_alive(pid):
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
