"""The home folder: private, made once, used by one process at a time."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from peerage.app.home import DaemonInfo, Home
from peerage.errors import ConfigError

HOLD = """
import sys
from pathlib import Path
from peerage.app.home import DaemonInfo, Home
import os
home = Home(Path(sys.argv[1]))
with home.lock():
    home.announce(DaemonInfo(pid=os.getpid(), api="127.0.0.1:7999"))
    print("held", flush=True)
    sys.stdin.read()
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_place_is_the_flag_then_the_environment_then_the_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEERAGE_HOME", str(tmp_path / "env"))
    assert Home.at(tmp_path / "flag").path == tmp_path / "flag"
    assert Home.at().path == tmp_path / "env"
    monkeypatch.delenv("PEERAGE_HOME")
    assert Home.at().path.name == "peerage"


def test_everything_is_made_private(tmp_path: Path) -> None:
    home = Home(tmp_path / "a" / "home")
    home.identity()
    home.token()
    assert mode(home.path) == 0o700
    assert mode(home.key_file) == 0o600
    assert mode(home.token_file) == 0o600
    assert home.config().network == "peerage"
    assert sorted(each.name for each in home.path.iterdir()) == [
        "api.token",
        "config.toml",
        "identity.key",
        "transfers",
    ]


def test_the_identity_and_the_token_are_made_once(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first, token = home.identity().peer_id, home.token()
    assert Home(tmp_path).identity().peer_id == first
    assert Home(tmp_path).token() == token


def test_what_a_process_that_died_left_behind_is_no_obstacle(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for name in (f"identity.{os.getpid()}.new", "api.token.new", "daemon.json.new"):
        (tmp_path / name).write_text("half")
    assert home.identity().peer_id == Home(tmp_path).identity().peer_id
    assert home.token() == Home(tmp_path).token()
    with home.lock():
        assert mode(home.daemon_file) == 0o600
    assert not list(tmp_path.glob("*.new"))


def test_a_token_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ConfigError, match="No space left"):
            home.token()
    assert not list(tmp_path.glob("api.token*"))
    assert home.token() == Home(tmp_path).token()


def test_an_identity_that_others_can_read_is_refused(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.identity()
    home.key_file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        home.identity()


def test_a_damaged_identity_is_never_overwritten(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.key_file.write_text("")
    home.key_file.chmod(0o600)
    with pytest.raises(ConfigError, match="not a Peerage key"):
        home.identity()
    assert home.key_file.read_text() == ""


def test_a_token_that_others_can_read_or_that_is_damaged_is_refused(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.token_file.write_text("short")
    home.token_file.chmod(0o600)
    with pytest.raises(ConfigError, match="damaged"):
        home.token()
    home.token_file.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        home.token()


def test_a_home_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot make the home folder"):
        Home(tmp_path / "file" / "home").create()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.running() is None
    with home.lock():
        running = home.running()
        assert running is not None
        assert running.pid == os.getpid()
        home.announce(DaemonInfo(pid=os.getpid(), api="127.0.0.1:7412"))
        with (
            pytest.raises(ConfigError, match=rf"already \(process {os.getpid()}, API at 127.0.0.1:7412\)"),
            home.lock(),
        ):
            pass
        assert mode(home.daemon_file) == 0o600
    assert home.running() is None
    assert not home.daemon_file.exists()
    with home.lock():
        pass


def test_the_lock_of_a_killed_process_is_recovered(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ConfigError, match=f"process {process.pid}, API at 127.0.0.1:7999"), home.lock():
            pass
        process.kill()
    assert home.daemon_file.exists()  # stale
    assert home.running() is None
    with home.lock():
        running = home.running()
        assert running is not None
        assert running.pid == os.getpid()


def test_a_damaged_note_about_the_running_node_does_no_harm(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with home.lock():
        home.daemon_file.write_text("{")
        assert home.running() == DaemonInfo(pid=0)
        with pytest.raises(ConfigError, match="another process"), home.lock():
            pass
