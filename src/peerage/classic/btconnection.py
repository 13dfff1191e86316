"""BTPeerConnection: the messages of 2007 over one clear-text connection, for programs that block.

Invariant: a message leaves in one write; none that comes is kept before its length was checked; no call waits for ever;
`senddata` and `recvdata` never raise. Text stands for bytes without loss, see `Text`.
"""

from __future__ import annotations

import logging
import struct
import sys
import threading
from collections import deque
from typing import Final, Self

from peerage.classic.patience import Patience
from peerage.errors import ProtocolError
from peerage.limits import (
    BTPEER_GRACE,
    BTPEER_SLOWEST,
    DIAL_TIMEOUT,
    MAX_BTPEER_ANSWER,
    MAX_BTPEER_REQUEST,
)
from peerage.transport.tcp_clear import (
    Socket,
    close_clear,
    dial_clear,
    interrupt_clear,
    monotonic,
    receive_clear,
    send_clear,
)
from peerage.wire.classic import Frame, FrameReader, bytes_of, encode_frame, printable, text_of

log = logging.getLogger("peerage.classic")

_FRAME_COST: Final = 256  # bytes of memory that a message takes beside its payload
_UNSENDABLE: Final = (OSError, TypeError, ValueError, struct.error)
_NOTHING: Final = (None, None)


class Text(str):
    """The payload of a message as text, as programs of 2007 treat it; `bytes(text)` are the very bytes that came.

    Bytes that are not UTF-8 stand in it as lone surrogates (PEP 383), so a picture passes through unharmed.
    """

    __slots__ = ()

    def __new__(cls, data: bytes) -> Self:
        """Make one from bytes."""
        return super().__new__(cls, text_of(data))

    def __bytes__(self) -> bytes:
        return bytes_of(self)


def btdebug(msg: object) -> None:
    """Write a line to the screen, with the name of the thread before it."""
    sys.stdout.write(f"[{threading.current_thread().name}] {printable(str(msg))}\n")


class BTPeerConnection:
    """A connection to a peer; dials at once unless `sock` is given, and raises OSError when nobody answers.

    `id`, `debug` and `s`, the socket, are attributes as in 2007; `host` and `port` say where the other side is.
    """

    def __init__(
        self,
        peerid: str | None,
        host: str,
        port: int | str,
        sock: Socket | None = None,
        debug: bool | int = False,  # noqa: FBT001, FBT002 -- as it was
    ) -> None:
        self.id = peerid
        self.debug = debug
        self.host, self.port = host, int(port)
        most = MAX_BTPEER_REQUEST if sock else MAX_BTPEER_ANSWER
        self._reader = FrameReader(most)
        self._allowance = most  # bytes that may still come
        self._frames: deque[Frame] = deque()
        self._sending, self._receiving = threading.Lock(), threading.Lock()
        self.s: Socket | None = sock or dial_clear(self.host, self.port, DIAL_TIMEOUT)

    def senddata(self, msgtype: str | bytes, msgdata: str | bytes) -> bool:
        """Send a message; False when that cannot be."""
        try:
            message = encode_frame(_raw(msgtype), _raw(msgdata))
            with self._sending:
                if self.s is None:
                    return False
                send_clear(self.s, message, BTPEER_GRACE + len(message) / BTPEER_SLOWEST)
        except _UNSENDABLE as error:
            self._note("could not send", error)
            return False
        return True

    def recvdata(self) -> tuple[str, Text] | tuple[None, None]:
        """Return the next message as (type, data); (None, None) at the end and after any failure."""
        try:
            with self._receiving:
                frame = self._next()
        except (OSError, ProtocolError) as error:
            self._note("could not receive", error)
            self._allowance = -1
            return _NOTHING
        return _NOTHING if frame is None else (text_of(frame.code), Text(frame.payload))

    def close(self) -> None:
        """Close; sending and receiving fail from now on."""
        open_socket, self.s = self.s, None
        if open_socket is not None:
            close_clear(open_socket)

    def interrupt(self) -> None:
        """Wake whoever sends or receives in another thread: this connection has ended."""
        open_socket = self.s
        if open_socket is not None:
            interrupt_clear(open_socket)

    def feed(self, data: bytes) -> int:
        """Take bytes that were read elsewhere; return how many messages wait. Raises ProtocolError above a bound."""
        frames = self._reader.feed(data)
        self._allowance -= len(data) + _FRAME_COST * len(frames)
        if self._allowance < 0:
            raise ProtocolError(f"the peer at {self.host} sends more than a program of 2007 can hold")
        self._frames.extend(frames)
        return len(self._frames)

    def __str__(self) -> str:
        return f"|{self.id}|"

    def _next(self) -> Frame | None:
        patience = Patience(monotonic())
        while not self._frames:
            open_socket = self.s
            if open_socket is None or self._allowance < 0:
                return None
            data = receive_clear(open_socket, patience.left(monotonic()))
            if not data:
                return None
            self.feed(data)
            patience.moved(len(data), monotonic())
        return self._frames.popleft()

    def _note(self, what: str, error: Exception) -> None:
        log.debug("%s %s: %s", self, what, error)
        if self.debug:
            btdebug(f"{self} {what}: {error}")


def _raw(value: str | bytes) -> bytes:
    """Return what goes over the wire; anything but text and bytes is a TypeError."""
    return bytes_of(value) if isinstance(value, str) else memoryview(value).tobytes()
