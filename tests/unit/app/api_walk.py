"""A way to walk the API without a socket: the application is called as its server would call it, one request at a time.

Streams that have no end are left as a browser leaves them: after their first lines, or when nothing comes for a moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

from peerage.app.access import Access
from peerage.app.api.application import build
from peerage.app.api.control import Control
from peerage.app.api.guard import AsgiApp, Door
from peerage.app.api.models import Problem
from peerage.app.api.permissions import RoleName
from peerage.app.keys_book import KeyBook
from peerage.app.node import Node

HOST = "127.0.0.1:7412"
SILENCE = 0.05  # seconds after which a stream that says nothing is left
ENOUGH = 256 * 1024  # bytes of an answer


class Answered(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> Problem:
        """The body of an answer that is not a success; fails when it is none."""
        assert self.headers["content-type"] == "application/json", self
        return msgspec.json.decode(self.body, type=Problem)


class Call(NamedTuple):
    """One request; `url` is a path with its query, percent-encoded; `sized`: whether it says how large its body is."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""
    sized: bool = True


class Operation(NamedTuple):
    """One route and method of the OpenAPI document."""

    method: str
    path: str
    described: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of its function."""
        return self.described["operationId"].removesuffix("_head")

    @property
    def takes_json(self) -> bool:
        """Whether it has a body that is JSON."""
        return "application/json" in self.described.get("requestBody", {}).get("content", {})

    def url(self, filled: str = "abcd") -> str:
        """Its path with something in the place of its parameters."""
        path = self.path
        for each in self.described.get("parameters", ()):
            if each["in"] == "path":
                number = each["schema"].get("type") == "integer"
                path = path.replace("{" + each["name"] + "}", "7" if number else filled)
        return path


class Api:
    """The API of one node, with a secret for each role."""

    def __init__(self, app: AsgiApp, secrets: dict[RoleName, str], control: Control) -> None:
        self.secrets = secrets
        self.control = control
        self._app = app

    def headers(self, role: RoleName | None, **more: str) -> dict[str, str]:
        """The headers of somebody's request."""
        return {"host": HOST, **({"authorization": f"Bearer {self.secrets[role]}"} if role else {}), **more}

    async def call(self, call: Call) -> Answered:
        """Make one request; whatever the application raises comes through."""
        return await _Exchange(call).run(self._app)

    async def document(self) -> dict[str, Any]:
        """The OpenAPI document, as any client gets it."""
        answered = await self.call(Call("GET", "/api/v1/openapi.json", self.headers("guest")))
        return msgspec.json.decode(answered.body, type=dict[str, Any])


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Every route and method that a document names."""
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            yield Operation(method.upper(), path, described)


@asynccontextmanager
async def api_of(node: Node, folder: Path) -> AsyncIterator[Api]:
    """The API of a node; a second passes with each request, so that nobody is too quick for it."""
    book = KeyBook(folder / "walk.keys")
    secrets: dict[RoleName, str] = {"owner": "t" * 43}
    for role in ("user", "guest"):
        _, secrets[role] = book.add(role, role, 0.0)
    seconds, control = count(), Control()
    access = Access(secrets["owner"], book, lambda: float(next(seconds)))
    yield Api(build(node, access, control, Door()), secrets, control)


class _Exchange:
    """One request and its answer."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._told = False
        self._leave = asyncio.Event()
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    async def run(self, app: AsgiApp) -> Answered:
        async with asyncio.timeout(30):
            work = asyncio.ensure_future(app(self._scope(), self._receive, self._send))
            while not work.done():
                said = len(self._body)
                await asyncio.wait([work], timeout=SILENCE)
                if said == len(self._body) and self._status:
                    self._leave.set()
            await work
        return Answered(self._status, self._headers, bytes(self._body))

    def _scope(self) -> dict[str, Any]:
        url = urlsplit(self._call.url)
        sized = {"content-length": str(len(self._call.body))} if self._call.sized else {}
        headers = {**sized, **{name.lower(): value for name, value in self._call.headers.items()}}
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self._call.method,
            "scheme": "http",
            "path": unquote(url.path),
            "raw_path": url.path.encode(),
            "query_string": url.query.encode(),
            "root_path": "",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
            "client": ("127.0.0.1", 40_000),
            "server": ("127.0.0.1", 7412),
            "state": {},
        }

    async def _receive(self) -> dict[str, Any]:
        if not self._told:
            self._told = True
            return {"type": "http.request", "body": self._call.body, "more_body": False}
        await self._leave.wait()
        return {"type": "http.disconnect"}

    async def _send(self, event: Mapping[str, Any]) -> None:
        if event["type"] == "http.response.start":
            assert not self._status, "an answer begins once"
            self._status = event["status"]
            self._headers = {name.decode(): value.decode("latin-1") for name, value in event["headers"]}
            return
        self._body += event.get("body", b"")
        if len(self._body) > ENOUGH:
            self._leave.set()
