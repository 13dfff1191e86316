"""Messages: what is encoded comes back; what does not fit is a ProtocolError and nothing else."""

from __future__ import annotations

import contextlib
from typing import Annotated, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.errors import LimitError, LocalError, ProtocolError, RefusedError
from peerage.limits import MAX_CONTROL_PAYLOAD, MAX_REASON_CHARS
from peerage.wire.frame import HEADER_BYTES, FrameReader
from peerage.wire.message import ErrorCode, Message, Refusal, Request, append_message, decode, encode


class Told(Message, frozen=True):
    code: ClassVar[bytes] = b"TOLD"
    text: Annotated[str, msgspec.Meta(max_length=100)]
    numbers: tuple[int, ...] = ()


class Tell(Request[Told], frozen=True):
    code: ClassVar[bytes] = b"TELL"
    reply: ClassVar[type[Message]] = Told
    raw: bytes


class Loose(Message, frozen=True):
    code: ClassVar[bytes] = b"LOOS"
    anything: object


def payload_of(frame: bytes) -> memoryview:
    [only] = FrameReader().feed(frame)
    return only.payload


@given(st.text(max_size=100), st.lists(st.integers(0, 2**63), max_size=20), st.integers(0, 2**32 - 1))
def test_round_trip(text: str, numbers: list[int], tag: int) -> None:
    message = Told(text, tuple(numbers))
    [frame] = FrameReader().feed(encode(message, tag))
    assert (frame.code, frame.tag) == (b"TOLD", tag)
    assert decode(Told, frame.payload) == message


@given(st.binary(max_size=200))
def test_garbage_is_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        decode(Told, data)


def test_nesting_without_end_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError):
        decode(Loose, b"\x91" * 50_000 + b"\xc0")


def test_limits_of_fields_hold() -> None:
    with pytest.raises(ProtocolError):
        decode(Told, payload_of(encode(Told("x" * 101))))


def test_later_versions_may_add_fields() -> None:
    longer = msgspec.msgpack.encode(["text", [1, 2], "from the future", 4])
    assert decode(Told, longer) == Told("text", (1, 2))
    assert decode(Told, msgspec.msgpack.encode(["text"])) == Told("text")


def test_a_message_that_is_too_large_leaves_no_trace() -> None:
    out = bytearray(b"before")
    with pytest.raises(LocalError, match="send it in parts"):
        append_message(out, Tell.code, 1, Tell(bytes(MAX_CONTROL_PAYLOAD)))
    assert out == b"before"


@pytest.mark.parametrize("bad", [2**70, "\ud800", object(), [1, 2, {3: object()}]])
def test_a_message_that_cannot_be_encoded_leaves_no_trace(bad: object) -> None:
    out = bytearray(b"before")
    with pytest.raises(LocalError, match="Loose cannot be sent"):
        append_message(out, Loose.code, 1, Loose(bad))
    assert out == b"before"


def test_the_largest_message_fits() -> None:
    room = MAX_CONTROL_PAYLOAD - 4  # one byte for the array, three for the length of the bytes
    assert len(encode(Tell(bytes(room)))) == MAX_CONTROL_PAYLOAD + HEADER_BYTES


def test_a_refusal_becomes_a_typed_error() -> None:
    refused = Refusal(ErrorCode.NOT_FOUND, "no such thing").as_error()
    assert isinstance(refused, RefusedError)
    assert (refused.code, str(refused)) == ("not-found", "no such thing")
    limit = Refusal(ErrorCode.LIMIT, "too much").as_error()
    assert isinstance(limit, LimitError)
    assert limit.whose == "theirs"


def test_a_refusal_is_cut_to_a_readable_length() -> None:
    error = Refusal("c" * 1000, "r" * 10_000).as_error()
    assert isinstance(error, RefusedError)
    assert len(error.code) <= 32
    assert len(error.reason) == MAX_REASON_CHARS


def test_the_reply_is_taken_from_the_brackets() -> None:
    class Ask(Request[Told], frozen=True):
        code: ClassVar[bytes] = b"ASK_"

    class Again(Request[Told], frozen=True):
        code: ClassVar[bytes] = b"AGAI"
        reply: ClassVar[type[Message]] = Loose

    class Echo(Request["Echo"], frozen=True):
        code: ClassVar[bytes] = b"ECHO"
        text: str

    assert Ask.reply is Told
    assert Echo.reply is Echo
    assert Again.reply is Loose
