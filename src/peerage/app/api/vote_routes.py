"""The routes of the local API about votes; what holds for `routes.py` holds here, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from peerage.app.api import vote_models as models
from peerage.app.node import Node

TheNode = NamedDependency[Node]


@get("/votes", sync_to_thread=False)
def votes(node: TheNode) -> list[models.VoteEntry]:
    """List the owner's votes, the latest first."""
    return node.opinions.votes()


@post("/votes")
async def add_vote(node: TheNode, data: JSONBody[models.VoteBody]) -> models.VoteEntry:
    """Vote on a content, or think again."""
    return await node.opinions.vote(data.target, data.opinion)


@get("/votes/followed", sync_to_thread=False)
def followed(node: TheNode) -> list[str]:
    """List the ids of those whose votes count as friends'."""
    return node.opinions.followed()


@post("/votes/followed", status_code=200)
async def change_followed(node: TheNode, data: JSONBody[models.FollowBody]) -> list[str]:
    """Follow a peer's votes, or no longer."""
    return await node.opinions.follow(data.peer, follow=data.follow)


ROUTES: Final[Sequence[HTTPRouteHandler]] = (votes, add_vote, followed, change_followed)
