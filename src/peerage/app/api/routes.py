"""The routes of the local API; `app/api/__init__.py` lists them for people.

Invariant: a route translates and nothing more: it takes a struct of `models.py`, calls the node, and returns a struct.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Annotated, Any, Final

from litestar import MediaType, Request, Response, get, patch, post, put
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, PathParameter, QueryParameter

from peerage.app.api import models
from peerage.app.api.access_routes import ROUTES as ACCESS_ROUTES
from peerage.app.api.access_routes import check_paths
from peerage.app.api.content_routes import ROUTES as CONTENT_ROUTES
from peerage.app.api.control import Control
from peerage.app.api.demo_routes import ROUTES as DEMO_ROUTES
from peerage.app.api.description import describe
from peerage.app.api.doctor_routes import ROUTES as DOCTOR_ROUTES
from peerage.app.api.event_routes import ROUTES as EVENT_ROUTES
from peerage.app.api.folder_routes import ROUTES as FOLDER_ROUTES
from peerage.app.api.insight_routes import ROUTES as INSIGHT_ROUTES
from peerage.app.api.metrics import CONTENT_TYPE, prometheus_text
from peerage.app.api.setting_routes import ROUTES as SETTING_ROUTES
from peerage.app.api.streams import JSON_LINES, Events, EventStream
from peerage.app.api.transfer_routes import ROUTES as TRANSFER_ROUTES
from peerage.app.api.vote_routes import ROUTES as VOTE_ROUTES
from peerage.app.api.wish_routes import ROUTES as WISH_ROUTES
from peerage.app.node import Node
from peerage.app.searching import DEFAULT_LIMIT, SearchRun
from peerage.limits import (
    MAX_QUERY_CHARS,
    MAX_SEARCH_BYTES,
    MAX_SEARCH_HITS,
    MAX_SEARCH_MESSAGES,
    MAX_SEARCH_SECONDS,
    SEARCH_BYTES,
    SEARCH_MESSAGES,
    SEARCH_SECONDS,
)
from peerage.overlay.base import Budget

AnyRequest = Request[Any, Any, Any]
TheNode = NamedDependency[Node]
TheControl = NamedDependency[Control]
Said = Annotated[str, PathParameter(min_length=1, max_length=models.MAX_TEXT)]
Target = Annotated[str, QueryParameter(min_length=1, max_length=models.MAX_TEXT)]
Path = Annotated[str, QueryParameter(max_length=models.MAX_TEXT)]
Limit = Annotated[int, QueryParameter(ge=1, le=MAX_SEARCH_HITS)]
Seconds = Annotated[float, QueryParameter(gt=0, le=MAX_SEARCH_SECONDS)]
Messages = Annotated[int, QueryParameter(ge=1, le=MAX_SEARCH_MESSAGES)]
Bytes = Annotated[int, QueryParameter(ge=1, le=MAX_SEARCH_BYTES)]
QueryText = Annotated[str, QueryParameter(name="q", max_length=4 * MAX_QUERY_CHARS)]


def _stream_of(kind: Any) -> dict[int, ResponseSpec]:
    return {200: ResponseSpec(kind, generate_examples=False, media_type=JSON_LINES, description="One object a line")}


# --- the node ---------------------------------------------------------------------------------------------------


@get("/status")
async def status(node: TheNode) -> models.Status:
    """Show the node at a glance."""
    return await node.status()


@get("/id", sync_to_thread=False)
def identity(node: TheNode) -> models.Identity:
    """Show who this node is."""
    return models.Identity(peer_id=node.peer_id, public_key=node.peer.key.public_key.hex())


@post("/down", status_code=200, sync_to_thread=False)
def down(control: TheControl) -> models.Done:
    """Stop the daemon in order, after this answer."""
    control.stop()
    return models.Done()


@get("/metrics", media_type=MediaType.TEXT)
async def metrics(node: TheNode) -> Response[bytes]:
    """Show counters and gauges for Prometheus."""
    text = prometheus_text(await node.status(), node.peer.metrics)
    return Response(text, media_type=CONTENT_TYPE)


@get("/openapi.json", include_in_schema=False, sync_to_thread=False)
def openapi(request: AnyRequest) -> dict[str, Any]:
    """Describe this API, for programs that write clients."""
    return describe(request.app.openapi_schema.to_schema())


# --- sharing ----------------------------------------------------------------------------------------------------


@get("/shares")
async def shares(node: TheNode) -> list[models.Share]:
    """List what is shared."""
    return await node.library()


@post("/shares", status_code=200, responses=_stream_of(models.ShareEvent))
async def share(node: TheNode, request: AnyRequest, data: JSONBody[models.ShareBody]) -> EventStream:
    """Share files and folders, and tell how hashing goes."""
    await node.peer.in_thread(check_paths, request, node, data.paths)
    return EventStream(node.sharing.share_all(data.paths, data.visibility), request)


@post("/shares/remove", status_code=200)
async def unshare(node: TheNode, data: JSONBody[models.UnshareBody]) -> list[models.Share]:
    """Take shares back; nothing is taken back when one of the targets is not shared."""
    return await node.sharing.unshare_all(data.targets)


@get("/link")
async def link(node: TheNode, target: Target) -> models.ContentLink:
    """Make a link to a share, or to a file inside one."""
    return await node.link(target)


# --- searching --------------------------------------------------------------------------------------------------


@get("/search", responses=_stream_of(models.SearchEvent))
async def search(  # noqa: PLR0913, PLR0917 -- one for each parameter of the route
    node: TheNode,
    request: AnyRequest,
    text: QueryText,
    limit: Limit = DEFAULT_LIMIT,
    timeout: Seconds = SEARCH_SECONDS,  # noqa: ASYNC109 -- the name of the parameter
    max_messages: Messages = SEARCH_MESSAGES,
    max_bytes: Bytes = SEARCH_BYTES,
) -> EventStream:
    """Search; hits as they come, again when they have more holders, and in the end the cost and who was asked."""
    run = node.search(text, limit, timeout, Budget(max_messages, max_bytes))
    return EventStream(_search_events(node, text, run), request)


async def _search_events(node: Node, text: str, run: SearchRun) -> Events:
    with node.feeds.search(text) as found:
        async with aclosing(run.updates()) as updates:
            async for hit in updates:
                found(hit.number)
                yield models.HitFound(hit=hit)
        yield run.summary


# --- transfers --------------------------------------------------------------------------------------------------


@get("/transfers", sync_to_thread=False)
def transfers(node: TheNode) -> list[models.Transfer]:
    """List all downloads, the oldest first."""
    return node.fetching.views()


@post("/transfers")
async def fetch(node: TheNode, request: AnyRequest, data: JSONBody[models.GetBody]) -> models.Transfer:
    """Begin a download, or go on with one."""
    await node.peer.in_thread(check_paths, request, node, [data.into])
    return node.fetching.view(await node.get(data.target, data.into, only=data.only))


@get("/transfers/{said:str}", sync_to_thread=False)
def transfer(node: TheNode, said: Said) -> models.Transfer:
    """Show one download."""
    return node.fetching.view(node.fetching.find(said))


@get("/transfers/{said:str}/progress", responses=_stream_of(models.TransferChange))
async def progress(node: TheNode, request: AnyRequest, said: Said) -> EventStream:
    """Follow one download until it rests."""
    return EventStream(node.fetching.progress(node.fetching.find(said)), request)


@post("/transfers/{said:str}/pause", status_code=200)
async def pause(node: TheNode, said: Said) -> models.Transfer:
    """Stop a download and keep what it has."""
    return node.fetching.view(await node.fetching.pause(said))


@post("/transfers/{said:str}/resume", status_code=200)
async def resume(node: TheNode, said: Said) -> models.Transfer:
    """Go on with a download."""
    return node.fetching.view(await node.fetching.resume(said))


@post("/transfers/{said:str}/cancel", status_code=200)
async def cancel(node: TheNode, said: Said) -> models.Transfer:
    """Give a download up and delete what is unfinished; a finished one only leaves the list."""
    return node.fetching.view(await node.fetching.cancel(said))


# --- peers and limits -------------------------------------------------------------------------------------------


@get("/peers")
async def peers(node: TheNode) -> list[models.PeerEntry]:
    """List known peers, connected ones first."""
    return await node.peers()


@post("/peers/connect", status_code=200)
async def connect(node: TheNode, data: JSONBody[models.ConnectBody]) -> models.PeerEntry:
    """Connect to an address."""
    return await node.connect(data.address)


@get("/peers/classic", sync_to_thread=False)
def old_peers(node: TheNode) -> list[models.OldPeer]:
    """List the peers of 2007 that are known."""
    return node.classic.peers()


@post("/peers/connect-classic", status_code=200)
async def connect_classic(node: TheNode, data: JSONBody[models.ConnectOldBody]) -> list[models.OldPeer]:
    """Join a peer of 2007 and those it knows."""
    return await node.classic.connect(data.address, data.hops)


@patch("/peers/{said:str}", sync_to_thread=False)
def change_peer(node: TheNode, said: Said, data: JSONBody[models.PeerBody]) -> models.PeerEntry:
    """Befriend, ban or name a peer, or take that back."""
    return node.neighbours.change(said, data)


@get("/peers/{said:str}/shares", responses=_stream_of(models.BrowseEvent))
async def browse(node: TheNode, request: AnyRequest, said: Said, path: Path = "") -> EventStream:
    """Look through what a peer shares, below a folder or all of it."""
    return EventStream(await node.browse(said, path), request)


@get("/limits", sync_to_thread=False)
def limits(node: TheNode) -> models.RateLimits:
    """Show the speed limits."""
    return node.limits()


@put("/limits")
async def change_limits(node: TheNode, data: JSONBody[models.LimitsBody]) -> models.RateLimits:
    """Change the speed limits, now and for later starts."""
    return await node.set_limits(data.down, data.up, data.upload_slots, data.downloads_at_once)


ROUTES: Final[Sequence[HTTPRouteHandler]] = (
    *(status, identity, down, metrics, openapi),
    *(shares, share, unshare, link, search),
    *(transfers, fetch, transfer, progress, pause, resume, cancel),
    *(peers, connect, old_peers, connect_classic, change_peer, browse, limits, change_limits),
    *ACCESS_ROUTES,
    *CONTENT_ROUTES,
    *DEMO_ROUTES,
    *DOCTOR_ROUTES,
    *EVENT_ROUTES,
    *FOLDER_ROUTES,
    *INSIGHT_ROUTES,
    *SETTING_ROUTES,
    *TRANSFER_ROUTES,
    *WISH_ROUTES,
    *VOTE_ROUTES,
)
