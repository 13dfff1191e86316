"""What the doctor makes of what it sees: each finding has its code, its facts, and a remedy where one is needed."""

from __future__ import annotations

import msgspec
import pytest

from peerage.app.api.doctor_models import Check
from peerage.app.doctor_computer import (
    DISK_LEAST,
    DISK_LOW,
    Space,
    check_certificate,
    check_disk,
    check_downloads,
    check_files,
    check_home,
    check_watches,
)
from peerage.app.doctor_network import (
    SETTLING,
    Company,
    Ears,
    Named,
    Times,
    check_catalogue,
    check_clock,
    check_config,
    check_index,
    check_lan,
    check_listening,
    check_log,
    check_peers,
    check_reachable,
    check_shares,
)

HOME = Space(path="/h", folder="there", free=10 * DISK_LOW)
EARS = Ears(wanted=":7411", places=("192.0.2.7:7411",), deaf=(), port=7411, moved=False, local_only=False)
COMPANY = Company(connected=5, known=9, age=2 * SETTLING, alone="")
TIMES = Times(offsets=(), jumped=0.0, future=-5.0)


def but(struct: msgspec.Struct, **changes: object) -> msgspec.Struct:
    return msgspec.structs.replace(struct, **changes)


def found(check: Check | None) -> tuple[str, str]:
    """Return state and code, having looked whether it is well-formed."""
    assert check is not None
    assert check.code.startswith(f"{check.name}.")
    assert check.says[0].isupper() or check.says[0].isdigit()
    assert bool(check.remedy) or check.state not in {"warn", "bad"}
    return check.state, check.code


@pytest.mark.parametrize(
    ("space", "private", "expected"),
    [
        (HOME, True, ("good", "home.good")),
        (HOME, False, ("warn", "home.open")),
        (but(HOME, folder="read-only", problem="Read-only file system"), True, ("bad", "home.unusable")),
    ],
)
def test_the_home_folder(space: Space, private: bool, expected: tuple[str, str]) -> None:
    assert found(check_home(space, private=private)) == expected


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (None, ("unknown", "disk.unknown")),
        (0, ("bad", "disk.full")),
        (DISK_LEAST - 1, ("bad", "disk.full")),
        (DISK_LEAST, ("warn", "disk.low")),
        (DISK_LOW, ("good", "disk.good")),
    ],
)
def test_the_disk(free: int | None, expected: tuple[str, str]) -> None:
    check = check_disk(but(HOME, free=free))
    assert found(check) == expected
    assert free is None or check.values["free_bytes"] == free


@pytest.mark.parametrize(
    ("changes", "missing", "expected"),
    [
        ({}, 0, ("good", "downloads.good")),
        ({"folder": "missing"}, 0, ("good", "downloads.later")),
        ({"folder": "no-folder", "problem": "it is no folder"}, 0, ("bad", "downloads.no-folder")),
        ({"folder": "read-only", "problem": "Permission denied"}, 0, ("bad", "downloads.read-only")),
        ({"free": None, "problem": "x"}, 5, ("unknown", "downloads.unknown")),
        ({"free": 5 * DISK_LOW}, 5 * DISK_LOW, ("good", "downloads.good")),
        ({"free": 5 * DISK_LOW}, 5 * DISK_LOW + 1, ("bad", "downloads.too-large")),
        ({"free": DISK_LOW - 1}, 0, ("warn", "downloads.low")),
    ],
)
def test_the_folder_for_downloads(changes: dict[str, object], missing: int, expected: tuple[str, str]) -> None:
    assert found(check_downloads(but(HOME, **changes), missing)) == expected


def test_open_files() -> None:
    assert found(check_files(20_000, 30)) == ("good", "files.good")
    assert found(check_files(20_000, None)) == ("good", "files.allowed")
    assert found(check_files(256, 30)) == ("warn", "files.few")
    assert found(check_files(1024, 1000)) == ("bad", "files.full")


def test_watches() -> None:
    assert found(check_watches(8192, 3, 1)) == ("good", "watches.good")
    assert found(check_watches(8192, 0, 0)) == ("good", "watches.good")
    assert found(check_watches(8192, None, 1)) == ("good", "watches.allowed")
    assert found(check_watches(8192, 0, 1)) == ("warn", "watches.none")
    assert found(check_watches(8192, 8000, 1)) == ("warn", "watches.full")


