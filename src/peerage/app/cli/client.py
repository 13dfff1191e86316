"""Asks the node of the same home folder over its local API, and gives back the structs of `app/api/models.py`.

Invariant: every answer is decoded into its struct or becomes a PeerageError with one readable sentence; nothing of
HTTP is seen outside. It talks to a loopback address only and never through a proxy.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from peerage.app.api import models
from peerage.errors import AddressError, LinkError, PeerageError, QueryError

T = TypeVar("T")

_TIMEOUT: Final = httpx.Timeout(60.0, connect=5.0)  # streams send keep-alives well within that
_JSON: Final = {"content-type": "application/json"}


class Client:
    """The local API of one running node."""

    def __init__(self, api: str, token: str) -> None:
        self._http = httpx.Client(
            base_url=f"http://{api}/api/v1/",
            headers={"authorization": f"Bearer {token}"},
            timeout=_TIMEOUT,
            trust_env=False,  # a proxy from the environment would get the token, and could not reach 127.0.0.1
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections; what runs on the node goes on."""
        self._http.close()

    def get(self, route: str, answer: type[T], **query: str | float) -> T:
        """Ask for something; `query` goes behind the question mark."""
        return self._ask("GET", route, answer, query=query)

    def post(self, route: str, answer: type[T], body: models.Body | None = None) -> T:
        """Have something done."""
        return self._ask("POST", route, answer, body)

    def put(self, route: str, answer: type[T], body: models.Body) -> T:
        """Replace something."""
        return self._ask("PUT", route, answer, body)

    def patch(self, route: str, answer: type[T], body: models.Body) -> T:
        """Change something."""
        return self._ask("PATCH", route, answer, body)

    def shares(self, body: models.ShareBody) -> Iterator[models.ShareEvent]:
        """Share paths; what is heard of it, as it happens."""
        decoder = msgspec.json.Decoder(models.ShareEvent)
        return self._stream("POST", "shares", decoder, body=body)

    def search(self, text: str, **query: float) -> Iterator[models.SearchEvent]:
        """Search; hits as they come. Raises QueryError for a text that cannot be parsed."""
        decoder = msgspec.json.Decoder(models.SearchEvent)
        try:
            yield from self._stream("GET", "search", decoder, query={"q": text, **query})
        except _BadQueryError as error:
            raise QueryError(error.reason, text, error.position) from None

    def browse(self, peer: str, path: str) -> Iterator[models.BrowseEvent]:
        """Look through what a peer shares."""
        decoder = msgspec.json.Decoder(models.BrowseEvent)
        return self._stream("GET", f"peers/{quoted(peer)}/shares", decoder, query={"path": path})

    def progress(self, content_id: str) -> Iterator[models.TransferChange]:
        """Follow one download until it rests."""
        decoder = msgspec.json.Decoder(models.TransferChange)
        return self._stream("GET", f"transfers/{content_id}/progress", decoder)

    def _ask(
        self,
        method: str,
        route: str,
        answer: type[T],
        body: models.Body | None = None,
        query: dict[str, str | float] | None = None,
    ) -> T:
        try:
            response = self._http.request(method, route, content=_encoded(body), params=query, headers=_JSON)
            _check(response)
            return msgspec.json.decode(response.content, type=answer)
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            raise _unanswered(error) from error

    def _stream(
        self,
        method: str,
        route: str,
        decoder: msgspec.json.Decoder[T],
        *,
        body: models.Body | None = None,
        query: dict[str, str | float] | None = None,
    ) -> Iterator[T]:
        try:
            with self._http.stream(method, route, content=_encoded(body), params=query, headers=_JSON) as response:
                _check(response)
                for line in _lines(response.iter_bytes()):
                    event = decoder.decode(line)
                    if isinstance(event, models.StreamProblem):
                        raise PeerageError(event.error)
                    yield event
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            raise _unanswered(error) from error


class _BadQueryError(PeerageError):
    """A query that cannot be parsed, before its text is known again."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.position = position


def quoted(text: str) -> str:
    """Return a text as one component of a route."""
    return quote(text, safe="")


def _encoded(body: models.Body | None) -> bytes | None:
    return None if body is None else msgspec.json.encode(body)


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Cut a stream at newlines only: a name may hold other characters that text functions take for one."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from filter(None, lines)
    if rest:
        yield rest


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    problem = _problem(response.read())
    if problem.kind == QueryError.__name__ and problem.position is not None:
        raise _BadQueryError(problem.error.partition("\n")[0], problem.position)
    if problem.kind == AddressError.__name__:
        raise AddressError(problem.error)
    raise PeerageError(problem.error)


def _problem(body: bytes) -> models.Problem:
    try:
        return msgspec.json.decode(body, type=models.Problem)
    except msgspec.MsgspecError:
        return models.Problem(error="the node gave an answer that is not one; is it of another version?", kind="")


def _unanswered(error: Exception) -> PeerageError:
    if isinstance(error, httpx.TimeoutException):
        return LinkError("the node does not answer; see its log in the home folder, or stop it with: peerage down")
    if isinstance(error, httpx.HTTPError):
        return LinkError("the node stopped while it was asked; start it again with: peerage up")
    return PeerageError(f"the node is of another version than this command: {error}")
