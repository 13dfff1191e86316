"""The doctor, limits at certain hours, and settings read again: by commands, by signals, by a terminal that closes."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import termios
import uuid

import pytest
from cli_machine import TIMEOUT, Machine, wait_until

pytestmark = pytest.mark.e2e


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path / "one", f"test-{uuid.uuid4()}")
    yield machine
    machine.close()


def test_the_doctor_with_and_without_a_node(machine):
    new = machine.do("doctor", "--json").json
    assert (new["code"], new["state"]) == ("node.new", "warn")
    machine.up()
    running = {check["name"]: check for check in machine.do("doctor", "--json").json_lines}
    assert {"listening", "reachable", "peers", "clock", "disk", "config"} <= running.keys()
    shown = machine.do("doctor")
    assert shown.out.startswith("look  This node listens at 127.0.0.1:")
    machine.do("down")
    stopped = {check["name"]: check for check in machine.do("doctor", "--json").json_lines}
    assert stopped["node"]["code"] == "node.stopped"
    (machine.home / "config.toml").write_text("lan = 7\n")
    broken = machine.try_to("doctor")
    assert broken.status == 1
    assert "line 1" in broken.out


def test_slower_at_certain_hours(machine):
    machine.up()
    said = ["limits", "--up", "5MB", "--schedule", "mon-sun 00:00-24:00", "--slow-up", "1MB", "--json"]
    now = machine.do(*said).json
    assert (now["up"], now["now_up"], now["down"], now["scheduled"]) == (5_000_000, 1_000_000, 0, True)
    shown = machine.do("limits")
    assert "upload\t5.0 MB/s, now 1.0 MB/s" in shown.out
    assert "mon-sun 00:00-24:00" in shown.out
    assert machine.do("limits", "--schedule", "off", "--json").json["now_up"] == 5_000_000
    wrong = machine.try_to("limits", "--schedule", "soon")
    assert (wrong.status, "schedule" in wrong.err) == (2, True)


def test_settings_are_read_again(machine):
    pid = machine.up()["pid"]
    config = machine.home / "config.toml"
    config.write_text('browse = "nobody"\nserve_index = true\n')
    assert machine.do("reload", "--json").json == {"changed": ["browse"], "restart": ["serve_index"]}
    config.write_text('browse = "nobodi"\n')
    refused = machine.try_to("reload")
    assert refused.status == 1
    assert "line 1" in refused.err
    assert machine.try_to("doctor").status == 1
    config.write_text("[limits]\nup = 4321\n")
    os.kill(pid, signal.SIGHUP)
    wait_until(lambda: machine.do("limits", "--json").json["up"] == 4321, "the reload")
    config.write_text("[limits]\nup = fast\n")
    os.kill(pid, signal.SIGHUP)
    wait_until(lambda: "cannot be used" in " ".join(machine.do("status", "--json").json["notices"]), "the notice")
    assert machine.do("limits", "--json").json["up"] == 4321
    assert machine.do("status", "--json").json["pid"] == pid
    assert machine.try_to("reload", "more").status == 2


def test_a_terminal_that_closes_stops_the_node_in_order(machine):
    master, slave = pty.openpty()
    local = ["--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--no-lan", "--network", machine.network]
    process = subprocess.Popen(
        machine.command("up", *local),
        env=machine.environment,
        stdin=slave,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    machine.started.append(process)
    os.close(slave)
    info = machine.home / "daemon.json"
    wait_until(lambda: info.exists() and json.loads(info.read_text())["api"], "the start")
    os.close(master)
    assert process.wait(TIMEOUT) == 0
    assert not info.exists()
