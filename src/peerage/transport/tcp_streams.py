"""Clear-text channels over TCP and asyncio's streams.

Invariant: a channel holds at most twice READ_AHEAD bytes that nobody has read yet; the rest waits in the kernel, and
with it the other side.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from functools import partial
from typing import Final

from peerage.errors import DialError, LinkLostError
from peerage.identity.address import Address
from peerage.limits import DIAL_TIMEOUT
from peerage.transport.clear import Channel
from peerage.transport.tcp_link import address_of

READ_AHEAD: Final = 8 * 1024  # a request of 2007 has below 300 bytes
_FILE_READ_AHEAD: Final = 256 * 1024  # who dials may be after a file
_BACKLOG: Final = 256


class TcpChannel:
    """One TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        writer.transport.set_write_buffer_limits(high=0)  # so that `write` returns when the kernel has all of it
        self.remote = address_of(writer.get_extra_info("peername"))
        self.local = address_of(writer.get_extra_info("sockname"))

    async def read(self, most: int) -> bytes:
        """Return what has come; nothing at the end."""
        try:
            return await self._reader.read(most)
        except OSError as error:
            raise LinkLostError(f"the connection to {self.remote} broke") from error

    async def write(self, data: bytes | memoryview) -> None:
        """Send; waits as long as the other side does not read."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except (OSError, RuntimeError) as error:  # a RuntimeError where the transport is closed already
            raise LinkLostError(f"the connection to {self.remote} broke") from error

    def finish(self) -> None:
        """Send the end of the stream after everything else."""
        if not self._writer.is_closing() and self._writer.can_write_eof():
            try:
                self._writer.write_eof()
            except (OSError, RuntimeError):
                self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._writer.transport.abort()


class TcpStreamListener:
    """An open ear."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server
        self.addresses = tuple(address_of(each.getsockname()) for each in server.sockets)

    async def close(self) -> None:
        """Stop listening; channels that exist stay with their owners."""
        self._server.close()


class TcpStreams:
    """Makes clear-text channels over TCP."""

    async def listen(self, address: Address, accept: Callable[[Channel], None]) -> TcpStreamListener:
        """Listen at one address; raises DialError when that cannot be."""
        taken = partial(_taken, accept)
        try:
            server = await asyncio.start_server(
                taken, address.host, address.port, limit=READ_AHEAD, backlog=_BACKLOG, family=socket.AF_INET
            )
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            raise DialError(f"cannot listen at {address}: {reason}") from error
        return TcpStreamListener(server)

    async def dial(self, address: Address) -> TcpChannel:
        """Connect; raises DialError."""
        try:
            async with asyncio.timeout(DIAL_TIMEOUT):
                streams = await asyncio.open_connection(
                    address.host, address.port, limit=_FILE_READ_AHEAD, family=socket.AF_INET
                )
        except TimeoutError as error:
            raise DialError(f"{address} did not answer in time") from error
        except OSError as error:
            raise DialError(f"cannot connect to {address}: nobody answers there") from error
        return TcpChannel(*streams)


def _taken(accept: Callable[[Channel], None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    accept(TcpChannel(reader, writer))
