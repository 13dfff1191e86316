"""The routes of the API to choose, to hand in and to pass on what is shared; what holds for `routes.py` holds here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Final

from litestar import Request, Response, get, put
from litestar.di import NamedDependency
from litestar.exceptions import ClientException, HTTPException, InternalServerException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter, QueryParameter

from peerage.app import folders as own_folders
from peerage.app import qr_code
from peerage.app.api import folder_models, models
from peerage.app.api.access_routes import visitor_of
from peerage.app.node import Node
from peerage.errors import LocalError
from peerage.limits import MAX_QR_BYTES

AnyRequest = Request[Any, Any, Any]
TheNode = NamedDependency[Node]
FolderPath = Annotated[str, QueryParameter(max_length=models.MAX_TEXT)]
FileName = Annotated[str, PathParameter(min_length=1, max_length=1024)]
Visibility = Annotated[models.VisibilityName, QueryParameter()]
QrText = Annotated[str, QueryParameter(min_length=1, max_length=MAX_QR_BYTES)]

_SVG: Final = {200: ResponseSpec(bytes, generate_examples=False, media_type="image/svg+xml", description="The picture")}
_ALONE: Final = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
    "cross-origin-resource-policy": "same-origin",
}


@get("/folders")
async def folders(node: TheNode, request: AnyRequest, path: FolderPath = "") -> folder_models.Folder:
    """List a folder of this computer that may be looked through, to choose what to share; "" lists those folders."""
    downloads = node.config.download_folder
    owner = visitor_of(request).role == "owner"
    roots = own_folders.roots_of(node.config.folders if owner else [str(downloads.absolute())])
    shared = {share.path for share in await node.library()}
    view = own_folders.View(roots, node.home.path, shared)
    return await node.peer.in_thread(own_folders.look, path, view)


@put("/dropped/{name:str}", status_code=201, request_max_body_size=None)
async def drop(node: TheNode, request: AnyRequest, name: FileName, visibility: Visibility = "public") -> models.Share:
    """Take in a file, the body of this request as it is, and share it; Content-Length is needed."""
    length = request.headers.get("content-length", "")
    if not length.isascii() or not length.isdigit() or len(length) > 15:
        raise HTTPException("say how long the file is, in Content-Length", status_code=411)
    return await node.drops.take(name, int(length), visibility, _chunks(request))


@get("/qr", responses=_SVG)
async def qr(node: TheNode, text: QrText) -> Response[bytes]:
    """Draw a text, such as a link, as a QR code."""
    try:
        picture = await node.peer.in_thread(qr_code.svg, text)
    except LocalError as error:
        raise ClientException(str(error)) from error
    return Response(picture, media_type="image/svg+xml", headers=_ALONE)


async def _chunks(request: AnyRequest) -> AsyncIterator[bytes]:
    """Give the body as it comes; a client that goes away is a LocalError."""
    try:
        async for chunk in request.stream():
            yield chunk
    except InternalServerException as error:  # what the framework makes of a connection that broke
        raise LocalError("the connection broke off before the file was complete") from error


ROUTES: Final[Sequence[HTTPRouteHandler]] = (folders, drop, qr)
