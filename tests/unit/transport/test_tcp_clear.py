"""Clear-text connections: every wait ends, nothing is lost at the close, and nobody is dialled to learn the own address."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from peerage.transport import tcp_clear
from peerage.transport.tcp_clear import (
    Acceptor,
    close_clear,
    dial_clear,
    interrupt_clear,
    listen_clear,
    outward_host,
    read_clear,
    receive_clear,
    send_clear,
)

HOST = "127.0.0.1"


def connected() -> tuple[socket.socket, socket.socket]:
    with listen_clear(HOST, 0, 5) as listening:
        near = dial_clear(HOST, listening.getsockname()[1], 10.0)
        far, _ = listening.accept()
        return near, far


def test_bytes_go_both_ways() -> None:
    near, far = connected()
    send_clear(near, b"hello", 10.0)
    assert receive_clear(far, 10.0) == b"hello"
    close_clear(near)
    assert receive_clear(far, 10.0) == b""
    close_clear(far)


def test_a_silent_peer_ends_the_wait() -> None:
    near, far = connected()
    with pytest.raises(TimeoutError):
        receive_clear(near, 0.0)
    with pytest.raises(TimeoutError):
        send_clear(near, bytes(50_000_000), 0.01)  # more than any buffer on the way holds
    close_clear(near)
    close_clear(far)


def test_what_was_sent_arrives_although_not_all_was_read() -> None:
    near, far = connected()
    send_clear(near, b"a request and more that nobody reads", 10.0)
    far.recv(9)
    send_clear(far, b"the answer", 10.0)
    close_clear(far)
    assert receive_clear(near, 10.0) == b"the answer"
    assert receive_clear(near, 10.0) == b""
    close_clear(near)
    close_clear(near)


def test_an_interrupted_connection_wakes_who_waits_and_stays_open() -> None:
    near, far = connected()
    interrupt_clear(near)
    assert receive_clear(near, 10.0) == b""
    assert near.fileno() > 0
    close_clear(near)
    interrupt_clear(near)
    close_clear(far)


def test_a_port_that_is_taken_leaves_no_socket_behind() -> None:
    with listen_clear(HOST, 0, 5) as listening, pytest.raises(OSError):  # an open socket would be a ResourceWarning
        listen_clear(HOST, listening.getsockname()[1], 5)


def test_the_own_address_comes_from_the_routing_table(monkeypatch) -> None:
    assert socket.inet_aton(outward_host())
    monkeypatch.setattr(tcp_clear, "_NO_HOST", ("not an address", 9))
    assert outward_host() == "127.0.0.1"


async def test_everyone_who_connects_is_welcomed_until_the_end() -> None:
    with listen_clear(HOST, 0, 5) as listening:
        port = listening.getsockname()[1]
        welcomed: asyncio.Queue[tuple[socket.socket, str, int]] = asyncio.Queue()
        acceptor = Acceptor(listening, lambda *guest: welcomed.put_nowait(guest))
        near = dial_clear(HOST, port, 10.0)
        far, host, far_port = await welcomed.get()
        assert (host, far_port) == near.getsockname()
        send_clear(near, b"hello", 10.0)
        assert await read_clear(far) == b"hello"
        acceptor.close()
        late = dial_clear(HOST, port, 10.0)
        await asyncio.sleep(0)
        assert welcomed.empty()
        for each in (near, far, late):
            close_clear(each)


async def test_without_file_handles_it_waits_and_goes_on(monkeypatch) -> None:
    class Full(socket.socket):
        refusals = [errno.EMFILE, errno.ECONNABORTED]

        def accept(self):
            if self.refusals:
                code = self.refusals.pop(0)
                raise OSError(code, "refused")
            return super().accept()

    monkeypatch.setattr(tcp_clear, "_ACCEPT_PAUSE", 0.001)
    with Full(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind((HOST, 0))
        listening.listen()
        welcomed: asyncio.Queue[tuple[socket.socket, str, int]] = asyncio.Queue()
        acceptor = Acceptor(listening, lambda *guest: welcomed.put_nowait(guest))
        near = dial_clear(HOST, listening.getsockname()[1], 10.0)
        far, _, _ = await welcomed.get()
        assert Full.refusals == []
        acceptor.close()
        close_clear(near)
        close_clear(far)


async def test_the_end_may_come_while_it_waits_for_file_handles() -> None:
    class Full(socket.socket):
        def accept(self):
            tried.set()
            raise OSError(errno.EMFILE, "refused")

    tried = asyncio.Event()
    with Full(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind((HOST, 0))
        listening.listen()
        acceptor = Acceptor(listening, lambda *_: None)
        near = dial_clear(HOST, listening.getsockname()[1], 10.0)
        await tried.wait()
        acceptor.close()
        close_clear(near)
