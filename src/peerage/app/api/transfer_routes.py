"""The routes of the API that order transfers; what holds for `routes.py` holds here, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody, PathParameter

from peerage.app.api import models
from peerage.app.api import transfer_models as order
from peerage.app.node import Node

TheNode = NamedDependency[Node]
Said = Annotated[str, PathParameter(min_length=1, max_length=models.MAX_TEXT)]


@post("/transfers/{said:str}/priority", status_code=200)
async def prioritise(node: TheNode, said: Said, data: JSONBody[models.PriorityBody]) -> models.Transfer:
    """Begin a download sooner or later; or, with `only`, fetch some of its files sooner, later or not at all."""
    return node.fetching.view(await node.ordering.prioritise(said, data.level, data.only))


@post("/transfers/{said:str}/files", status_code=200)
async def choose_files(node: TheNode, said: Said, data: JSONBody[order.FilesBody]) -> models.Transfer:
    """Fetch files of a download, by their numbers, sooner, later or not at all."""
    return node.fetching.view(await node.ordering.choose(said, data.files))


@post("/transfers/{said:str}/move", status_code=200)
async def move(node: TheNode, said: Said, data: JSONBody[order.MoveBody]) -> models.Transfer:
    """Let a download stand elsewhere in the queue."""
    return node.fetching.view(await node.ordering.move(said, data.to))


@put("/transfers/{said:str}/limit")
async def limit_transfer(node: TheNode, said: Said, data: JSONBody[order.TransferLimitBody]) -> models.Transfer:
    """Limit the speed of one download."""
    return node.fetching.view(await node.ordering.limit(said, data.down))


@get("/transfers/{said:str}/sources", sync_to_thread=False)
def sources(node: TheNode, said: Said) -> list[order.TransferSource]:
    """List who has the content of a download, or may have it, and what comes from each."""
    return node.ordering.sources(said)


@post("/transfers/{said:str}/forget", status_code=200)
async def forget(node: TheNode, said: Said) -> models.Transfer:
    """Take a download that has ended off the list; its files stay."""
    return node.fetching.view(await node.ordering.forget(said))


@post("/transfers/forget-finished", status_code=200)
async def forget_finished(node: TheNode) -> order.Forgotten:
    """Take all downloads that are complete off the list; their files stay."""
    return order.Forgotten(count=await node.ordering.forget_finished())


ROUTES: Final[Sequence[HTTPRouteHandler]] = (
    *(prioritise, choose_files, move, limit_transfer),
    *(sources, forget, forget_finished),
)
