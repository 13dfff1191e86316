"""The answering side: runs the handler of each message that comes and sends what it answers.

Invariant: every request gets exactly one ending, an answer, the empty reply after its last part, or an ERRO with the
reason; a handler that fails harms nobody but its asker. This is the other of the two places that catch everything.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable
from typing import TYPE_CHECKING, cast

import msgspec

from peerage.errors import LimitError, LinkError, PeerageError, ProtocolError, RefusedError, StoreError
from peerage.limits import Limits
from peerage.peer.handlers import Answer, HandlerKind, HandlerTable, Registration
from peerage.peer.metrics import Metrics
from peerage.peer.tasks import TaskScope
from peerage.wire.message import ErrorCode, Message, Refusal

if TYPE_CHECKING:
    from peerage.peer.connection import PeerConnection

log = logging.getLogger("peerage.peer")


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
        if registration.kind is HandlerKind.PLAIN:
            try:
                answer = cast(Answer, registration.function(connection, message))
            except Exception as error:  # noqa: BLE001 -- boundary: a handler harms nobody but its asker
                self._refuse(connection, tag, error)
            else:
                if tag:
                    connection.answer(tag, answer)
        else:
            self._start(connection, registration, message, tag)

    def _start(self, connection: PeerConnection, registration: Registration, message: Message, tag: int) -> None:
        if connection.tasks >= self._limits.tasks_per_link or self._tasks.full:
            which = "tasks" if self._tasks.full else "tasks_per_link"
            self._metrics.count("requests_refused", which)
            if tag:
                reason = f"too many requests at work: {which} is {getattr(self._limits, which)}"
                connection.refuse(tag, Refusal(ErrorCode.LIMIT, reason))
            return
        connection.tasks += 1
        self._tasks.start(self._run(connection, registration, message, tag))

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
        finally:
            connection.tasks -= 1

    def _refuse(self, connection: PeerConnection, tag: int, error: Exception) -> None:
        """Say why; details of our own failures stay here."""
        if isinstance(error, LimitError):
            refusal = Refusal(ErrorCode.LIMIT, str(error))
        elif isinstance(error, RefusedError):
            refusal = Refusal(error.code, error.reason)
        elif isinstance(error, StoreError):
            refusal = Refusal(ErrorCode.NOT_FOUND, "the holder cannot read that any more")
        elif isinstance(error, PeerageError):
            refusal = Refusal(ErrorCode.BAD_REQUEST, str(error))
        else:
            log.error("a handler failed", exc_info=error)
            refusal = Refusal(ErrorCode.INTERNAL, "the handler failed")
        self._metrics.count("requests_failed", refusal.error)
        if tag:
            connection.refuse(tag, refusal)


async def _send_parts(connection: PeerConnection, tag: int, parts: AsyncIterator[Message]) -> None:
    """Send each part as it comes, no faster than the link takes them, then the empty reply that ends them."""
    async for part in parts:
        connection.answer(tag, part)
        await connection.drain()
    connection.end_parts(tag)
