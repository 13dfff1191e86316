"""The routes of the API about keys and sessions; what holds for `routes.py` holds here, too."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import PermissionDeniedException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.params import JSONBody

from peerage.app.access import LINK_SECONDS, OWNER, Access, Visitor
from peerage.app.api import access_models as models
from peerage.app.api.guard import ENTRANCE, VISITOR, cookie_of, session_of
from peerage.app.api.models import Done
from peerage.app.api.permissions import NEEDS, OPEN, PERMISSIONS, allowed
from peerage.app.keys_book import Key
from peerage.app.node import Node

AnyRequest = Request[Any, Any, Any]
TheNode = NamedDependency[Node]
TheAccess = NamedDependency[Access]


async def check_permission(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Turn away whoever has not the permission that a route needs; runs before each of them.

    A coroutine, because the framework runs plain functions here in a thread, for which a busy node waits too long.
    """
    if handler.handler_name in OPEN:
        return
    visitor = connection.scope["state"].get(VISITOR)
    if not isinstance(visitor, Visitor) or not allowed(visitor.role, handler.handler_name):
        role = visitor.role if isinstance(visitor, Visitor) else "nobody"
        needed = NEEDS.get(handler.handler_name, "administer")
        raise PermissionDeniedException(f"a {role} may not {needed} here; ask the owner of this node")


@get("/me", sync_to_thread=False)
def me(request: AnyRequest) -> models.Me:
    """Say who asks, and what he may do."""
    visitor = visitor_of(request)
    return models.Me(name=visitor.name, role=visitor.role, permissions=sorted(PERMISSIONS[visitor.role]))


@post("/login", status_code=200)
async def login(
    node: TheNode, access: TheAccess, request: AnyRequest, data: JSONBody[models.LoginBody]
) -> Response[Done]:
    """Begin a session with the password or a key; what comes back sets a cookie."""
    access.check_attempt(request.client.host if request.client is not None else "")
    visitor = access.by_token(data.secret)
    if visitor is None and await node.peer.in_thread(access.book.opens, data.secret):
        visitor = OWNER
    return _with_cookie(request, access.login(visitor))


@post("/leave", status_code=200, sync_to_thread=False)
def leave(access: TheAccess, request: AnyRequest) -> Response[Done]:
    """End the session that asks."""
    access.leave(session_of(request.scope, dict(request.scope["headers"])))  # type: ignore[arg-type]  # Litestar's own scope
    return _with_cookie(request, "")


@post("/link", sync_to_thread=False)
def make_link(node: TheNode, access: TheAccess, request: AnyRequest) -> models.EntranceLink:
    """Make a link that lets a browser in as whoever asks, once and soon."""
    code = access.make_link(visitor_of(request))
    return models.EntranceLink(url=f"http://{node.api}{ENTRANCE}?code={code}", seconds=LINK_SECONDS)


@get("/keys", sync_to_thread=False)
def keys(access: TheAccess) -> list[models.KeyEntry]:
    """List the keys that were given away."""
    return [_entry(key) for key in access.book.all()]


@post("/keys")
async def add_key(node: TheNode, access: TheAccess, data: JSONBody[models.KeyBody]) -> models.NewKey:
    """Make a key; it is shown this once."""
    key, secret = await node.peer.in_thread(access.book.add, data.name, data.role, time.time())
    return models.NewKey(key=_entry(key), secret=secret)


@post("/keys/remove", status_code=200)
async def remove_key(node: TheNode, access: TheAccess, data: JSONBody[models.RemoveKeyBody]) -> models.KeyEntry:
    """Take a key back; its sessions end at once."""
    key = await node.peer.in_thread(access.book.remove, data.key)
    access.forget(key.id)
    return _entry(key)


@post("/keys/password", status_code=200)
async def change_password(node: TheNode, access: TheAccess, data: JSONBody[models.PasswordBody]) -> Done:
    """Set the owner's password, or take it away."""
    await node.peer.in_thread(access.book.set_password, data.password)
    access.forget(OWNER.id)
    return Done()


def check_paths(request: AnyRequest, node: Node, paths: Sequence[str | None]) -> None:
    """Keep everybody but the owner out of all folders but the one for downloads; links in paths are followed."""
    if visitor_of(request).role == "owner":
        return
    allowed_folder = node.config.download_folder.resolve()
    for path in paths:
        if path is not None and not Path(path).expanduser().resolve().is_relative_to(allowed_folder):
            raise PermissionDeniedException(f"only the owner may use folders outside {allowed_folder}")


def visitor_of(request: AnyRequest) -> Visitor:
    """Return who asks."""
    visitor = request.scope["state"][VISITOR]
    assert isinstance(visitor, Visitor), "the guard let it in"
    return visitor


def _with_cookie(request: AnyRequest, session: str) -> Response[Done]:
    secure = request.scope["scheme"] == "https"
    cookie = cookie_of(request.scope, session, secure=secure)  # type: ignore[arg-type]  # Litestar's own scope
    return Response(Done(), headers={"set-cookie": cookie, "cache-control": "no-store"})


def _entry(key: Key) -> models.KeyEntry:
    return models.KeyEntry(id=key.id, name=key.name, role=key.role, created=key.created)


ROUTES: Final[Sequence[HTTPRouteHandler]] = (
    *(me, login, leave, make_link),
    *(keys, add_key, remove_key, change_password),
)
