"""The routes of the API about settings; what holds for `routes.py` holds here, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from litestar import get, patch, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from peerage.app.api import setting_models as models
from peerage.app.node import Node

TheNode = NamedDependency[Node]


@get("/settings")
async def settings(node: TheNode) -> list[models.SettingEntry]:
    """List all settings, and which of them wait for a restart."""
    return await node.settings.all()


@patch("/settings")
async def change_settings(node: TheNode, data: JSONBody[models.SettingsBody]) -> list[models.SettingEntry]:
    """Change settings, in the configuration file and, where that can be, at once."""
    return await node.settings.change(data.changes)


@post("/settings/reload", status_code=200)
async def reload_settings(node: TheNode) -> models.Reloaded:
    """Read the configuration file again, and use at once what can be; a mistake in it changes nothing."""
    return await node.settings.reload()


ROUTES: Final[Sequence[HTTPRouteHandler]] = (settings, change_settings, reload_settings)
