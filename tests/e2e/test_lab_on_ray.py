"""The model on a local Ray of two workers: the same figures as in one process, nothing open to others, nothing left."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from peerage.lab.measure import Result
from peerage.lab.model.shards import run_here
from peerage.lab.model.spec import ModelSpec

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("ray"), pytest.mark.timeout(180)]

SPEC = ModelSpec(generation="flood", peers=5000, queries=60)
COMMAND = [sys.executable, "-m", "peerage", "lab", "model", "--peers", "5000", "--queries", "60", "--runner", "ray"]


@pytest.fixture
def folder() -> Iterator[str]:
    """A place for temporary files, by which processes are known; its path must be short for Ray's sockets."""
    with tempfile.TemporaryDirectory(prefix="pr", dir="/tmp", ignore_cleanup_errors=True) as path:
        yield path


def processes_of(folder: str) -> list[str]:
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = each.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has just ended
        if folder in line:
            found.append(f"{each.parent.name}: {line[:200]}")
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks at processes as Linux shows them")
def test_two_workers_give_the_figures_of_one_process(folder: str) -> None:
    command = [*COMMAND, "--overlay", "flood", "--parts", "2", "--json", "-"]

    done = subprocess.run(command, env={**os.environ, "TMPDIR": folder}, capture_output=True, timeout=150)

    assert done.returncode == 0, done.stderr.decode()
    [result] = msgspec.json.decode(done.stdout, type=list[Result])
    here = run_here(SPEC)
    assert result.digest == here.digest
    assert msgspec.structs.replace(result, cpu_seconds=0.0, peak_bytes=0) == msgspec.structs.replace(
        here, cpu_seconds=0.0, peak_bytes=0
    )
    end = time.monotonic() + 20
    while processes_of(folder) and time.monotonic() < end:
        time.sleep(0.2)
    assert not processes_of(folder)
    assert not list(Path(folder).iterdir())


def test_a_cluster_that_is_not_there_is_told_in_one_line() -> None:
    command = [*COMMAND, "--address", "ray://127.0.0.1:1"]

    done = subprocess.run(command, capture_output=True, timeout=150)

    assert done.returncode == 1
    assert done.stderr.decode().strip().splitlines()[-1].startswith("peerage: no cluster at ray://127.0.0.1:1")