def test_the_certificate() -> None:
    day = 86400
    assert found(check_certificate("/c", 90 * day, "")) == ("good", "certificate.good")
    soon = check_certificate("/c", 3.5 * day, "")
    assert (found(soon), soon.values["days"]) == (("warn", "certificate.soon"), 3)
    assert found(check_certificate("/c", 90 * day, "", outdated=True)) == ("warn", "certificate.unread")
    assert found(check_certificate("/c", -1, "")) == ("bad", "certificate.expired")
    assert found(check_certificate("/c", None, "it is no certificate")) == ("bad", "certificate.unreadable")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("good", "listening.good")),
        ({"wanted": "", "places": ()}, ("warn", "listening.off")),
        ({"places": ()}, ("bad", "listening.deaf")),
        ({"deaf": ("192.0.2.7:7411",)}, ("bad", "listening.deaf")),
        ({"local_only": True}, ("warn", "listening.local")),
        ({"moved": True, "port": 7413}, ("warn", "listening.moved")),
    ],
)
def test_listening(changes: dict[str, object], expected: tuple[str, str]) -> None:
    assert found(check_listening(but(EARS, **changes))) == expected


def test_reachable() -> None:
    own = ["192.168.1.5:7411"]
    assert found(check_reachable(True, EARS, own)) == ("good", "reachable.good")
    assert found(check_reachable(None, EARS, own)) == ("unknown", "reachable.unknown")
    assert found(check_reachable(None, but(EARS, local_only=True), own)) == ("warn", "reachable.closed")
    behind = check_reachable(False, EARS, own)
    assert found(behind) == ("warn", "reachable.no")
    assert behind.values == {"port": 7411, "host": "192.168.1.5"}
    assert "TCP port 7411 in your router to 192.168.1.5 " in behind.remedy
    assert "to this computer" in check_reachable(False, EARS, []).remedy


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("good", "peers.good")),
        ({"connected": 1, "known": 1}, ("good", "peers.good")),
        ({"connected": 1}, ("warn", "peers.few")),
        ({"connected": 0}, ("bad", "peers.lost")),
        ({"connected": 0, "known": 0}, ("bad", "peers.none")),
        ({"connected": 0, "known": 0, "age": 1.0}, ("unknown", "peers.soon")),
    ],
)
def test_peers(changes: dict[str, object], expected: tuple[str, str]) -> None:
    assert found(check_peers(but(COMPANY, **changes))) == expected


def test_the_local_network() -> None:
    assert found(check_lan(wanted=False, problem="", heard=0)) == ("good", "lan.off")
    assert found(check_lan(wanted=True, problem="peers cannot be looked for", heard=0)) == ("warn", "lan.failed")
    assert found(check_lan(wanted=True, problem="", heard=2)) == ("good", "lan.good")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("unknown", "clock.unknown")),
        ({"future": 4000.0}, ("warn", "clock.back")),
        ({"jumped": -4000.0}, ("warn", "clock.jumped")),
        ({"offsets": (0.5,)}, ("good", "clock.good")),
        ({"offsets": (0.5,), "jumped": 4000.0}, ("good", "clock.good")),  # it was put right
        ({"offsets": (120.0, 121.0)}, ("warn", "clock.off")),
        ({"offsets": (4000.0, 4001.0)}, ("bad", "clock.wrong")),
        ({"offsets": (-4000.0, -4001.0)}, ("bad", "clock.wrong")),
    ],
)
def test_the_clock(changes: dict[str, object], expected: tuple[str, str]) -> None:
    assert found(check_clock(but(TIMES, **changes))) == expected


def test_attack_one_liar_does_not_make_the_clock_wrong() -> None:
    assert found(check_clock(but(TIMES, offsets=(1e9,)))) == ("warn", "clock.off")
    assert found(check_clock(but(TIMES, offsets=(0.0, 0.1, 1e9)))) == ("good", "clock.good")


def test_shares() -> None:
    assert found(check_shares([], 0)) == ("good", "shares.none")
    assert found(check_shares([], 2)) == ("good", "shares.good")
    gone = check_shares(["/a", "/b", "/c", "/d", "/e"], 6)
    assert found(gone) == ("warn", "shares.missing")
    assert "/a, /b, /c and 2 more" in gone.says


def test_a_list_of_shares_that_cannot_be_read() -> None:
    assert found(check_catalogue("disk I/O error")) == ("bad", "shares.unreadable")


def test_indexes() -> None:
    there, silent = Named(name="a:1", registered=True), Named(name="b:2", registered=False)
    assert check_index([], 0.0) is None
    assert found(check_index([there], 1e6)) == ("good", "index.good")
    assert found(check_index([there, silent], 1.0)) == ("unknown", "index.soon")
    late = check_index([there, silent], 1e6)
    assert found(late) == ("warn", "index.silent")
    assert late is not None
    assert "b:2" in late.says
    assert "a:1" not in late.says


def test_the_log_and_the_settings() -> None:
    assert found(check_log(0, "")) == ("good", "log.good")
    assert found(check_log(2, "no room")) == ("warn", "log.errors")
    assert found(check_config("", [], [])) == ("good", "config.good")
    assert found(check_config("", ["listen"], [])) == ("warn", "config.restart")
    assert found(check_config("", ["listen"], ["lan"])) == ("warn", "config.unread")
    assert found(check_config("Config.toml, line 3: no", [], [])) == ("bad", "config.broken")
