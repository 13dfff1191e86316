"""The routes of the local API about saved searches; what holds for `routes.py` holds here, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody, PathParameter

from peerage.app.api import wish_models as models
from peerage.app.node import Node

TheNode = NamedDependency[Node]
WishId = Annotated[int, PathParameter(ge=0)]


@get("/wishes", sync_to_thread=False)
def wishes(node: TheNode) -> list[models.Wish]:
    """List the saved searches."""
    return node.wishes.all()


@post("/wishes")
async def add_wish(node: TheNode, data: JSONBody[models.WishBody]) -> models.Wish:
    """Save a search."""
    return await node.wishes.add(data.text, data.get_bytes)


@get("/wishes/{wish_id:int}/results", sync_to_thread=False)
def wish_results(node: TheNode, wish_id: WishId) -> list[models.WishResult]:
    """List what a saved search has found, the newest first."""
    return node.wishes.results(wish_id)


@post("/wishes/{wish_id:int}/seen", status_code=200)
async def see_wish(node: TheNode, wish_id: WishId) -> models.Wish:
    """Note that its results were looked at, and let `get` take their numbers."""
    return await node.wishes.see(wish_id)


@post("/wishes/{wish_id:int}/remove", status_code=200)
async def remove_wish(node: TheNode, wish_id: WishId) -> models.Wish:
    """Forget a saved search."""
    return await node.wishes.remove(wish_id)


ROUTES: Final[Sequence[HTTPRouteHandler]] = (wishes, add_wish, wish_results, see_wish, remove_wish)
