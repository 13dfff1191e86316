"""Links over TCP with mutual TLS 1.3; the one module that touches sockets and the time of day.

Invariant: strangers are bounded before they cost anything: the gate is asked before the handshake, handshakes have a
deadline and a common bound at which the oldest gives way, and no byte of theirs is kept until it ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from peerage.errors import DialError, ForgedError, WrongNetworkError
from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.identity.network import Network
from peerage.limits import DEFAULT, DIAL_TIMEOUT, Limits
from peerage.transport.base import Gate, Link
from peerage.transport.tcp_accept import Acceptor
from peerage.transport.tcp_link import ROOM, TcpLink, address_of
from peerage.transport.tls import make_contexts

Accept = Callable[[Link], None]

_BACKLOG: Final = 256


class SystemClock:
    """The computer's own time of day."""

    def time(self) -> float:
        """Return seconds since 1970."""
        return time.time()


class TcpListener:
    """Listening sockets and the handshakes under way."""

    def __init__(self, sockets: list[socket.socket], server: _Server) -> None:
        self.addresses = tuple(address_of(each.getsockname()) for each in sockets)
        self._sockets = sockets
        self._server = server
        self._acceptors = [Acceptor(each, server.welcome) for each in sockets]

    async def close(self) -> None:
        """Stop listening and drop strangers; links that exist stay."""
        for acceptor in self._acceptors:
            acceptor.close()
        for task in self._server.handshakes:
            task.cancel()
        await asyncio.gather(*self._server.handshakes, return_exceptions=True)
        for each in self._sockets:
            each.close()


class _Server:
    """Turns accepted sockets into links."""

    def __init__(self, make_link: Callable[[], TcpLink], limits: Limits, gate: Gate, accept: Accept) -> None:
        self._make_link = make_link
        self._limits = limits
        self._gate = gate
        self._accept = accept
        self.handshakes: dict[asyncio.Task[None], None] = {}  # in the order they began

    def welcome(self, stranger: socket.socket, place: Address) -> None:
        """Begin the handshake with a stranger, if the gate admits it."""
        if self._gate.admits(place.host):
            self._begin(stranger)
        else:
            stranger.close()

    def _begin(self, stranger: socket.socket) -> None:
        if len(self.handshakes) >= self._limits.pending_handshakes:
            oldest = next(iter(self.handshakes))
            del self.handshakes[oldest]
            oldest.cancel()
            self._gate.handshake_failed("crowded-out")
        task = asyncio.create_task(self._handshake(stranger))
        self.handshakes[task] = None
        task.add_done_callback(partial(self._over, stranger))

    def _over(self, stranger: socket.socket, handshake: asyncio.Task[None]) -> None:
        self.handshakes.pop(handshake, None)
        if handshake.cancelled():
            stranger.close()  # a task that was cancelled before its first step has not even begun to own it

    async def _handshake(self, stranger: socket.socket) -> None:
        link = self._make_link()
        try:
            stranger.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(self._limits.handshake_timeout):
                await asyncio.get_running_loop().connect_accepted_socket(lambda: link, stranger)
                await link.secured
        except (OSError, ForgedError) as error:  # ssl.SSLError and TimeoutError are OSErrors
            link.abort()
            self._gate.handshake_failed(_word_for(error))
            return
        except asyncio.CancelledError:
            link.abort()
            raise
        self._accept(link)


class TcpTransport:
    """Makes TLS links for one peer of one network."""

    def __init__(self, network: Network, key: PeerKey, limits: Limits = DEFAULT) -> None:
        self._network = network
        self._contexts = make_contexts(network, key)
        self._room = memoryview(bytearray(ROOM))
        self._limits = limits

    async def listen(self, address: Address, gate: Gate, accept: Accept) -> TcpListener:
        """Listen at `address`; an empty host means every interface, IPv4 and IPv6, on one port."""
        server = _Server(partial(self._link, outgoing=False), self._limits, gate, accept)
        sockets: list[socket.socket] = []
        try:
            for host in (address.host,) if address.host else ("0.0.0.0", "::"):  # noqa: S104 -- asked for
                port = sockets[0].getsockname()[1] if sockets else address.port
                with contextlib.suppress(_NoSuchFamilyError):
                    sockets.append(await _listening_socket(Address(host, port)))
        except OSError as error:
            for each in sockets:
                each.close()
            raise DialError(f"cannot listen at {address}: {os.strerror(error.errno or 0)}") from error
        if not sockets:
            raise DialError(f"cannot listen at {address}: this computer has no such address family")
        return TcpListener(sockets, server)

    async def dial(self, address: Address) -> TcpLink:
        """Make a link; raises DialError when nobody answers, WrongNetworkError when it is another network."""
        link = self._link(outgoing=True)
        try:
            async with asyncio.timeout(DIAL_TIMEOUT + self._limits.handshake_timeout):
                await asyncio.get_running_loop().create_connection(lambda: link, address.host, address.port)
                await link.secured
        except ssl.SSLCertVerificationError as error:
            raise WrongNetworkError(
                f"{address} belongs to another network than {self._network.name!r}: "
                "use the same --network name or the same secret on both sides"
            ) from error
        except ssl.SSLError as error:
            raise DialError(f"{address} does not speak Peerage ({error.reason or 'no TLS 1.3'})") from error
        except TimeoutError as error:
            raise DialError(f"{address} did not answer in time") from error
        except OSError as error:
            raise DialError(f"cannot connect to {address}: {_reason(error)}") from error
        except asyncio.CancelledError:
            link.abort()
            raise
        return link

    def _link(self, *, outgoing: bool) -> TcpLink:
        context = self._contexts.client if outgoing else self._contexts.server
        return TcpLink(context, self._room, outgoing=outgoing)


class _NoSuchFamilyError(Exception):
    """This computer has no IPv6, or no IPv4."""


async def _listening_socket(address: Address) -> socket.socket:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, place = found[0]
    try:
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _NoSuchFamilyError from error
    try:
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(place)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        if family == socket.AF_INET6 and error.errno == errno.EADDRNOTAVAIL and address.host == "::":
            raise _NoSuchFamilyError from error
        raise
    return listening


def _word_for(error: Exception) -> str:
    """Name a failed handshake for the counters."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ForgedError):
        return "forged"
    if isinstance(error, ssl.SSLError) and "UNKNOWN_CA" in (error.reason or "") + str(error):
        return "wrong-network"
    return "wrong-network" if isinstance(error, ssl.SSLCertVerificationError) else "broken"


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "no such host"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    return os.strerror(error.errno) if error.errno and error.errno > 0 else (str(error) or type(error).__name__)
