"""The route of the API about how well the node is; what holds for `routes.py` holds here, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from peerage.app.api.doctor_models import Check
from peerage.app.node import Node

TheNode = NamedDependency[Node]


@get("/doctor")
async def doctor(node: TheNode) -> list[Check]:
    """Look at whether everything is as it should be, and say what to do where it is not."""
    return await node.doctor.examine()


ROUTES: Final[Sequence[HTTPRouteHandler]] = (doctor,)
