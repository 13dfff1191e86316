"""One TLS link over one TCP connection.

Invariant: the receiver gets plain bytes straight into its own buffers, in order, and only after the handshake; while
it pauses, at most one read of the socket is kept. The wire's bytes live in a buffer that all links of a transport
share, as they are taken out of it before the next read.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final, cast

from peerage.identity.address import Address
from peerage.identity.keys import PeerId, peer_id_of
from peerage.identity.network import public_key_of
from peerage.limits import KIB, MIB
from peerage.transport.base import Receiver
from peerage.transport.tls_session import CHUNK, TlsSession

ROOM: Final = 256 * KIB  # bytes read from a socket at once
_BATCH: Final = 256 * KIB  # bytes handed to a socket at once
_WRITE_HIGH: Final = MIB  # bytes unsent at which the writer is told to pause
_LINGER: Final = 30.0  # seconds that a closed link waits for the other side to close too


class TcpLink(asyncio.BufferedProtocol):
    """A link once `secured` is done; before that, a handshake."""

    peer_id: PeerId
    public_key: bytes
    remote: Address
    local: Address

    def __init__(self, context: ssl.SSLContext, room: memoryview, *, outgoing: bool) -> None:
        self.outgoing = outgoing
        self.secured: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._session = TlsSession(context, server_side=not outgoing)
        self._room = room
        self._transport: asyncio.Transport | None = None
        self._receiver: Receiver | None = None
        self._paused = False
        self._delivering = False
        self._lost: Exception | None = None
        self._closed = False
        self._aborted = False
        self._farewell: asyncio.TimerHandle | None = None  # set once this side has closed

    # --- what asyncio calls -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, if anybody still wants it."""
        self._transport = cast(asyncio.Transport, transport)
        if self._aborted:
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH)
        self.remote = address_of(transport.get_extra_info("peername"))
        self.local = address_of(transport.get_extra_info("sockname"))
        self._shake_hands()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 -- asyncio's signature
        """Read into the shared room."""
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """Take the bytes out of the shared room, and pass on what they say."""
        if self._farewell is not None:
            return  # nobody is interested any more
        self._session.receive(self._room[:nbytes])
        if self.secured.done():
            self._deliver()
        else:
            self._shake_hands()

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
        self._closed, self._lost = True, self._lost or exc
        if self._farewell is not None:
            self._farewell.cancel()
        if not self.secured.done():
            self.secured.set_exception(exc or ConnectionResetError("the other side hung up"))
            self.secured.exception()  # nobody may be waiting for it
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.link_lost(self._lost)

    # --- what a Link offers ---------------------------------------------------------------------------------------

    def start(self, receiver: Receiver) -> None:
        """Begin to deliver, first what has come already."""
        self._receiver = receiver
        self._deliver()
        if self._closed:
            if self._receiver is not None:
                self._receiver = None
                receiver.link_lost(self._lost)
        elif not self._paused:
            self._resume()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, in order; `data` has been taken when this returns."""
        transport = self._transport
        if transport is None or self._farewell is not None or transport.is_closing():
            return
        if len(data) <= CHUNK:
            transport.write(self._session.encrypt(memoryview(data)))
            return
        view, encrypt = memoryview(data), self._session.encrypt
        for start in range(0, len(view), _BATCH):
            batch = view[start : start + _BATCH]
            transport.writelines([encrypt(batch[at : at + CHUNK]) for at in range(0, len(batch), CHUNK)])

    def unsent(self) -> int:
        """Return how many bytes wait to be sent."""
        return 0 if self._transport is None or self._closed else self._transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        """Take no more from the other side."""
        self._paused = True
        if self._transport is not None and self._farewell is None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on, first with what has come already."""
        if self._paused:
            self._paused = False
            asyncio.get_running_loop().call_soon(self._go_on)

    def close(self) -> None:
        """Send what is waiting and a farewell, then end when the other side has read it.

        A socket that is closed while bytes wait to be read from it drops what it has not sent yet (RFC 2525, 2.17);
        so this one is closed for writing only, and what still comes is thrown away.
        """
        transport = self._transport
        if transport is None or not self.secured.done() or self.secured.exception():
            self.abort()
        elif self._farewell is None and not transport.is_closing():
            transport.write(self._session.close())
            self._farewell = asyncio.get_running_loop().call_later(_LINGER, self.abort)
            transport.write_eof()
            self._resume()

    def abort(self) -> None:
        """End now."""
        self._aborted = True  # also when there is no connection yet: one may be on its way
        if self._transport is not None and not self._closed:
            self._transport.abort()

    # --- inside -----------------------------------------------------------------------------------------------------

    @property
    def _over(self) -> bool:
        """Whether this side wants nothing more of the other."""
        return self._aborted or self._farewell is not None

    def _shake_hands(self) -> None:
        transport = self._transport
        assert transport is not None
        try:
            done = self._session.handshake()
            transport.write(self._session.to_send())
            if done:
                self.public_key = public_key_of(self._session.certificate())
                self.peer_id = peer_id_of(self.public_key)
                transport.pause_reading()  # until somebody listens
                self.secured.set_result(None)
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with a stranger ends only the stranger
            transport.write(self._session.to_send())  # the alert that says why
            self.secured.set_exception(error)
            self.secured.exception()
            transport.close()

    def _deliver(self) -> None:
        """Decrypt into the receiver's buffers until nothing is left, or it pauses."""
        if self._delivering:
            return
        self._delivering = True
        session = self._session
        try:
            while (receiver := self._receiver) is not None and not self._paused and not self._over:
                count = session.decrypt_into(receiver.get_buffer(session.pending))
                if count:
                    receiver.buffer_updated(count)
                if session.ended:
                    self.close()
                elif not count:
                    break
        except ssl.SSLError as error:
            self._lost = error
            self.abort()
        finally:
            self._delivering = False

    def _go_on(self) -> None:
        if not self._paused and not self._closed:
            self._deliver()
            if not self._paused:
                self._resume()

    def _resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()


def address_of(name: object) -> Address:
    """Turn a socket name into an address; IPv4-mapped IPv6 as IPv4."""
    if not isinstance(name, tuple) or len(name) < 2:
        return Address("", 0)
    host = str(name[0]).removeprefix("::ffff:") if "." in str(name[0]) else str(name[0])
    return Address(host.partition("%")[0], int(name[1]))
