"""Accepting: everyone is handed over, also while file handles are short, and nobody after the end."""

from __future__ import annotations

import asyncio
import errno
import socket

from peerage.identity.address import Address
from peerage.transport import tcp_accept
from peerage.transport.tcp_accept import Acceptor
from peerage.transport.tcp_clear import close_clear, dial_clear, listen_clear, read_clear, send_clear

HOST = "127.0.0.1"


async def test_everyone_who_connects_is_welcomed_until_the_end() -> None:
    with listen_clear(HOST, 0, 5) as listening:
        port = listening.getsockname()[1]
        welcomed: asyncio.Queue[tuple[socket.socket, Address]] = asyncio.Queue()
        acceptor = Acceptor(listening, lambda *guest: welcomed.put_nowait(guest))
        near = dial_clear(HOST, port, 10.0)
        far, place = await welcomed.get()
        assert (place.host, place.port) == near.getsockname()
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

    monkeypatch.setattr(tcp_accept, "_ACCEPT_PAUSE", 0.001)
    with Full(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind((HOST, 0))
        listening.listen()
        welcomed: asyncio.Queue[tuple[socket.socket, Address]] = asyncio.Queue()
        acceptor = Acceptor(listening, lambda *guest: welcomed.put_nowait(guest))
        near = dial_clear(HOST, listening.getsockname()[1], 10.0)
        far, _ = await welcomed.get()
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
