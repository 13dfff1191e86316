"""What the API says of itself in OpenAPI 3.1: the framework's description, made exact.

Invariant: what it says of a body is what is checked when one comes (msgspec writes both), and every failure is a
`Problem`, whatever the route. Which routes there are, and what they answer, comes from the routes themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

import msgspec

from peerage.app.api.models import Answer, Body, Problem
from peerage.app.api.permissions import NEEDS, OPEN
from peerage.app.api.streams import SERVER_SENT

_REF: Final = "#/components/schemas/{name}"
_JSON: Final = "application/json"
_ALWAYS: Final = (400, 401, 403, 413, 429, 503)  # what any request may meet, before its route is asked or in it
_BY_ROUTE: Final = (
    404,
    409,
    411,
    502,
    507,
)  # there is no such thing, not now, not without a length, another failed ...
_OF_CONTENT: Final = {"304": "What the client has is still right", "416": "There are no such bytes"}
_KEY: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "The token of the owner, in the file api.token of the home folder, or a key",
}


def describe(framework: dict[str, Any]) -> dict[str, Any]:
    """Return the description of the API, made from the one of the framework, which is changed."""
    components = framework.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.update(_exact(set(schemas)))
    components["securitySchemes"] = {"key": _KEY}
    framework["security"] = [{"key": []}]
    problem = {_JSON: {"schema": {"$ref": _REF.format(name=Problem.__name__)}}}
    for path, methods in framework["paths"].items():
        for method, operation in methods.items():
            _complete(operation, {} if method == "head" else problem)
            _read_events(operation)
            if "/content/" in path:
                operation["responses"] |= {status: {"description": text} for status, text in _OF_CONTENT.items()}
            if "/dropped/" in path:
                operation["requestBody"] = {"required": True, "content": {"application/octet-stream": {"schema": {}}}}
    return framework


def _complete(operation: dict[str, Any], problem: dict[str, Any]) -> None:
    """Add to one operation how it can fail, and who may use it."""
    name = operation["operationId"].removesuffix("_head")
    for status in (*_ALWAYS, *_BY_ROUTE):
        said = {"description": HTTPStatus(status).phrase}
        operation["responses"][str(status)] = said | ({"content": problem} if problem else {})
    if name in OPEN:
        operation["security"] = []
    else:
        operation["x-permission"] = NEEDS.get(name, "administer")


def _read_events(operation: dict[str, Any]) -> None:
    """Say of server-sent events what they consist of: their data are JSON of what the route names."""
    for answer in operation["responses"].values():
        if events := answer.get("content", {}).get(SERVER_SENT):
            data = {"type": "string", "contentMediaType": _JSON, "contentSchema": events["schema"]}
            fields = {"id": {"type": "string"}, "event": {"type": "string"}, "data": data}
            events["schema"] = {"type": "object", "properties": fields, "required": ["event", "data"]}


def _exact(names: set[str]) -> dict[str, Any]:
    """Return the schemas of these structs and of all that they consist of, as msgspec checks them."""
    kinds = [kind for kind in (*_below(Answer), *_below(Body)) if kind.__name__ in names or kind is Problem]
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_REF)
    return schemas


def _below(kind: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
