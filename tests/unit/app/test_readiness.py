"""What a service manager is told, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from peerage.app.readiness import Manager


@pytest.fixture(params=["path", "abstract"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    place = str(tmp_path / "notify") if request.param == "path" else f"@peerage-test-{os.getpid()}-{tmp_path.name}"
    if request.param == "abstract" and os.uname().sysname != "Linux":
        pytest.skip("abstract sockets are a thing of Linux")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(place.replace("@", "\0", 1))
        listener.settimeout(20)
        yield listener, place


def heard(listener: socket.socket) -> list[str]:
    return listener.recv(4096).decode().split("\n")


async def test_ready_alive_and_stopping(listening: tuple[socket.socket, str]) -> None:
    listener, place = listening
    environment = {"NOTIFY_SOCKET": place, "WATCHDOG_USEC": "2000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/x"}
    manager = Manager.of_environment(environment)
    assert environment == {"HOME": "/x"}
    assert manager.period == 0.001
    async with manager.watched():
        assert await asyncio.to_thread(heard, listener) == ["WATCHDOG=1"]
        assert await asyncio.to_thread(heard, listener) == ["WATCHDOG=1"]
    listener.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            assert heard(listener) == ["WATCHDOG=1"]
    manager.ready("Listens at x")
    assert heard(listener) == ["READY=1", "STATUS=Listens at x"]
    manager.stopping()
    assert heard(listener)[0] == "STOPPING=1"


async def test_nobody_is_told_who_did_not_ask() -> None:
    for environment in ({}, {"NOTIFY_SOCKET": "somewhere"}, {"WATCHDOG_USEC": "1000"}):
        manager = Manager.of_environment(dict(environment))
        manager.ready("x")
        async with manager.watched():
            manager.stopping()


@pytest.mark.parametrize("change", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": ""}])
def test_no_signs_of_life_that_are_not_for_us(change: dict[str, str]) -> None:
    environment = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": str(os.getpid())} | change
    assert Manager.of_environment(environment).period == 0.0


def test_a_manager_that_has_gone_or_does_not_read_disturbs_nobody(tmp_path: Path) -> None:
    Manager(str(tmp_path / "gone")).ready("x")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "full"))
        for _ in range(1000):
            Manager(str(tmp_path / "full")).stopping()
