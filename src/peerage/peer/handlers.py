"""Handlers: what answers one message type.

Invariant: one message type has at most one handler. A plain function runs at once, a coroutine or an async generator
(an answer in parts) gets a task under a cap; how an answer goes out is the connection's business.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from peerage.errors import LocalError
from peerage.wire.message import Message, Refusal, decoder

if TYPE_CHECKING:
    from peerage.peer.connection import PeerConnection

MessageT = TypeVar("MessageT", bound=Message)


class Bulk(msgspec.Struct, frozen=True):
    """An answer of raw bytes instead of a message, at most 16 MiB."""

    data: bytes | bytearray | memoryview


class Later:
    """A promise: the handler returns at once, the answer comes when its turn has come (a queue of uploads, say).

    Whoever returns one must keep it and, in the end, answer or refuse; what waits is theirs to bound.
    """

    __slots__ = ("_connection", "_tag")

    def __init__(self) -> None:
        self._connection: PeerConnection | None = None
        self._tag = 0

    def bind(self, connection: PeerConnection, tag: int) -> None:
        """Called by the dispatcher: this is who asked."""
        self._connection, self._tag = connection, tag

    def answer(self, answer: Message | Bulk | None) -> None:
        """Send the answer; nothing happens when the asker has gone."""
        if self._connection is not None and self._tag:
            self._connection.answer(self._tag, answer)

    def refuse(self, refusal: Refusal) -> None:
        """Say why there is none."""
        if self._connection is not None and self._tag:
            self._connection.refuse(self._tag, refusal)


Answer = Message | Bulk | Later | None
Handler = Callable[["PeerConnection", MessageT], Answer | Awaitable[Answer] | AsyncIterator[Message]]


class HandlerKind(Enum):
    """How a handler is run."""

    PLAIN = 1
    COROUTINE = 2
    PARTS = 3


class Registration:
    """One handler with what is needed to run it, looked up once."""

    __slots__ = ("decode", "function", "kind")

    def __init__(self, message: type[Message], function: Handler[Any]) -> None:
        self.decode = decoder(message).decode
        self.function = function
        if inspect.isasyncgenfunction(function):
            self.kind = HandlerKind.PARTS
        elif inspect.iscoroutinefunction(function):
            self.kind = HandlerKind.COROUTINE
        else:
            self.kind = HandlerKind.PLAIN


class HandlerTable:
    """The handlers of one peer, by message code."""

    def __init__(self) -> None:
        self._by_code: dict[bytes, Registration] = {}
        self.get = self._by_code.get  # the handler for a code, or None; looked up for each message

    def add(self, message: type[MessageT], handler: Handler[MessageT]) -> None:
        """Register; a second handler for the same code is a LocalError."""
        if len(message.code) != 4:
            raise LocalError(f"{message.__name__} has no four-letter code")
        if message.code in self._by_code:
            raise LocalError(f"{message.code.decode()} has a handler already; remove it first")
        self._by_code[message.code] = Registration(message, handler)

    def remove(self, message: type[Message]) -> None:
        """Take a handler off again; LocalError when there is none."""
        if self._by_code.pop(message.code, None) is None:
            raise LocalError(f"{message.code.decode()} has no handler")

    def __iter__(self) -> Iterator[bytes]:
        return iter(sorted(self._by_code))
