"""Messages: typed structs with a four-letter code, and their MessagePack encoding.

Invariant: one code is one struct; a payload that does not fit its struct is a ProtocolError and nothing else. A
`Request` names the struct of its reply, so both ends agree without a registry. What the messages mean is up to the
features, each of which keeps its own structs in its own `messages.py`.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Any, ClassVar, ForwardRef, Generic, TypeVar, get_args, get_origin

import msgspec

from peerage.errors import LimitError, LocalError, ProtocolError, RefusedError
from peerage.limits import MAX_CONTROL_PAYLOAD, MAX_REASON_CHARS
from peerage.wire.frame import HEADER, HEADER_BYTES


class Message(msgspec.Struct, frozen=True, array_like=True):
    """What peers say to each other; `code` is its type in the frame header."""

    code: ClassVar[bytes] = b""


ReplyT = TypeVar("ReplyT", bound=Message)
MessageT = TypeVar("MessageT", bound=Message)


class Request(Message, Generic[ReplyT], frozen=True, array_like=True):
    """A message that is answered by a `reply`, or by several where the answer comes in parts.

    `class Ask(Request[Told])` says which, and `class Echo(Request["Echo"])` that it is of the same kind; `reply` has to
    be given only where that class is not known yet.
    """

    reply: ClassVar[type[Message]] = Message

    def __init_subclass__(cls, **options: Any) -> None:
        """Take the reply from the brackets."""
        super().__init_subclass__(**options)
        for base in cls.__dict__.get("__orig_bases__", ()):
            if get_origin(base) is Request and "reply" not in cls.__dict__:
                (kind,) = get_args(base)
                if isinstance(kind, type):
                    cls.reply = kind
                elif isinstance(kind, ForwardRef) and kind.__forward_arg__ == cls.__name__:
                    cls.reply = cls


class Done(Message, frozen=True, array_like=True):
    """The reply that only says: it is done."""

    code: ClassVar[bytes] = b"DONE"


REPLY = b"REPL"
ERROR = b"ERRO"


class ErrorCode(StrEnum):
    """Why a request was refused."""

    LIMIT = "limit"  # a bound of the answering side; try later or ask for less
    UNKNOWN = "unknown"  # no handler for this message type
    NOT_FOUND = "not-found"
    FORBIDDEN = "forbidden"
    BAD_REQUEST = "bad-request"
    INTERNAL = "internal"


class Refusal(Message, frozen=True, array_like=True):
    """The payload of an ERRO frame."""

    code: ClassVar[bytes] = ERROR
    error: str
    reason: str

    def as_error(self) -> RefusedError | LimitError:
        """Return what the asking side raises."""
        reason = self.reason[:MAX_REASON_CHARS]
        if self.error == ErrorCode.LIMIT:
            return LimitError("remote", "theirs", reason)
        return RefusedError(self.error[:32], reason)


_encoder = msgspec.msgpack.Encoder()


def append_message(out: bytearray, code: bytes, tag: int, message: Message) -> None:
    """Append one frame with `message` to `out`, all of it or nothing; one that cannot be sent is a LocalError."""
    start = len(out)
    try:
        _encoder.encode_into(message, out, start + HEADER_BYTES)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        del out[start:]  # the encoder leaves what it had written so far
        raise LocalError(f"this {type(message).__name__} cannot be sent: {error}") from error
    length = len(out) - start - HEADER_BYTES
    if length > MAX_CONTROL_PAYLOAD:
        del out[start:]
        raise LocalError(
            f"a {code.decode()} message of {length} bytes, more than {MAX_CONTROL_PAYLOAD}: send it in parts"
        )
    HEADER.pack_into(out, start, code, length, tag)


def encode(message: Message, tag: int = 0) -> bytes:
    """Return the whole frame of one message."""
    out = bytearray()
    append_message(out, message.code, tag, message)
    return bytes(out)


@lru_cache(maxsize=1024)
def decoder(kind: type[MessageT]) -> msgspec.msgpack.Decoder[MessageT]:
    """Return the decoder of one message type; made once."""
    return msgspec.msgpack.Decoder(kind)


def decode(kind: type[MessageT], payload: bytes | memoryview) -> MessageT:
    """Read a payload as `kind`; raises ProtocolError when it is anything else."""
    try:
        message: MessageT = decoder(kind).decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ProtocolError(f"not a {kind.__name__}: {error}") from error
    return message
