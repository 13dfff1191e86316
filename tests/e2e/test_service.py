"""A node as a service manager runs it: it says when it is up, that it lives and that it stops; its log is for programs."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_machine import Machine

pytestmark = pytest.mark.e2e

LOCAL = ("--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--no-lan", "--log-to-stderr")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path / "m", f"test-{os.getpid()}-{random.randrange(2**40)}")
    yield made
    made.close()


def heard(manager: socket.socket, what: str) -> list[str]:
    """Return what is said, once it is this."""
    while True:
        said = manager.recv(4096).decode().split("\n")
        if what in said:
            return said


def test_ready_alive_reloaded_and_stopped(machine: Machine) -> None:
    machine.home.mkdir()
    config = machine.home / "config.toml"
    config.write_text('[log]\nformat = "json"\n')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(machine.folder / "notify"))
        manager.settimeout(60)
        machine.environment |= {"NOTIFY_SOCKET": str(machine.folder / "notify"), "WATCHDOG_USEC": "200000"}
        node = machine.start("up", *LOCAL, "--network", machine.network)
        heard(manager, "WATCHDOG=1")
        status = heard(manager, "READY=1")[1]
        heard(manager, "WATCHDOG=1")
        machine.environment = {
            k: v for k, v in machine.environment.items() if k not in ("NOTIFY_SOCKET", "WATCHDOG_USEC")
        }
        assert machine.do("status", "--json").json["listen"] in status
        config.write_text('[log]\nformat = "text"\n')
        machine.do("reload")
        node.send_signal(signal.SIGTERM)
        heard(manager, "STOPPING=1")
        _, err = node.communicate(timeout=30)
        assert node.returncode == 0
    lines = [line for line in err.splitlines() if "peerage.app" in line]
    assert json.loads(lines[0])["message"].startswith("up: version")
    assert lines[-1].endswith("info    peerage.app: stopped in order")
    assert [line["message"] for line in machine.do("logs", "--json").json_lines][-1] == "stopped in order"
