"""Answers that come bit by bit: JSON lines, or server-sent events where the client asks for them.

Invariant: the source of a stream is closed when the client has gone, when it ends, and when it fails; a failure after
the first line becomes the last line. All of it runs inside the request's own task.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.response.base import ASGIResponse

from peerage.app.api.content_http import while_connected
from peerage.app.api.guard import Receive, Scope, Send
from peerage.app.api.models import Answer, StreamProblem
from peerage.app.events import Numbered
from peerage.errors import PeerageError

log = logging.getLogger("peerage.api")

JSON_LINES: Final = "application/x-ndjson"
SERVER_SENT: Final = "text/event-stream"

Events = AsyncGenerator[Any, None]  # of `Answer`s, perhaps `Numbered`; None keeps the line alive


class EventStream(Response[Any]):
    """A response made of the structs that `events` yields."""

    def __init__(self, events: Events, request: Request[Any, Any, Any], *, always_server_sent: bool = False) -> None:
        super().__init__(content=None)
        self._events = events
        self._server_sent = always_server_sent or SERVER_SENT in request.headers.get("accept", "")

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        """Return what sends it; everything that Litestar would add to the headers is of no use here."""
        return _Sender(self._events, server_sent=self._server_sent)


class _Sender(ASGIResponse):
    """Sends the events of one stream."""

    def __init__(self, events: Events, *, server_sent: bool) -> None:
        super().__init__(body=b"")
        self._events = events
        self._server_sent = server_sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]  # plain ASGI
        """Send until the events end or the client has gone."""
        del scope
        await while_connected(receive, self._pump(send))

    async def _pump(self, send: Send) -> None:
        kind = SERVER_SENT if self._server_sent else JSON_LINES
        headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with aclosing(self._events) as events:
            try:
                async for event in events:
                    await send({"type": "http.response.body", "body": self._encode(event), "more_body": True})
            except PeerageError as error:
                last = StreamProblem(error=str(error), kind=type(error).__name__)
                await send({"type": "http.response.body", "body": self._encode(last), "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _encode(self, event: Answer | Numbered | None) -> bytes:
        if event is None:
            return b":\n\n" if self._server_sent else b"\n"
        number = ""
        if isinstance(event, Numbered):
            number, event = f"id: {event.id}\n", event.event
        line = msgspec.json.encode(event)
        if not self._server_sent:
            return line + b"\n"
        tag = type(event).__struct_config__.tag
        return f"{number}event: {tag}\ndata: ".encode() + line + b"\n\n"
