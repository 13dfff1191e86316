"""What the doctor looks at on a real computer."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import socket
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from watchfiles import awatch

from peerage.app import doctor_facts as facts
from peerage.app.api.doctor_models import Check
from peerage.app.doctor_home import examine_silent, examine_stopped
from peerage.app.home import Home
from peerage.identity.address import Address

NOW = 1_800_000_000.0


def certificate(path: Path, days: int) -> Path:
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "node.example.org")])
    now = dt.datetime.fromtimestamp(NOW, dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=365))
        .not_valid_after(now + dt.timedelta(days=days))
        .sign(key, None)
    )
    path.write_bytes(made.public_bytes(Encoding.PEM))
    return path


def test_folders(tmp_path: Path) -> None:
    there = facts.look_at_folder(tmp_path)
    assert (there.folder, there.problem) == ("there", "")
    assert there.free
    missing = facts.look_at_folder(tmp_path / "a" / "b")
    assert (missing.folder, missing.free is not None) == ("missing", True)
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").write_text("x")
    assert facts.look_at_folder(tmp_path / "file").folder == "no-folder"
    assert os.listdir(tmp_path) == ["file"]  # nothing was left behind


@pytest.mark.skipif(not Path("/proc/sys").is_dir(), reason="the system has no folder in which nobody may write")
def test_a_folder_in_which_nobody_may_write() -> None:
    space = facts.look_at_folder(Path("/proc/sys"))
    assert space.folder == "read-only"
    assert space.problem


def test_who_may_look(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert facts.is_private(tmp_path)
    tmp_path.chmod(0o750)
    assert not facts.is_private(tmp_path)
    assert facts.is_private(tmp_path / "missing")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_whether_somebody_listens(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as ear:
        try:
            ear.bind((host, 0))
        except OSError:
            pytest.skip(f"this computer has no {host}")
        place = Address(host, ear.getsockname()[1])
        ear.listen()
        assert facts.is_heard(place)
    assert not facts.is_heard(place)


def test_an_address_that_is_not_here_is_not_heard() -> None:
    assert not facts.is_heard(Address("192.0.2.7", 7411))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_open_files_and_watches(tmp_path: Path) -> None:
    before = facts.files_open()
    assert before
    with (tmp_path / "x").open("w"):
        assert facts.files_open() == before + 1
    assert facts.watch_limit()
    assert facts.watches_used() >= 0
    assert facts.steady_time()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
async def test_watches_are_counted(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    before, stop = facts.watches_used(), asyncio.Event()
    async for _ in awatch(tmp_path, stop_event=stop, rust_timeout=50, yield_on_timeout=True):
        assert facts.watches_used() == before + 2
        stop.set()


def test_certificates(tmp_path: Path) -> None:
    left, problem = facts.certificate_left(certificate(tmp_path / "c.pem", 10), NOW)
    assert (left, problem) == (10 * 86400, "")
    assert facts.certificate_left(tmp_path / "none", NOW) == (None, "No such file or directory")
    (tmp_path / "text").write_text("no certificate")
    assert facts.certificate_left(tmp_path / "text", NOW) == (None, "it is no certificate")


def test_the_newest_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    os.utime(tmp_path / "a", (NOW, NOW))
    assert facts.newest_of([tmp_path / "a", tmp_path / "missing"]) == NOW
    assert facts.newest_of([]) == 0.0


# --- a home folder whose node does not run ------------------------------------------------------------------------


def by_name(checks: list[Check]) -> dict[str, Check]:
    assert len({check.name for check in checks}) == len(checks)
    return {check.name: check for check in checks}


def test_no_home_yet(tmp_path: Path) -> None:
    (check,) = examine_stopped(Home(tmp_path / "home"), "peerage --home x")
    assert (check.code, check.remedy) == ("node.new", "Make and start one: peerage --home x up")


def test_a_home_that_is_well(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    with socket.socket() as ear:
        ear.bind(("127.0.0.1", 0))
        ear.listen()
        port = ear.getsockname()[1]
        home.config_file.write_text(f'listen = "127.0.0.1:{port}"\ndownloads = "{tmp_path}/got"\n')
        taken = by_name(examine_stopped(home))
    free = by_name(examine_stopped(home))
    assert (taken["port"].state, taken["port"].code) == ("bad", "port.taken")
    assert free["port"].code == "port.free"
    assert [check.name for check in free.values() if check.state != "good"] == ["node"]
    assert set(free) >= {"node", "config", "port", "home", "disk", "downloads", "files"}


def test_a_home_with_a_mistake_in_its_settings(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    home.config_file.write_text("lan = 7\n")
    broken = by_name(examine_stopped(home))["config"]
    assert (broken.state, broken.code) == ("bad", "config.broken")
    assert "line 1" in broken.says
    home.config_file.write_text('listen = "nonsense:port"\n')
    assert by_name(examine_stopped(home))["config"].code == "config.broken"
    home.config_file.write_text('[remote]\nlisten = ":7413"\ncertificate = "c.pem"\nkey = "k.pem"\n')
    checks = by_name(examine_stopped(home))
    assert checks["config"].code == "config.broken"
    assert checks["certificate"].code == "certificate.unreadable"


def test_a_node_that_does_not_answer(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    checks = by_name(examine_silent(home, 1234, "it does not answer"))
    assert (checks["node"].state, "1234" in checks["node"].remedy) == ("bad", True)
