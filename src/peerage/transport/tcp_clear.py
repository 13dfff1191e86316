"""Clear-text TCP connections for programs of 2007: blocking, but never for ever.

Invariant: every wait has an end, and whatever is opened here and not handed over is closed here. Nothing on these
connections is encrypted or authenticated; what may be said over them, and by whom, is decided elsewhere. The same for
code that awaits is `clear.py` and `tcp_streams.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import Final

Socket = socket.socket
monotonic: Final = time.monotonic

READ_BYTES: Final = 64 * 1024
_SHORTEST: Final = 0.001  # seconds; 0 would mean "do not wait at all"
_NO_HOST: Final = ("192.0.2.1", 9)  # RFC 5737: an address that nobody has


def listen_clear(host: str, port: int, backlog: int) -> Socket:
    """Return a listening IPv4 socket; an empty host means every interface. Raises OSError."""
    listening = Socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(backlog)
    except BaseException:
        listening.close()
        raise
    return listening


def dial_clear(host: str, port: int, timeout: float) -> Socket:
    """Connect within `timeout` seconds; raises OSError."""
    return socket.create_connection((host, port), timeout)


def send_clear(connection: Socket, data: bytes, timeout: float) -> None:
    """Send all of it within `timeout` seconds; raises OSError."""
    connection.settimeout(max(timeout, _SHORTEST))
    connection.sendall(data)


def receive_clear(connection: Socket, timeout: float) -> bytes:
    """Return what comes next, at most `READ_BYTES`; nothing at the end. Raises OSError, TimeoutError too."""
    connection.settimeout(max(timeout, _SHORTEST))
    return connection.recv(READ_BYTES)


def interrupt_clear(connection: Socket) -> None:
    """Wake whoever waits on it in another thread; it still has to be closed."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def close_clear(connection: Socket) -> None:
    """Close; what was sent arrives even if the other side said more than was read, which else would reset it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.setblocking(False)
        connection.recv(READ_BYTES)
    connection.close()


def outward_host() -> str:
    """Return the IPv4 address from which this computer would send to the outside; nothing is sent, nobody asked.

    Connecting a datagram socket only looks the way up in the routing table. Without a way out it is 127.0.0.1.
    """
    with Socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_NO_HOST)
        except OSError:
            return "127.0.0.1"
        host: str = probe.getsockname()[0]
        return host


async def read_clear(connection: Socket) -> bytes:
    """Return what comes next, without blocking the loop; nothing at the end. Raises OSError."""
    return await asyncio.get_running_loop().sock_recv(connection, READ_BYTES)
