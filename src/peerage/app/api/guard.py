"""Stands before the local API: who may ask, from where, and how much.

Invariant: nothing behind it runs for a request without the token, with a Host that is not this computer (DNS
rebinding), from a page of another origin (cross-site requests), or with a body that is said to be too large; one that
does not say how large it is is counted by the application.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from peerage.app.api.models import Problem
from peerage.errors import AddressError
from peerage.identity.address import literal_ip, parse_address

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY: Final = 256 * 1024  # a thousand long paths fit

_BEARER: Final = b"bearer "


class Guard:
    """Wraps an ASGI application; `token` is asked of everybody."""

    def __init__(self, app: AsgiApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        if scope["type"] != "http":
            return  # no websockets, and nobody waits for lifespan
        refusal = self._refusal(_headers(scope))
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await _answer(send, *refusal)

    def _refusal(self, headers: dict[bytes, bytes]) -> tuple[int, str, str] | None:
        if not is_this_computer(headers.get(b"host", b"").decode("latin-1")):
            return 403, "HostError", "this API answers only to 127.0.0.1, [::1] and localhost"
        origin = headers.get(b"origin")
        if origin is not None and not is_same_place(origin.decode("latin-1"), headers[b"host"].decode("latin-1")):
            return 403, "OriginError", "pages of other origins may not use this API"
        if not self._knows_token(headers.get(b"authorization", b"")):
            return 401, "TokenError", "the token is missing or wrong; it is in the file api.token of the home folder"
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > MAX_BODY:
            return 413, "LimitError", f"a body has at most {MAX_BODY} bytes"
        return None

    def _knows_token(self, authorization: bytes) -> bool:
        scheme, said = authorization[: len(_BEARER)].lower(), authorization[len(_BEARER) :].strip()
        return scheme == _BEARER and secrets.compare_digest(said, self._token)


def is_this_computer(host: str) -> bool:
    """Whether a Host header names this computer by an address that no other can have."""
    name, literal = _host_of(host)
    return name == "localhost" or (literal is not None and literal.is_loopback)


def is_same_place(origin: str, host: str) -> bool:
    """Whether an Origin header names the very place that the Host header does."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme == "http" and parts.netloc.lower() == host.lower()


def problem_body(error: str, kind: str) -> bytes:
    """Return the body of a refusal."""
    return msgspec.json.encode(Problem(error=error, kind=kind))


def _host_of(host: str) -> tuple[str, Any]:
    try:
        name = parse_address(host if _has_port(host) else f"{host}:80").host.lower()
    except AddressError:
        return "", None
    return name, literal_ip(name)


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers by name; of several with one name the last counts, and two Hosts count as none."""
    headers = dict(scope["headers"])
    if sum(name == b"host" for name, _ in scope["headers"]) != 1:
        headers[b"host"] = b""
    return headers


async def _answer(send: Send, status: int, kind: str, error: str) -> None:
    body = problem_body(error, kind)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
