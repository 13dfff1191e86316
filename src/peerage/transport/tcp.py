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
from typing import Final, cast

from peerage.errors import DialError, ForgedError, WrongNetworkError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, PeerKey, peer_id_of
from peerage.identity.network import Network, public_key_of
from peerage.limits import DEFAULT, DIAL_TIMEOUT, Limits
from peerage.transport.base import Gate, Link, Receiver
from peerage.transport.tls import make_contexts

_BACKLOG: Final = 256
_ACCEPT_PAUSE: Final = 0.2  # seconds to wait when the system has no file handle left
_EARLY_ROOM: Final = 4096  # bytes read at the most before someone listens; a hello fits well
_WRITE_HIGH: Final = 1024 * 1024  # bytes unsent at which the writer is told to pause
_OUT_OF_HANDLES: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class SystemClock:
    """The computer's own time of day."""

    def time(self) -> float:
        """Return seconds since 1970."""
        return time.time()


class TcpLink(asyncio.BufferedProtocol):
    """One TLS connection; read straight into the receiver's buffers."""

    peer_id: PeerId
    public_key: bytes
    remote: Address
    local: Address

    def __init__(self, *, outgoing: bool) -> None:
        self.outgoing = outgoing
        self._transport: asyncio.Transport | None = None
        self._receiver: Receiver | None = None
        self._early = bytearray()  # what came before someone listened
        self._room = bytearray(_EARLY_ROOM)
        self._lost: Exception | None = None
        self._closed = False

    # --- what asyncio calls ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is complete; what comes before someone listens is kept, up to one read."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH)
        self.remote = _address_of(transport.get_extra_info("peername"))
        self.local = _address_of(transport.get_extra_info("sockname"))

    def identify(self) -> None:
        """Take the peer's key from its certificate; raises ForgedError when there is none."""
        assert self._transport is not None
        session: ssl.SSLObject = self._transport.get_extra_info("ssl_object")
        self.public_key = public_key_of(session.getpeercert(binary_form=True) or b"")
        self.peer_id = peer_id_of(self.public_key)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Pass on to the receiver."""
        if self._receiver is None:
            return memoryview(self._room)
        return self._receiver.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on to the receiver; while there is none, one read is kept and no more is taken."""
        if self._receiver is None:
            self._early += self._room[:nbytes]
            self.pause_reading()  # not sooner: asyncio sends the end of its handshake only while it reads
        else:
            self._receiver.buffer_updated(nbytes)

    def eof_received(self) -> bool:
        """The other side has closed; so do we."""
        return False

    def pause_writing(self) -> None:
        """Pass on to the receiver."""
        if self._receiver is not None:
            self._receiver.pause_writing()

    def resume_writing(self) -> None:
        """Pass on to the receiver."""
        if self._receiver is not None:
            self._receiver.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the receiver, or remember it for the one who comes."""
        self._closed, self._lost = True, exc
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.link_lost(exc)

    # --- what a Link offers ---------------------------------------------------------------------------------

    def start(self, receiver: Receiver) -> None:
        """Begin to deliver."""
        rest = memoryview(bytes(self._early))
        self._early.clear()
        self._room.clear()
        while rest:
            buffer = receiver.get_buffer(len(rest))
            count = min(len(buffer), len(rest))
            buffer[:count] = rest[:count]
            receiver.buffer_updated(count)
            rest = rest[count:]
        if self._closed:
            receiver.link_lost(self._lost)
            return
        self._receiver = receiver
        self.resume_reading()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, in order."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def unsent(self) -> int:
        """Return how many bytes wait to be sent."""
        return 0 if self._transport is None or self._closed else self._transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        """Take no more from the other side."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """Send what is waiting, then end."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End now."""
        if self._transport is not None:
            self._transport.abort()


class TcpListener:
    """Listening sockets and the handshakes under way."""

    def __init__(self, sockets: list[socket.socket], server: _Server) -> None:
        self.addresses = tuple(_address_of(each.getsockname()) for each in sockets)
        self._sockets = sockets
        self._server = server
        self._loops = [asyncio.create_task(server.accept_from(each)) for each in sockets]

    async def close(self) -> None:
        """Stop listening and drop strangers; links that exist stay."""
        for task in (*self._loops, *self._server.handshakes):
            task.cancel()
        await asyncio.gather(*self._loops, *self._server.handshakes, return_exceptions=True)
        for each in self._sockets:
            each.close()


class _Server:
    """Turns accepted sockets into links."""

    def __init__(self, context: ssl.SSLContext, limits: Limits, gate: Gate, accept: Callable[[Link], None]) -> None:
        self._context = context
        self._limits = limits
        self._gate = gate
        self._accept = accept
        self.handshakes: dict[asyncio.Task[None], None] = {}  # in the order they began

    async def accept_from(self, listening: socket.socket) -> None:
        """Accept for ever."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                stranger, peername = await loop.sock_accept(listening)
            except OSError as error:
                if error.errno in _OUT_OF_HANDLES:
                    await asyncio.sleep(_ACCEPT_PAUSE)
                continue  # the stranger went away again
            if self._gate.admits(_address_of(peername).host):
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
        task.add_done_callback(lambda done: self.handshakes.pop(done, None))

    async def _handshake(self, stranger: socket.socket) -> None:
        link = TcpLink(outgoing=False)
        try:
            stranger.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(self._limits.handshake_timeout):
                await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: link,
                    stranger,
                    ssl=self._context,
                    ssl_handshake_timeout=self._limits.handshake_timeout,
                )
            link.identify()
        except (OSError, ForgedError) as error:  # ssl.SSLError and TimeoutError are OSErrors
            link.abort()
            self._gate.handshake_failed(_word_for(error))
            return
        self._accept(link)


class TcpTransport:
    """Makes TLS links for one peer of one network."""

    def __init__(self, network: Network, key: PeerKey, limits: Limits = DEFAULT) -> None:
        self._network = network
        self._contexts = make_contexts(network, key)
        self._limits = limits

    async def listen(self, address: Address, gate: Gate, accept: Callable[[Link], None]) -> TcpListener:
        """Listen at `address`; an empty host means every interface, IPv4 and IPv6, on one port."""
        server = _Server(self._contexts.server, self._limits, gate, accept)
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
        link = TcpLink(outgoing=True)
        try:
            async with asyncio.timeout(DIAL_TIMEOUT + self._limits.handshake_timeout):
                await asyncio.get_running_loop().create_connection(
                    lambda: link,
                    address.host,
                    address.port,
                    ssl=self._contexts.client,
                    server_hostname="peer",  # asyncio insists; `_NamelessContext` keeps it off the wire
                    ssl_handshake_timeout=self._limits.handshake_timeout,
                )
            link.identify()
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
        except ForgedError:
            link.abort()
            raise
        return link


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


def _address_of(name: object) -> Address:
    """Turn a socket name into an address; IPv4-mapped IPv6 as IPv4."""
    if not isinstance(name, tuple) or len(name) < 2:
        return Address("", 0)
    host = str(name[0]).removeprefix("::ffff:") if "." in str(name[0]) else str(name[0])
    return Address(host.partition("%")[0], int(name[1]))


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
