"""The wire of the 2007 framework: frames `!4sL`, nine messages, and the PING that has no answer.

Invariant: however the bytes are split, the same frames come out; no payload is kept before its length was checked; text
goes through unchanged, whatever bytes it is made of; and what is parsed from a formatted message is that message.
Sizes, order and connections are the business of who uses it; nothing here knows a socket.
Source: N. Abdul Hamid, "A lightweight framework for peer-to-peer programming", J. Comput. Sci. Coll. 22(5), 2007.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec

from peerage.errors import ProtocolError
from peerage.limits import MAX_CLASSIC_PAYLOAD

HEADER: Final = struct.Struct("!4sL")
HEADER_BYTES: Final = HEADER.size
MAX_LENGTH: Final = 2**32 - 1
"""What the length field can say: the largest file that one FGET can bring."""
REPL: Final = b"REPL"
ERRO: Final = b"ERRO"

_NUMBER: Final = re.compile(rb"[+-]?[0-9]{1,18}")  # longer ones mean nothing to anybody


class Head(NamedTuple):
    """What precedes a payload."""

    code: bytes  # four bytes as sent
    length: int  # of the payload alone


class Frame(NamedTuple):
    """One message as bytes; `code` as it was sent, of which the origin's servers look at the upper-case form."""

    code: bytes
    payload: bytes

    def encode(self) -> bytes:
        """Return the bytes to send, in one write: some old peers lose a message that comes in pieces."""
        return encode_frame(self.code, self.payload)


def text_of(data: bytes) -> str:
    """Decode UTF-8 and keep any other byte as a lone surrogate, so that `bytes_of` gives back the same bytes."""
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Encode what `text_of` decoded."""
    return text.encode("utf-8", "surrogateescape")


def printable(text: str) -> str:
    """Return a text that may be shown and logged: what is not text, or steers a terminal, becomes U+FFFD."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


# --- frames -------------------------------------------------------------------------------------------------------


def encode_head(code: bytes, length: int) -> bytes:
    """Return the 8 bytes before a payload; as in the origin, a short code is filled with NUL and a long one cut."""
    return HEADER.pack(code, length)


def encode_frame(code: bytes, payload: bytes = b"") -> bytes:
    """Return a whole message."""
    return HEADER.pack(code, len(payload)) + payload


def decode_head(data: bytes | bytearray | memoryview) -> Head:
    """Read the first 8 bytes of a message."""
    return Head._make(HEADER.unpack_from(data))


class FrameReader:
    """Turns reads into frames; raises ProtocolError as soon as a header announces more than `max_payload` bytes."""

    def __init__(self, max_payload: int = MAX_CLASSIC_PAYLOAD) -> None:
        self._max_payload = max_payload
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """How many bytes of an unfinished message are held."""
        return len(self._buffer)

    @property
    def missing(self) -> int:
        """How many bytes at least must come before there is another frame; never 0."""
        if len(self._buffer) < HEADER_BYTES:
            return HEADER_BYTES - len(self._buffer)
        return HEADER_BYTES + decode_head(self._buffer).length - len(self._buffer)

    def feed(self, data: bytes | bytearray | memoryview) -> list[Frame]:
        """Take what was read; return the messages that are complete now."""
        self._buffer += data
        frames: list[Frame] = []
        start = 0
        with memoryview(self._buffer) as view:
            while len(view) - start >= HEADER_BYTES:
                head = decode_head(view[start : start + HEADER_BYTES])
                self._check(head)
                end = start + HEADER_BYTES + head.length
                if end > len(view):
                    break
                frames.append(Frame(head.code, bytes(view[start + HEADER_BYTES : end])))
                start = end
        del self._buffer[:start]
        return frames

    def _check(self, head: Head) -> None:
        if head.length > self._max_payload:
            raise ProtocolError(f"a {head.code!r} message of {head.length} bytes, more than {self._max_payload}")


# --- requests -----------------------------------------------------------------------------------------------------


class NameRequest(msgspec.Struct, frozen=True):
    """What is your id? Answered by REPL with it."""

    def frame(self) -> Frame:
        """Return it as bytes."""
        return Frame(b"NAME", b"")


class ListRequest(msgspec.Struct, frozen=True):
    """Whom do you know? Answered by REPL with a number, and as many REPL with `id host port`."""

    def frame(self) -> Frame:
        """Return it as bytes."""
        return Frame(b"LIST", b"")


class PingRequest(msgspec.Struct, frozen=True):
    """Are you there? That the connection was accepted is the answer; there is no other."""

    def frame(self) -> Frame:
        """Return it as bytes."""
        return Frame(b"PING", b"")


class JoinRequest(msgspec.Struct, frozen=True):
    """Know me from now on; `port` is None when it is no number from 1 to 65535."""

    peer_id: str
    host: str
    port: int | None

    def frame(self) -> Frame:
        """Return it as bytes."""
        return Frame(b"JOIN", bytes_of(f"{self.peer_id} {self.host} {self.port}"))


class QueryRequest(msgspec.Struct, frozen=True):
    """Whose file names contain `key`? The answer goes to `return_id`; `ttl` is None when it is no number."""

    return_id: str
    key: str
    ttl: int | None

    def frame(self) -> Frame:
        """Return it as bytes."""
        return Frame(b"QUER", bytes_of(f"{self.return_id} {self.key} {self.ttl}"))


