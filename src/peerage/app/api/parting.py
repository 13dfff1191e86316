"""Ends the streams of an application when the node is told to stop, in order: the last part is an empty one.

Invariant: a request whose body is still coming in, and one that is just being answered, are left alone; only what waits
for the client to go, as every stream does beside its work, hears that it should end. While the node runs it costs
nothing but two calls.
"""

from __future__ import annotations

import asyncio
from typing import Final

from peerage.app.api.control import Control
from peerage.app.api.guard import AsgiApp, Event, Receive, Scope, Send

_GONE: Final[Event] = {"type": "http.disconnect"}
_LAST: Final[Event] = {"type": "http.response.body", "body": b""}


class Parting:
    """Wraps an application; `control` says when the node stops."""

    def __init__(self, app: AsgiApp, control: Control) -> None:
        self._app = app
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        talk = _Talk(receive, send, self._control)
        await self._app(scope, talk.receive, talk.send)
        if talk.was_ended and talk.is_open:
            await send(_LAST)


class _Talk:
    """One request and its answer."""

    def __init__(self, receive: Receive, send: Send, control: Control) -> None:
        self._receive = receive
        self._send = send
        self._control = control
        self._heard_all = False
        self.is_open = False  # an answer of unknown length has begun and not ended
        self.was_ended = False

    async def receive(self) -> Event:
        if self._heard_all:
            return await self._gone_or_stopping()
        event = await self._receive()
        self._heard_all = not event.get("more_body", False)
        return event

    async def send(self, event: Event) -> None:
        if event["type"] == "http.response.start":
            self.is_open = all(name.lower() != b"content-length" for name, _ in event["headers"])
        elif not event.get("more_body", False):
            self.is_open = False
        await self._send(event)

    async def _gone_or_stopping(self) -> Event:
        """Wait for what comes first: the client goes, or the node stops."""
        async with asyncio.TaskGroup() as group:
            gone = group.create_task(self._heard())
            stopping = group.create_task(self._control.wait())
            await asyncio.wait((gone, stopping), return_when=asyncio.FIRST_COMPLETED)
            self.was_ended = not gone.done()
            gone.cancel()
            stopping.cancel()
        return _GONE if self.was_ended else gone.result()

    async def _heard(self) -> Event:
        return await self._receive()
