"""Accepting TCP connections on the running loop.

Invariant: every connection that the system accepted is handed over; a task that awaits the next one would lose one
that comes at the moment at which it is cancelled. When no file handle is left, accepting pauses. Who may stay is
decided by whoever is handed the socket.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from peerage.identity.address import Address
from peerage.transport.tcp_link import address_of

_ACCEPT_PAUSE: Final = 0.2  # seconds to wait when the system has no file handle left, say

Welcome = Callable[[socket.socket, Address], None]


class Acceptor:
    """Hands every connection to `welcome(socket, address)`, on the running loop, until `close`."""

    def __init__(self, listening: socket.socket, welcome: Welcome) -> None:
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self._welcome = welcome
        self._pause: asyncio.TimerHandle | None = None
        listening.setblocking(False)
        self._listen()

    def close(self) -> None:
        """Hand over no more; the listening socket stays open."""
        self._loop.remove_reader(self._listening)
        if self._pause is not None:
            self._pause.cancel()

    def _listen(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        try:
            stranger, peername = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # the stranger went away again
        except OSError:
            self._loop.remove_reader(self._listening)
            self._pause = self._loop.call_later(_ACCEPT_PAUSE, self._listen)
            return
        stranger.setblocking(False)
        self._welcome(stranger, address_of(peername))
