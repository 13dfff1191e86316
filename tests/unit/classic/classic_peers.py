"""Peers of 2007 on real loopback sockets, for tests: each listens before the test goes on, and is gone after it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

from peerage.classic import BTPeer

HOST = "127.0.0.1"
PATIENCE = 20.0  # seconds: only a hanging test gets there


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def threads_of(peer: BTPeer) -> list[threading.Thread]:
    """The threads that run for a peer."""
    return [each for each in threading.enumerate() if each.name.startswith(peer.myid)]


class Running:
    """A peer whose main loop runs in a thread."""

    def __init__(self, peer: BTPeer) -> None:
        self.peer = peer
        self.listens = threading.Event()
        self.thread = threading.Thread(target=peer.mainloop)

    def start(self) -> None:
        make = self.peer.makeserversocket

        def make_and_tell(port: int, backlog: int = 5) -> socket.socket:
            listening = make(port, backlog)
            self.listens.set()
            return listening

        self.peer.makeserversocket = make_and_tell
        self.thread.start()
        assert self.listens.wait(PATIENCE)

    def stop(self) -> None:
        self.peer.shutdown = True
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@contextlib.contextmanager
def listening(*peers: BTPeer) -> Iterator[None]:
    """Let peers listen."""
    with contextlib.ExitStack() as stack:
        for peer in peers:
            running = Running(peer)
            running.start()
            stack.callback(running.stop)
        yield


def new_peer(maxpeers: int = 5, port: int | None = None) -> BTPeer:
    return BTPeer(maxpeers, port or free_port(), serverhost=HOST)


def message(code: bytes, payload: bytes = b"") -> bytes:
    """A message as bytes, made here by hand."""
    return struct.pack("!4sL", code, len(payload)) + payload


def exchange(port: int, *pieces: bytes, half_close: bool = True, source: str = HOST) -> bytes:
    """Send pieces one by one; return everything that comes until the other side closes."""
    with socket.create_connection((HOST, port), PATIENCE, source_address=(source, 0)) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):
            for piece in pieces:
                raw.sendall(piece)
            if half_close:
                raw.shutdown(socket.SHUT_WR)
        came = bytearray()
        with contextlib.suppress(OSError):
            while data := raw.recv(65536):
                came += data
        return bytes(came)
