"""Sends a file over HTTP as a browser or a player wants it: whole, in ranges, and while it is still coming in.

Invariant: at most one piece is in memory for each request, and the source is closed when the client has gone. Whatever
a file claims to be, a browser that opens it neither guesses its type nor runs anything of it in this node's name:
`nosniff`, a sandbox, and what could carry a program is offered for saving, never shown.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import quote

from litestar import Request, Response
from litestar.response.base import ASGIResponse

from peerage.app.api.guard import Receive, Scope, Send
from peerage.app.api.ranges import Conditions, Span, UnsatisfiableError, is_known, span_of
from peerage.app.contents import ContentFile
from peerage.content.reading import Reading
from peerage.errors import PeerageError

log = logging.getLogger("peerage.api")

CHUNK: Final = 256 * 1024  # bytes handed to the connection at a time, so that a slow reader holds few
_SHOWN: Final = ("audio/", "video/", "image/", "text/plain", "application/pdf")
_PROGRAMS: Final = ("image/svg",)
_POLICY: Final = "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"

Headers = list[tuple[bytes, bytes]]


class ContentResponse(Response[Any]):
    """The answer to a request for a file; raises what `Reading.check` does before anything is sent."""

    def __init__(self, status: int, headers: Headers, source: _Source | None) -> None:
        super().__init__(content=None)
        self._answer = _Sender(status, headers, source)

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        """Return what sends it."""
        return self._answer


class _Source:
    """The bytes to send."""

    def __init__(self, reading: Reading, file: ContentFile, span: Span) -> None:
        self.reading = reading
        self.stretch = file.stretch(span.start, span.stop)


async def respond(reading: Reading, file: ContentFile, request: Request[Any, Any, Any], *, save: bool) -> Response[Any]:
    """Answer a GET or HEAD request for a file; `save`: the browser should store it rather than show it."""
    conditions = _conditions(request)
    etag = f'"{file.tag}"'
    headers = _headers_of(file, etag, save=save)
    if is_known(conditions, etag):
        return ContentResponse(304, headers, None)
    try:
        span = span_of(conditions, file.size, etag)
    except UnsatisfiableError:
        missing = (b"content-range", f"bytes */{file.size}".encode())
        return ContentResponse(416, [*headers, missing, (b"content-length", b"0")], None)
    headers.append((b"content-length", str(span.stop - span.start).encode()))
    if span.partial:
        headers.append((b"content-range", f"bytes {span.start}-{span.stop - 1}/{file.size}".encode()))
    source = None
    if request.method != "HEAD" and span.stop > span.start:
        source = _Source(reading, file, span)
        await reading.check(source.stretch)
    return ContentResponse(206 if span.partial else 200, headers, source)


def disposition(name: str, mime: str, *, save: bool) -> str:
    """Return how a browser should treat a file, with its name in a form that cannot break the header (RFC 6266)."""
    shown = mime.startswith(_SHOWN) and not mime.startswith(_PROGRAMS) and not save
    plain = "".join(char if char.isascii() and char.isprintable() and char not in '"\\/%;' else "_" for char in name)
    return f"{'inline' if shown else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


async def while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end, or until the client has gone."""
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(_until_gone(receive))
        sending = group.create_task(work)
        await asyncio.wait((watch, sending), return_when=asyncio.FIRST_COMPLETED)
        watch.cancel()
        sending.cancel()


# --- inside -----------------------------------------------------------------------------------------------------


class _Sender(ASGIResponse):
    def __init__(self, status: int, headers: Headers, source: _Source | None) -> None:
        super().__init__(body=b"")
        self._start = {"type": "http.response.start", "status": status, "headers": headers}
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]  # plain ASGI
        """Send it, or as much as the client wants."""
        del scope
        await send(self._start)
        if self._source is not None:
            await while_connected(receive, self._pump(self._source, send))
        else:
            await send({"type": "http.response.body", "body": b""})

    async def _pump(self, source: _Source, send: Send) -> None:
        try:
            async with aclosing(source.reading.read(source.stretch)) as pieces:
                async for piece in pieces:
                    for at in range(0, len(piece), CHUNK):
                        await send(_body(piece[at : at + CHUNK], more=True))
        except PeerageError as error:  # the client sees that bytes are missing, and can ask for the rest
            log.info("a reader was left in the middle: %s", error)
        else:
            await send(_body(b"", more=False))


def _body(data: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _conditions(request: Request[Any, Any, Any]) -> Conditions:
    headers = request.headers
    return Conditions(headers.get("range", ""), headers.get("if-range", ""), headers.get("if-none-match", ""))


def _headers_of(file: ContentFile, etag: str, *, save: bool) -> Headers:
    text = "; charset=utf-8" if file.mime.startswith("text/") else ""
    named = {
        "content-type": file.mime + text,
        "content-disposition": disposition(file.name, file.mime, save=save),
        "etag": etag,
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        "x-content-type-options": "nosniff",
        "content-security-policy": _POLICY,
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
    }
    return [(name.encode(), value.encode("latin-1")) for name, value in named.items()]
