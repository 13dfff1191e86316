"""The route of the stream of events; what holds for `routes.py` holds here, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, cast

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.exceptions import ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter

from peerage.app.api.event_models import KINDS, Kind, NodeEvent
from peerage.app.api.streams import SERVER_SENT, EventStream
from peerage.app.node import Node

AnyRequest = Request[Any, Any, Any]
TheNode = NamedDependency[Node]
KindsText = Annotated[str, QueryParameter(max_length=200, description="Comma between them; all of them without it")]
After = Annotated[str, QueryParameter(max_length=100, description="Go on behind this event, as Last-Event-ID does")]
_EVENTS: Final[dict[int, ResponseSpec]] = {
    200: ResponseSpec(
        cast(Any, NodeEvent), generate_examples=False, media_type=SERVER_SENT, description="One object an event"
    )
}


@get("/events", responses=_EVENTS)
async def events(node: TheNode, request: AnyRequest, kinds: KindsText = "", after: After = "") -> EventStream:
    """Follow what changes in this node: began, then each change; reload when some were missed."""
    last = after or request.headers.get("last-event-id", "")
    return EventStream(node.events.follow(_kinds(kinds), last), request, always_server_sent=True)


def _kinds(text: str) -> list[Kind]:
    named = [name for name in text.split(",") if name]
    for name in named:
        if name not in KINDS:
            raise ValidationException(
                f"there are no events of the kind {name!r}; known are: {', '.join(sorted(KINDS))}"
            )
    return cast(list[Kind], sorted(set(named) or KINDS))


ROUTES: Final[Sequence[HTTPRouteHandler]] = (events,)
