"""Stands before the API: who may ask, from where, how often, and how much.

Invariant: nothing behind it runs for a request of nobody (but what is there to become somebody), with a Host that is
not this computer (DNS rebinding), from a page of another origin (cross-site requests), with a body that is said to be
too large, or beyond the rate of its key; a body that does not say how large it is is counted by the application. Who
somebody is stands in the request's state; what he may do is decided per route, behind it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec

from peerage.app.access import SESSION_SECONDS, Access, Visitor
from peerage.app.api.models import Problem
from peerage.errors import AddressError
from peerage.identity.address import literal_ip, parse_address

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY: Final = 256 * 1024  # a thousand long paths fit

ENTRANCE: Final = "/enter"  # where a one-time link leads
START: Final = "/"  # and where it leads on to: the page
VISITOR: Final = "visitor"  # in the state of a request

_BEARER: Final = b"bearer "
_API: Final = "/api/"
_LOGIN: Final = "/api/v1/login"
_DROPPED: Final = "/api/v1/dropped/"  # files are handed in here; how much the disk takes is decided behind
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_PAGES: Final = frozenset({b"", b"same-origin", b"none"})  # who made a request, as a browser says it

Refusal = tuple[int, str, str]


class Door(NamedTuple):
    """One address at which the API listens: for this computer only, or, `remote`, for others, over TLS."""

    remote: bool = False
    names: frozenset[str] = frozenset()  # of this computer, as others call it

    @property
    def scheme(self) -> str:
        """What an address begins with here."""
        return "https" if self.remote else "http"

    def is_here(self, host: str) -> bool:
        """Whether a Host header names this place; a number, which no name server gives, or one of its names."""
        if is_this_computer(host):
            return True
        name, literal = _host_of(host)
        return self.remote and (literal is not None or name in self.names)


class Guard:
    """Wraps the API and the page; `access` knows who has which secret. The page is open: there is none in it."""

    def __init__(self, app: AsgiApp, page: AsgiApp, access: Access, door: Door) -> None:
        self._app = app
        self._page = page
        self._access = access
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        if scope["type"] != "http":
            return  # no websockets, and nobody waits for lifespan
        headers = _headers(scope)
        refusal = self._place_refused(scope, headers)
        if refusal is None and scope["path"] == ENTRANCE:
            await self._enter(scope, send)
            return
        if refusal is None and not scope["path"].startswith(_API):
            await self._page(scope, receive, send)
            return
        refusal = refusal or self._visitor_refused(scope, headers)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await _answer(send, *refusal)

    def _place_refused(self, scope: Scope, headers: dict[bytes, bytes]) -> Refusal | None:
        """Look at where a request goes and comes from, and at its size."""
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._door.is_here(host):
            return 403, "HostError", "this API does not answer to that name; use 127.0.0.1, [::1] or localhost"
        origin = headers.get(b"origin")
        if origin is not None and not is_same_place(origin.decode("latin-1"), host, self._door.scheme):
            return 403, "OriginError", "pages of other origins may not use this API"
        length = headers.get(b"content-length", b"0")
        whole_file = scope["method"] == "PUT" and scope["path"].startswith(_DROPPED)
        if not length.isdigit() or (int(length[:20]) > MAX_BODY and not whole_file):
            return 413, "LimitError", f"a body has at most {MAX_BODY} bytes"
        return None

    def _visitor_refused(self, scope: Scope, headers: dict[bytes, bytes]) -> Refusal | None:
        """Find out who asks, and note it."""
        visitor = self._visitor(scope, headers)
        if visitor is not None and visitor.by_cookie and not _by_own_page(scope["method"], headers):
            return 403, "OriginError", "only this node's own pages may act in a session"
        scope.setdefault("state", {})[VISITOR] = visitor
        if visitor is None:
            if scope["path"] == _LOGIN:
                return None
            return 401, "TokenError", "the token is missing or wrong; it is in the file api.token of the home folder"
        if not self._access.may_go_on(visitor):
            return 429, "TooManyError", "too many requests with this key; wait a second"
        return None

    def _visitor(self, scope: Scope, headers: dict[bytes, bytes]) -> Visitor | None:
        said = headers.get(b"authorization")
        if said is not None:
            token = said[len(_BEARER) :].strip().decode("latin-1")
            return self._access.by_token(token) if said[: len(_BEARER)].lower() == _BEARER else None
        session = session_of(scope, headers)
        return self._access.by_session(session) if session else None

    async def _enter(self, scope: Scope, send: Send) -> None:
        """Let in whoever brings the code of a one-time link."""
        query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=4) if scope["method"] == "GET" else {}
        session = self._access.enter(query.get("code", [""])[0])
        if session is None:
            await _answer(send, 401, "TokenError", "this link was used before, or is too old; make another: peerage ui")
            return
        cookie = cookie_of(scope, session, secure=self._door.remote)
        headers = [
            (b"location", START.encode()),
            (b"set-cookie", cookie.encode()),
            (b"referrer-policy", b"no-referrer"),
        ]
        headers += [(b"cache-control", b"no-store"), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def cookie_of(scope: Scope, session: str, *, secure: bool) -> str:
    """Return the cookie of a session; "" ends it. Its name has the port, for browsers keep cookies per computer."""
    age = int(SESSION_SECONDS) if session else 0
    rest = f"; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")
    return f"{_cookie_name(scope)}={session}{rest}"


def session_of(scope: Scope, headers: dict[bytes, bytes]) -> str:
    """Return the session in the cookies of a request, "" when there is none."""
    wanted = _cookie_name(scope)
    for cookie in headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == wanted:
            return value
    return ""


def is_this_computer(host: str) -> bool:
    """Whether a Host header names this computer by an address that no other can have."""
    name, literal = _host_of(host)
    return name == "localhost" or (literal is not None and literal.is_loopback)


def is_same_place(origin: str, host: str, scheme: str = "http") -> bool:
    """Whether an Origin header names the very place that the Host header does."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme == scheme and parts.netloc.lower() == host.lower()


def problem_body(error: str, kind: str) -> bytes:
    """Return the body of a refusal."""
    return msgspec.json.encode(Problem(error=error, kind=kind))


def _host_of(host: str) -> tuple[str, Any]:
    try:
        name = parse_address(host if _has_port(host) else f"{host}:80").host.lower()
    except AddressError:
        return "", None
    return name, literal_ip(name)


def _by_own_page(method: str, headers: dict[bytes, bytes]) -> bool:
    """Whether a browser says that a page of this very origin, or the user himself, made a request.

    A page of another port of this computer is "same-site", so its requests do carry the cookie.
    """
    if headers.get(b"sec-fetch-site", b"") not in _OWN_PAGES:
        return False
    return method in _SAFE or b"origin" in headers or headers.get(b"sec-fetch-site") == b"same-origin"


def _cookie_name(scope: Scope) -> str:
    server = scope.get("server") or ("", 0)
    return f"peerage_{server[1]}"


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
    if status == 429:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
