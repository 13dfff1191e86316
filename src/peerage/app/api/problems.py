"""What went wrong, as HTTP says it: each class of error has its status, and every body is a `Problem`.

Invariant: an error of Peerage keeps its sentence; anything unexpected becomes a plain 500, its details only in the log.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException

from peerage.app.access import TooManyError, UnknownVisitorError
from peerage.app.api.models import Problem
from peerage.app.naming import UnknownNameError
from peerage.errors import (
    AddressError,
    LimitError,
    LinkError,
    LocalError,
    PeerageError,
    QueryError,
    RemoteError,
    StoreError,
    TargetExistsError,
)

log = logging.getLogger("peerage.api")

# The first class that fits counts.
_STATUS: Final[tuple[tuple[type[PeerageError], int], ...]] = (
    (UnknownNameError, 404),
    (UnknownVisitorError, 401),
    (TooManyError, 429),
    (QueryError, 400),
    (AddressError, 400),
    (LocalError, 409),
    (TargetExistsError, 409),
    (StoreError, 507),
    (LimitError, 503),
    (LinkError, 502),
    (RemoteError, 502),
    (PeerageError, 500),
)


def on_peerage_error(request: Request[Any, Any, Any], error: PeerageError) -> Response[Problem]:
    """Answer with the error's own sentence."""
    del request
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    position = error.position if isinstance(error, QueryError) else None
    sentence = error.reason if isinstance(error, QueryError) else str(error)
    return _response(status, Problem(error=sentence, kind=type(error).__name__, position=position))


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """Answer what the framework refuses: a wrong path, method, parameter or body."""
    del request
    return _response(error.status_code, Problem(error=_sentence(error), kind="RequestError"))


def on_deep_body(request: Request[Any, Any, Any], error: RecursionError) -> Response[Problem]:
    """Answer a body that is nested so deep that it can only be meant to do harm."""
    del request, error
    return _response(400, Problem(error="the body is nested too deep", kind="RequestError"))


def on_anything_else(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Keep an unexpected error from ending more than its request."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _response(500, Problem(error="the node could not do that; its log says more", kind="InternalError"))


def _sentence(error: HTTPException) -> str:
    extra = error.extra if isinstance(error.extra, list) else []
    details = [f"{each.get('key', 'body')}: {each.get('message')}" for each in extra if isinstance(each, dict)]
    return "; ".join(details) or error.detail or "that is not a request this API knows"


def _response(status: int, problem: Problem) -> Response[Problem]:
    return Response(problem, status_code=status, media_type=MediaType.JSON)