class QueryResponse(msgspec.Struct, frozen=True):
    """`holder` has a file of that name: RESP, which Python leaves unanswered and Java does not."""

    name: str
    holder: str

    def frame(self) -> Frame:
        """Return it as bytes."""
        return Frame(b"RESP", bytes_of(f"{self.name} {self.holder}"))


class FileRequest(msgspec.Struct, frozen=True):
    """Give me that file: the whole payload is its name. Answered by REPL with all of its bytes."""

    name: str

    def frame(self) -> Frame:
        """Return it as bytes."""
        return Frame(b"FGET", bytes_of(self.name))


class QuitRequest(msgspec.Struct, frozen=True):
    """Forget me."""

    peer_id: str

    def frame(self) -> Frame:
        """Return it as bytes."""
        return Frame(b"QUIT", bytes_of(self.peer_id))


class Malformed(msgspec.Struct, frozen=True):
    """A request whose fields do not fit; `answer` is what the origin means to say, None where it says nothing."""

    code: bytes
    answer: Frame | None


class Unknown(msgspec.Struct, frozen=True):
    """A message that is no request of 2007: old peers close the connection and say nothing."""

    code: bytes


Request = (
    NameRequest | ListRequest | JoinRequest | QueryRequest | QueryResponse | FileRequest | QuitRequest | PingRequest
)


def parse_request(frame: Frame) -> Request | Malformed | Unknown:
    """Read a request; its type may be in lower case, and its fields stand at any run of ASCII white space."""
    parser = _PARSERS.get(frame.code.upper())
    return Unknown(frame.code) if parser is None else parser(frame.payload)


def _parse_join(payload: bytes) -> JoinRequest | Malformed:
    fields = payload.split()
    if len(fields) != 3:
        return Malformed(b"JOIN", join_malformed())
    return JoinRequest(text_of(fields[0]), text_of(fields[1]), _port(fields[2]))


def _parse_query(payload: bytes) -> QueryRequest | Malformed:
    fields = payload.split()
    if len(fields) != 3:
        return Malformed(b"QUER", query_malformed())
    return QueryRequest(text_of(fields[0]), text_of(fields[1]), _number(fields[2]))


def _parse_response(payload: bytes) -> QueryResponse | Malformed:
    fields = payload.split()
    if len(fields) != 2:
        return Malformed(b"RESP", None)
    return QueryResponse(text_of(fields[0]), text_of(fields[1]))


_PARSERS: Final[dict[bytes, Callable[[bytes], Request | Malformed]]] = {
    b"NAME": lambda _payload: NameRequest(),
    b"LIST": lambda _payload: ListRequest(),
    b"PING": lambda _payload: PingRequest(),
    b"JOIN": _parse_join,
    b"QUER": _parse_query,
    b"RESP": _parse_response,
    b"FGET": lambda payload: FileRequest(text_of(payload)),
    b"QUIT": lambda payload: QuitRequest(text_of(payload.strip())),
}


def _number(field: bytes) -> int | None:
    return int(field) if _NUMBER.fullmatch(field) else None


def _port(field: bytes) -> int | None:
    number = _number(field)
    return number if number is not None and 0 < number < 65536 else None


# --- answers, in the words of the Python original -------------------------------------------------------------------


class Neighbour(msgspec.Struct, frozen=True):
    """A line of a LIST."""

    peer_id: str
    host: str
    port: int


def reply(text: str) -> Frame:
    """Return a REPL."""
    return Frame(REPL, bytes_of(text))


def failure(text: str) -> Frame:
    """Return an ERRO."""
    return Frame(ERRO, bytes_of(text))


def list_replies(neighbours: Iterable[Neighbour]) -> list[Frame]:
    """Return the answers to LIST: how many there are, then each."""
    lines = [reply(f"{each.peer_id} {each.host} {each.port}") for each in neighbours]
    return [reply(str(len(lines))), *lines]


def parse_count(payload: bytes) -> int | None:
    """Read the first answer to LIST; None when it is no number that makes sense."""
    number = _number(payload.strip())
    return number if number is not None and number >= 0 else None


def parse_neighbour(payload: bytes) -> Neighbour | None:
    """Read a line of a LIST; None when it is none."""
    fields = payload.split()
    port = _port(fields[2]) if len(fields) == 3 else None
    return None if port is None else Neighbour(text_of(fields[0]), text_of(fields[1]), port)


def join_added(peer_id: str) -> Frame:
    """Say that a peer is known now."""
    return reply(f"Join: peer added: {peer_id}")


def join_full() -> Frame:
    """Say that no more peers are taken."""
    return failure("Join: too many peers")


def join_known(peer_id: str) -> Frame:
    """Say that an id is taken, also when it is the node's own."""
    return failure(f"Join: peer already inserted {peer_id}")


def join_malformed() -> Frame:
    """Say what the original means to say, and does not for a bug."""
    return failure("Join: incorrect arguments")


def query_acknowledged(key: str) -> Frame:
    """Say that a query was heard."""
    return reply(f"Query ACK: {key}")


def query_malformed() -> Frame:
    """Say what the original means to say, and does not for a bug."""
    return failure("Query: incorrect arguments")


def file_unknown() -> Frame:
    """Say that there is no file of that name."""
    return failure("File not found")


def file_unreadable() -> Frame:
    """Say that the file is there, but cannot be read."""
    return failure("Error reading file")


def quit_removed(peer_id: str) -> Frame:
    """Say that a peer is forgotten."""
    return reply(f"Quit: peer removed: {peer_id}")


def quit_unknown(peer_id: str) -> Frame:
    """Say that there was nobody to forget."""
    return failure(f"Quit: peer not found: {peer_id}")
