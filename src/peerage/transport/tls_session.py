"""TLS without I/O: bytes from the wire in, plain bytes out, and the other way round.

Invariant: nothing plain comes out before the handshake has proved both sides; what `encrypt` is given has been taken
when it returns. It knows no sockets and no time.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import Final, cast

CHUNK: Final = 64 * 1024
"""Plain bytes encrypted at once: they stay in the processor's cache, and below malloc's limit for fresh pages."""


class TlsSession:
    """One end of one TLS connection."""

    def __init__(self, context: ssl.SSLContext, *, server_side: bool) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.ended = False
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side)

    @property
    def pending(self) -> int:
        """How many bytes from the wire have not been looked at."""
        return self._incoming.pending

    def receive(self, data: memoryview) -> None:
        """Take bytes from the wire."""
        self._incoming.write(data)

    def handshake(self) -> bool:
        """Go on with the handshake; True when it is complete. Raises ssl.SSLError when it fails."""
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def to_send(self) -> bytes:
        """Return what is to be put on the wire now."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def encrypt(self, data: memoryview) -> bytes:
        """Return what to put on the wire for at most CHUNK plain bytes."""
        self._session.write(data)
        return self._outgoing.read()

    def decrypt_into(self, buffer: memoryview) -> int:
        """Fill a buffer with plain bytes, as far as there are any; returns how many. Raises ssl.SSLError.

        Afterwards `ended` says whether the other side has said farewell.
        """
        read, size = self._session.read, len(buffer)
        filled = 0
        try:
            while filled < size:
                count = cast(int, read(size - filled, cast(bytearray, buffer[filled:])))  # any writable buffer will do
                if not count:
                    self.ended = True
                    break
                filled += count
        except ssl.SSLWantReadError:
            pass
        return filled

    def certificate(self) -> bytes:
        """Return the other side's certificate in DER; empty before the handshake."""
        return self._session.getpeercert(binary_form=True) or b""

    def close(self) -> bytes:
        """Return the bytes that tell the other side that nothing more will come."""
        with contextlib.suppress(ssl.SSLError):  # it wants the other side's farewell, for which nobody waits
            self._session.unwrap()
        return self.to_send()
