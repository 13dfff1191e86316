"""How streams end when the node is told to stop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from peerage.app.api.control import Control
from peerage.app.api.parting import Parting

CHUNKED: list[tuple[bytes, bytes]] = [(b"content-type", b"text/event-stream")]
MEASURED = [(b"Content-Length", b"10")]


class Client:
    """One request, and what was sent to it."""

    def __init__(self, *parts: dict[str, Any]) -> None:
        self.parts = asyncio.Queue[dict[str, Any]]()
        for part in parts:
            self.parts.put_nowait(part)
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        return await self.parts.get()

    async def send(self, event: Any) -> None:
        self.sent.append(event)


def streaming(headers: list[tuple[bytes, bytes]], *, finish: bool = False) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.request"
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        if finish:
            await send({"type": "http.response.body", "body": b"two"})
        assert await receive() == {"type": "http.disconnect"}

    return app


@pytest.mark.parametrize(
    ("headers", "finish", "last"),
    [(CHUNKED, False, b""), (CHUNKED, True, b"two"), (MEASURED, False, b"one")],
    ids=["a stream is ended", "what has ended is left alone", "nothing false is said of the length"],
)
async def test_the_end_of_the_node(headers: list[tuple[bytes, bytes]], finish: bool, last: bytes) -> None:
    control, client = Control(), Client({"type": "http.request", "body": b""})
    app = Parting(streaming(headers, finish=finish), control)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(app({}, client.receive, client.send))
        while len(client.sent) < 2:
            await asyncio.sleep(0)
        assert client.sent[1].get("more_body")
        control.stop()
    assert client.sent[-1]["body"] == last


async def test_a_client_that_goes_is_heard_as_ever() -> None:
    client = Client({"type": "http.request", "body": b"", "more_body": True}, {"type": "http.request", "body": b""})
    client.parts.put_nowait({"type": "http.disconnect"})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert [(await receive())["type"] for _ in range(3)] == ["http.request", "http.request", "http.disconnect"]

    await Parting(app, Control())({}, client.receive, client.send)
    assert client.sent == []


async def test_a_body_that_comes_in_is_not_cut_off_by_the_stop() -> None:
    control = Control()
    control.stop()
    client = Client({"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.request", "body": b"b"})
    heard: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.extend([(await receive())["body"] for _ in range(2)])

    await Parting(app, control)({}, client.receive, client.send)
    assert heard == [b"a", b"b"]
