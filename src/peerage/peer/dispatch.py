"""The answering side: runs the handler of each message that comes and sends what it answers.

Invariant: every request gets exactly one ending, an answer, the empty reply after its last part, or an ERRO with the
reason; a handler that fails harms nobody but its asker. Here and in `tasks` everything is caught, nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable
from typing import TYPE_CHECKING, Final, cast

import msgspec

from peerage.errors import LimitError, LinkError, PeerageError, ProtocolError, RefusedError, StoreError
from peerage.limits import MAX_REASON_CHARS, Limits
from peerage.peer.handlers import Answer, HandlerKind, HandlerTable, Registration
from peerage.peer.metrics import Metrics
from peerage.peer.tasks import TaskScope
from peerage.wire.message import ErrorCode, Message, Refusal

if TYPE_CHECKING:
    from peerage.peer.connection import PeerConnection

log = logging.getLogger("peerage.peer")

_PLAIN: Final = HandlerKind.PLAIN  # members of an enum are slow to look up, and this is on the way of each message


class Dispatcher:
    """Shared by all connections of a peer."""

    def __init__(self, handlers: HandlerTable, tasks: TaskScope, limits: Limits, metrics: Metrics) -> None:
        self._handlers = handlers
        self._tasks = tasks
        self._limits = limits
        self._metrics = metrics

    def dispatch(self, connection: PeerConnection, code: bytes, tag: int, payload: memoryview) -> None:
        """Run the handler for one frame; raises ProtocolError when the payload does not fit its type."""
        registration = self._handlers.get(code)
        if registration is None:
            self._metrics.count("messages_unknown")
            if tag:
                connection.refuse(tag, Refusal(ErrorCode.UNKNOWN, "this peer has no handler for that message"))
            return
        try:
            message = registration.decode(payload)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise ProtocolError(f"a broken {code!r} message: {error}") from error
        if registration.kind is _PLAIN:
            try:
                answer = registration.function(connection, message)
                if tag:
                    connection.answer(tag, cast(Answer, answer))
            except Exception as error:  # noqa: BLE001 -- boundary: a handler harms nobody but its asker
                self._refuse(connection, tag, error)
        else:
            self._start(connection, registration, message, tag)

    def _start(self, connection: PeerConnection, registration: Registration, message: Message, tag: int) -> None:
        """Begin a task for one message, if there is room; a request ends with the link that it came by."""
        if registration.kind is HandlerKind.PARTS and not tag:
            self._metrics.count("requests_refused", "no_tag")  # parts that nobody could receive
            return
        if len(connection.at_work) >= self._limits.tasks_per_link or self._tasks.full:
            which = "tasks" if self._tasks.full else "tasks_per_link"
            self._metrics.count("requests_refused", which)
            if tag:
                reason = f"too many requests at work: {which} is {getattr(self._limits, which)}"
                connection.refuse(tag, Refusal(ErrorCode.LIMIT, reason))
            return
        task = self._tasks.start(self._run(connection, registration, message, tag))
        connection.at_work[task] = bool(tag)
        task.add_done_callback(connection.worked)

    async def _run(self, connection: PeerConnection, registration: Registration, message: Message, tag: int) -> None:
        try:
            if registration.kind is HandlerKind.PARTS:
                parts = cast(AsyncIterator[Message], registration.function(connection, message))
                await _send_parts(connection, tag, parts)
            else:
                answer = await cast(Awaitable[Answer], registration.function(connection, message))
                if tag:
                    connection.answer(tag, answer)
        except LinkError:
            self._metrics.count("answers_lost")  # the asker has gone, or whom we asked for it
            self._refuse(connection, tag, RefusedError(ErrorCode.INTERNAL, "a link that was needed was lost"))
        except Exception as error:  # noqa: BLE001 -- boundary, as above
            self._refuse(connection, tag, error)

    def _refuse(self, connection: PeerConnection, tag: int, error: Exception) -> None:
        """Say why; details of our own failures stay here."""
        code = _code_for(error)
        if not isinstance(error, PeerageError):
            log.error("a handler failed", exc_info=error)
        self._metrics.count("requests_failed", code)
        if tag:
            connection.refuse(tag, Refusal(code, _reason_for(error)))


def _code_for(error: Exception) -> ErrorCode:
    """Sort an error into one of the fixed codes, which are counted."""
    if isinstance(error, LimitError):
        return ErrorCode.LIMIT
    if isinstance(error, RefusedError):
        return ErrorCode(error.code) if error.code in set(ErrorCode) else ErrorCode.BAD_REQUEST
    if isinstance(error, StoreError):
        return ErrorCode.NOT_FOUND
    return ErrorCode.BAD_REQUEST if isinstance(error, PeerageError) else ErrorCode.INTERNAL


def _reason_for(error: Exception) -> str:
    """Return what the asker may know; where our files lie and how we failed it may not."""
    if isinstance(error, StoreError):
        return "the holder cannot read that any more"
    if not isinstance(error, PeerageError):
        return "the handler failed"
    return str(error).encode(errors="replace").decode()[:MAX_REASON_CHARS]


async def _send_parts(connection: PeerConnection, tag: int, parts: AsyncIterator[Message]) -> None:
    """Send each part as it comes, no faster than the link takes them, then the empty reply that ends them."""
    async for part in parts:
        connection.answer(tag, part)
        await connection.drain()
    connection.end_parts(tag)
