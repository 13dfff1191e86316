"""The routes of the local API about the demo network; what holds for `routes.py` holds here, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from peerage.app.api.demo_models import Demo
from peerage.app.node import Node

TheNode = NamedDependency[Node]


@get("/demo", sync_to_thread=False)
def demo(node: TheNode) -> Demo:
    """Show how the demo network stands."""
    return node.demo.view()


@post("/demo", status_code=200)
async def start_demo(node: TheNode) -> Demo:
    """Start a small network of real nodes on this computer, for this node alone; one that runs goes on."""
    return await node.demo.begin()


@delete("/demo", status_code=200)
async def stop_demo(node: TheNode) -> Demo:
    """Stop it, and forget its nodes."""
    await node.demo.end()
    return node.demo.view()


ROUTES: Final[Sequence[HTTPRouteHandler]] = (demo, start_demo, stop_demo)
