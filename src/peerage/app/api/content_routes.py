"""The routes of the local API about the files themselves; what holds for `routes.py` holds here, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from litestar import HttpMethod, Request, Response, get, route
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter, QueryParameter

from peerage.app.api import content_models, models
from peerage.app.api.content_http import respond
from peerage.app.node import Node

AnyRequest = Request[Any, Any, Any]
TheNode = NamedDependency[Node]
ContentId = Annotated[str, PathParameter(min_length=1, max_length=models.MAX_TEXT)]
InsidePath = Annotated[str, PathParameter(max_length=models.MAX_TEXT)]
Save = Annotated[bool, QueryParameter(name="save")]

_BYTES: Final = {
    status: ResponseSpec(bytes, generate_examples=False, media_type="application/octet-stream", description=text)
    for status, text in (
        (200, "The file; its own type stands in the header"),
        (206, "The bytes that were asked for"),
    )
}


@get("/files/{content_id:str}")
async def content_files(node: TheNode, content_id: ContentId) -> list[content_models.ContentFile]:
    """List the files of a content that is shared or downloaded here, and how much of each is here."""
    return await node.contents.files(content_id)


@route("/content/{content_id:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD], responses=_BYTES)
async def content(node: TheNode, request: AnyRequest, content_id: ContentId, save: Save = False) -> Response[Any]:  # noqa: FBT002 -- a parameter of the route
    """Send a file, or some of it, even while it is being downloaded."""
    file = await node.contents.open(content_id)
    return await respond(node.contents.reading, file, request, save=save)


@route("/content/{content_id:str}/{path:path}", http_method=[HttpMethod.GET, HttpMethod.HEAD], responses=_BYTES)
async def content_inside(
    node: TheNode,
    request: AnyRequest,
    content_id: ContentId,
    path: InsidePath,
    save: Save = False,  # noqa: FBT002 -- a parameter of the route
) -> Response[Any]:
    """Send a file of a folder, or some of it."""
    file = await node.contents.open(content_id, path.removeprefix("/"))
    return await respond(node.contents.reading, file, request, save=save)


ROUTES: Final[Sequence[HTTPRouteHandler]] = (content_files, content, content_inside)
