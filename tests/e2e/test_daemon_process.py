"""The daemon as a real process: up, refused twice, stopped by signal and by the API, killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from peerage.app.home import DaemonInfo, Home

pytestmark = pytest.mark.e2e

START = """
import sys
import msgspec
from peerage.app.daemon import DaemonOptions, detach, run
from peerage.app.home import Home
from peerage.errors import PeerageError

home = Home.at(sys.argv[2])
home.create()
config = msgspec.structs.replace(home.config(), listen="127.0.0.1:0", lan=False, api=sys.argv[3])
options = DaemonOptions(home=home, config=config)
try:
    if sys.argv[1] == "detach":
        print(detach(options).api)
    else:
        run(options, lambda status: print(status.api, flush=True))
except PeerageError as error:
    sys.exit(str(error))
"""


def start(how: str, home: Path, api: str = "127.0.0.1:0") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START, how, str(home), api], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def gone(home: Home) -> bool:
    end = time.monotonic() + 20
    while home.running() is not None and time.monotonic() < end:
        time.sleep(0.02)
    return home.running() is None


def ask(info: DaemonInfo, home: Home, method: str, route: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {home.token()}"}
    return httpx.request(method, f"http://{info.api}/api/v1/{route}", headers=headers, trust_env=False)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_in_the_foreground_until_a_signal(tmp_path: Path, how: signal.Signals) -> None:
    home = Home(tmp_path / "home")
    with start("run", home.path) as process:
        assert process.stdout is not None
        api = process.stdout.readline().strip()
        info = home.running()
        assert info is not None
        assert (info.pid, info.api) == (process.pid, api)
        assert ask(info, home, "GET", "status").status_code == 200
        process.send_signal(how)
        assert process.wait(20) == 0
    assert home.running() is None
    assert not home.daemon_file.exists()


def test_detached_refused_twice_and_stopped_by_the_api(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    first = start("detach", home.path)
    api, errors = first.communicate(timeout=60)
    assert first.returncode == 0, errors
    info = home.running()
    assert info is not None
    assert info.api == api.strip()
    assert os.getsid(info.pid) == info.pid
    second = start("detach", home.path)
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 1
    assert f"process {info.pid}" in errors
    assert info.api in errors
    with httpx.stream(
        "GET",
        f"http://{info.api}/api/v1/events",
        headers={"authorization": f"Bearer {home.token()}"},
        trust_env=False,
    ) as stream:
        assert stream.status_code == 200  # a client that hangs on does not keep it up
        assert ask(info, home, "POST", "down").status_code == 200
        assert gone(home)


def test_killed_and_started_again(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with start("run", home.path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    assert home.daemon_file.exists()
    assert home.running() is None
    with start("run", home.path) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.terminate()
        assert process.wait(20) == 0


def test_what_keeps_it_from_starting_is_told(tmp_path: Path) -> None:
    failed = start("detach", tmp_path / "home", "192.0.2.1:7412")
    _, errors = failed.communicate(timeout=60)
    assert failed.returncode == 1
    assert "only for this computer" in errors
    home = Home(tmp_path / "home")
    home.catalogue_file.mkdir()
    failed = start("detach", home.path)
    _, errors = failed.communicate(timeout=60)
    assert failed.returncode == 1
    assert errors.strip()
    assert home.running() is None
