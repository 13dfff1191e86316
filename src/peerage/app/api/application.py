"""The local API and the page as one ASGI application: routes, errors and OpenAPI, behind the guard.

Invariant: there is no way to a route but through the guard.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from peerage.app.access import Access
from peerage.app.api import problems
from peerage.app.api.access_routes import check_permission
from peerage.app.api.control import Control
from peerage.app.api.guard import MAX_BODY, AsgiApp, Door, Guard
from peerage.app.api.routes import ROUTES
from peerage.app.node import Node
from peerage.app.web.pages import serve_page
from peerage.errors import PeerageError

ROOT: Final = "/api/v1"


def build(node: Node, access: Access, control: Control, door: Door) -> AsgiApp:
    """Return the API of a node as it stands at one door; `control` is told when it is asked to stop."""
    api: Any = build_open(node, access, control)  # Litestar names the events of ASGI more narrowly
    return Guard(api, serve_page, access, door)


def build_open(node: Node, access: Access, control: Control) -> Litestar:
    """Return the API without its guard, for what looks at its description only."""
    return Litestar(
        route_handlers=[Router(ROOT, route_handlers=list(ROUTES))],
        dependencies={
            "node": Provide(lambda: node, sync_to_thread=False),
            "access": Provide(lambda: access, sync_to_thread=False),
            "control": Provide(lambda: control, sync_to_thread=False),
        },
        guards=[check_permission],
        exception_handlers={
            PeerageError: problems.on_peerage_error,
            HTTPException: problems.on_http_error,
            RecursionError: problems.on_deep_body,
            Exception: problems.on_anything_else,
        },
        openapi_config=OpenAPIConfig(
            title="Peerage",
            version=version("peerage"),
            path=f"{ROOT}/description",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            operation_id_creator=lambda handler, method, _path: _operation(handler.handler_name, str(method)),
            use_handler_docstrings=True,
        ),
        request_max_body_size=MAX_BODY,
        logging_config=None,
    )


def _operation(handler: str, method: str) -> str:
    return f"{handler}_head" if method.upper().endswith("HEAD") else handler
