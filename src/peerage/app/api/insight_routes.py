"""The routes of the API for a closer look; what holds for `routes.py` holds here, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter, QueryParameter

from peerage.app import insight
from peerage.app.api import insight_models as models
from peerage.app.api.models import MAX_TEXT
from peerage.app.node import Node
from peerage.limits import LOGS_KEPT

TheNode = NamedDependency[Node]
Said = Annotated[str, PathParameter(min_length=1, max_length=MAX_TEXT)]
Cells = Annotated[int, QueryParameter(ge=1, le=4096)]
Lines = Annotated[int, QueryParameter(ge=1, le=LOGS_KEPT)]
Level = Annotated[Literal["debug", "info", "warning", "error"], QueryParameter()]


@get("/transfers/{said:str}/pieces")
async def pieces(node: TheNode, said: Said, cells: Cells = 512) -> models.PieceMap:
    """Show which pieces of a download are here."""
    return await insight.piece_map(node, node.fetching.find(said), cells)


@get("/statistics", sync_to_thread=False)
def statistics(node: TheNode) -> models.Statistics:
    """Show what went up and down since the start, and everything that is counted."""
    return insight.statistics_of(node)


@get("/uploads", sync_to_thread=False)
def uploads(node: TheNode) -> list[models.UploadEntry]:
    """List what was uploaded to whom since the start, the latest first."""
    return insight.uploads_of(node)


@get("/logs", sync_to_thread=False)
def logs(node: TheNode, lines: Lines = 200, level: Level = "debug") -> list[models.LogEntry]:
    """Show the last lines of the log, the oldest first."""
    return [
        models.LogEntry(time=line.time, level=line.level, logger=line.logger, message=line.message, trace=line.trace)
        for line in node.logs.last(lines, level)
    ]


ROUTES: Final[Sequence[HTTPRouteHandler]] = (pieces, statistics, uploads, logs)
