"""Clear-text connections: every wait ends, nothing is lost at the close, and nobody is dialled to learn the own address."""

from __future__ import annotations

import socket

import pytest

from peerage.transport import tcp_clear
from peerage.transport.tcp_clear import (
    close_clear,
    dial_clear,
    interrupt_clear,
    listen_clear,
    outward_host,
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
