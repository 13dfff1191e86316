"""The demonstration, as a person or a script runs it: a true story, and nothing left behind."""

import os
import signal
import tempfile
from pathlib import Path

import pytest
from cli_machine import Machine, is_alive, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path / "machine", "unused")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    machine.environment["TMPDIR"] = str(scratch)
    yield machine
    machine.close()


def processes_of(folder):
    """Return the ids of processes whose command line names a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.startswith(os.fsencode(folder)) for word in words):
            found.append(int(path.parent.name))
    return found


def test_the_demonstration_tells_a_true_story(machine):
    result = machine.do("demo", "--json")
    report = result.json
    assert report["nodes"] == 5
    assert report["sources"] == report["sources_used"] == 4
    assert 0 < report["killed_at"] < report["size"]
    assert report["identical"] is True
    assert [given["node"] for given in report["given"]] == [1, 2, 3, 4]
    assert all(given["bytes"] for given in report["given"])
    assert [given["node"] for given in report["given"] if given["killed"]] == [report["killed_node"]]
    assert report["size"] <= sum(given["bytes"] for given in report["given"])
    assert report["rate"] == pytest.approx(report["size"] / report["seconds"])
    assert list(Path(machine.environment["TMPDIR"]).iterdir()) == []
    assert not machine.home.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demonstration_that_is_stopped_leaves_nothing_behind(machine, number):
    scratch = machine.environment["TMPDIR"]
    demo = machine.start("demo")
    pids = wait_until(lambda: len(found := processes_of(scratch)) == 5 and found, "five nodes", 60)
    demo.send_signal(number)
    _, err = demo.communicate(timeout=30)
    assert demo.returncode == 1
    assert err.endswith("peerage: stopped\n")
    assert "Traceback" not in err
    assert not any(map(is_alive, pids))
    assert os.listdir(scratch) == []


def test_a_node_of_the_demonstration_that_dies_early_is_an_error(machine):
    demo = machine.start("demo")
    pids = wait_until(lambda: processes_of(machine.environment["TMPDIR"]), "a node", 60)
    os.kill(pids[0], signal.SIGKILL)
    _, err = demo.communicate(timeout=150)
    assert demo.returncode == 1
    assert "peerage: " in err
    assert "Traceback" not in err
    assert not processes_of(machine.environment["TMPDIR"])
    assert tempfile.gettempdir() != machine.environment["TMPDIR"]
