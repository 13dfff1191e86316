"""Every route of the OpenAPI document against everybody who may, and who may not: the list is the document's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest
from api_walk import Answered, Api, Call, Operation, api_of, operations

from peerage.app.api.guard import MAX_BODY
from peerage.app.api.permissions import NEEDS, OPEN, PERMISSIONS, RoleName, allowed
from peerage.app.node import Node

NO_TOKEN = ({}, {"authorization": ""}, {"authorization": "Bearer wrong"}, {"authorization": "Basic abc"})
WRONG_HOSTS = ("evil.example", "127.0.0.1.evil.example", "192.0.2.1", "", "0.0.0.0")
WRONG_ORIGINS = ("http://evil.example", "null", "https://127.0.0.1:7412", "http://127.0.0.1:1")
MALFORMED = (b"", b"{", b"[]", b"null", b"7", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"a":1e999}', b'{"a":1} x')
STATE = ("shares", "transfers", "limits", "settings", "keys", "wishes", "votes", "votes/followed", "peers", "demo")
PROCESSES = {"start_demo": "it starts a network of processes, which has tests of its own"}


@pytest.fixture
async def walk(node: Node, tmp_path: Path) -> AsyncIterator[Api]:
    async with api_of(node, tmp_path) as api:
        yield api


async def every(walk: Api) -> list[Operation]:
    return list(operations(await walk.document()))


async def ask(walk: Api, operation: Operation, headers: dict[str, str], body: bytes = b"", query: str = "") -> Answered:
    """Call a route; no answer is ever a fault of the program."""
    answered = await walk.call(Call(operation.method, operation.url() + query, headers, body))
    assert answered.status != 500, (operation, answered)
    return answered


def refused(operation: Operation, answered: Answered, status: int, kind: str = "") -> None:
    assert answered.status == status, (operation.method, operation.path, answered)
    if operation.method != "HEAD":
        assert answered.problem.error
        assert not kind or answered.problem.kind == kind, (operation, answered)


# --- who is turned away -----------------------------------------------------------------------------------------


async def test_the_walk_sees_the_whole_api(walk: Api) -> None:
    """The tests here are about what the document names; so it must name it."""
    found = await every(walk)
    assert {each.name for each in found} == set(NEEDS) - {"openapi"} | OPEN
    assert sum(each.takes_json for each in found) > 10


async def test_the_document_says_which_permission_each_route_needs(walk: Api) -> None:
    for operation in await every(walk):
        if operation.name in OPEN:
            assert operation.described["security"] == []
        else:
            assert operation.described["x-permission"] == NEEDS[operation.name]


async def test_without_a_token_every_route_is_closed(walk: Api) -> None:
    for operation in await every(walk):
        for said in NO_TOKEN if operation.name not in OPEN else ():
            answered = await ask(walk, operation, walk.headers(None, **said))
            refused(operation, answered, 401, "TokenError")
            assert answered.headers["www-authenticate"] == "Bearer"
            assert walk.secrets["owner"].encode() not in answered.body


async def test_under_another_name_no_route_answers(walk: Api) -> None:
    for operation in await every(walk):
        for host in WRONG_HOSTS:
            refused(operation, await ask(walk, operation, walk.headers("owner", host=host)), 403, "HostError")


async def test_to_pages_of_other_origins_no_route_answers(walk: Api) -> None:
    for operation in await every(walk):
        for origin in WRONG_ORIGINS:
            refused(operation, await ask(walk, operation, walk.headers("owner", origin=origin)), 403, "OriginError")


@pytest.mark.parametrize("role", PERMISSIONS)
async def test_each_role_may_do_what_the_permissions_say_and_nothing_else(walk: Api, role: RoleName) -> None:
    for operation in await every(walk):
        if operation.name in PROCESSES or operation.name in OPEN:
            continue
        answered = await ask(walk, operation, walk.headers(role))
        if allowed(role, operation.name):
            assert answered.status not in {401, 403}, (operation, answered)
        else:
            refused(operation, answered, 403, "RequestError")


async def test_attack_a_guest_changes_nothing(walk: Api) -> None:
    async def state() -> list[bytes]:
        return [(await walk.call(Call("GET", f"/api/v1/{each}", walk.headers("owner")))).body for each in STATE]

    document = await walk.document()
    before = await state()
    for operation in operations(document):
        if operation.method not in {"GET", "HEAD"} and operation.name not in OPEN:
            body = encoded(valid_body(operation, document)) if operation.takes_json else b"some bytes"
            answered = await ask(walk, operation, walk.headers("guest"), body)
            assert operation.name == "leave" or answered.status == 403, (operation, answered)
    assert await state() == before


# --- what costs little --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ["status", "id", "limits", "me", "peers", "transfers"])
async def test_what_pages_ask_often_waits_for_no_thread(walk: Api, monkeypatch: pytest.MonkeyPatch, route: str) -> None:
    """The threads hash and write while files move, and whoever waits for one of them waits behind that."""

    def refuse(*_: object) -> None:
        raise AssertionError("a thread was asked")

    monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", refuse)
    assert (await walk.call(Call("GET", f"/api/v1/{route}", walk.headers("guest")))).status == 200


# --- what is turned away ----------------------------------------------------------------------------------------


async def test_attack_a_body_that_says_it_is_too_large(walk: Api) -> None:
    for operation in await every(walk):
        told = walk.headers("owner", **{"content-length": str(MAX_BODY + 1)})
        if operation.name == "drop":  # takes whole files, but not more than the disk has
            refused(operation, await ask(walk, operation, told | {"content-length": "9" * 14}), 507)
            refused(operation, await ask(walk, operation, told | {"content-length": "9" * 40}), 411)
            continue
        refused(operation, await ask(walk, operation, told), 413, "LimitError")


async def test_attack_a_body_that_does_not_say_how_large_it_is(walk: Api) -> None:
    for operation in await every(walk):
        if operation.takes_json:
            body = b'{"x":"' + b"x" * MAX_BODY + b'"}'
            answered = await walk.call(
                Call(operation.method, operation.url(), walk.headers("owner"), body, sized=False)
            )
            refused(operation, answered, 413)


async def test_attack_malformed_bodies(walk: Api) -> None:
    for operation in await every(walk):
        for body in MALFORMED if operation.takes_json else ():
            answered = await ask(walk, operation, walk.headers("owner"), body)
            refused(operation, answered, 400, "RequestError")
            assert "Traceback" not in answered.problem.error


async def test_a_field_that_does_not_exist_is_an_error_that_names_it(walk: Api) -> None:
    document = await walk.document()
    for operation in operations(document):
        if operation.takes_json:
            body = {**valid_body(operation, document), "no_such_field": 1}
            answered = await ask(walk, operation, walk.headers("owner"), encoded(body))
            refused(operation, answered, 400, "RequestError")
            assert "no_such_field" in answered.problem.error, (operation, answered)


async def test_parameters_out_of_their_bounds_are_errors(walk: Api) -> None:
    for operation in await every(walk):
        parameters = [each for each in operation.described.get("parameters", ()) if each["in"] == "query"]
        for each in parameters:
            for wrong in out_of_bounds(each["schema"]):
                needed = {other["name"]: "abcd" for other in parameters if other.get("required")}
                query = "?" + urlencode({**needed, each["name"]: wrong})
                refused(operation, await ask(walk, operation, walk.headers("owner"), query=query), 400)
            if each.get("required"):
                refused(operation, await ask(walk, operation, walk.headers("owner")), 400)


@pytest.mark.parametrize(
    "said", ["../../etc/passwd", "a/../b", "%", "\x00", "\u0663", "9" * 9000, "..", "{}", "a" * 52]
)
async def test_attack_odd_names_in_paths(walk: Api, said: str) -> None:
    for operation in await every(walk):
        if "{" in operation.path and operation.name not in PROCESSES:
            url = operation.url(quote(said, safe=""))
            answered = await walk.call(Call(operation.method, url, walk.headers("owner")))
            assert answered.status != 500, (operation, answered)


async def test_other_methods_are_refused(walk: Api) -> None:
    document = await walk.document()
    for path, methods in document["paths"].items():
        for method in {"get", "put", "post", "patch", "delete"} - set(methods):
            url = Operation(method, path, next(iter(methods.values()))).url()
            assert (await walk.call(Call(method.upper(), url, walk.headers("owner")))).status == 405, (method, path)


# --- bodies and parameters, from their schemas --------------------------------------------------------------------


def encoded(body: Any) -> bytes:
    return msgspec.json.encode(body)


def valid_body(operation: Operation, document: dict[str, Any]) -> dict[str, Any]:
    """The smallest body that a route takes."""
    schema = operation.described["requestBody"]["content"]["application/json"]["schema"]
    body = example(schema, document)
    assert isinstance(body, dict)
    return body


def example(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """Something that fits a schema."""
    if "$ref" in schema:
        return example(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    if "anyOf" in schema:
        return example(schema["anyOf"][0], document)
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        return {name: example(schema["properties"][name], document) for name in schema.get("required", ())}
    if schema.get("type") == "array":
        return [example(schema["items"], document)] * schema.get("minItems", 0)
    if schema.get("type") == "string":
        return "a" * schema.get("minLength", 1)
    return {"boolean": False, "null": None}.get(schema.get("type", ""), schema.get("minimum", 1))


def out_of_bounds(schema: dict[str, Any]) -> list[str]:
    """Values that a query parameter does not take."""
    if "enum" in schema:
        return ["no such word"]
    if schema.get("type") == "string":
        return ["x" * (schema["maxLength"] + 1)]
    if schema.get("type") == "boolean":
        return ["perhaps"]
    bound = schema.get("maximum", schema.get("exclusiveMaximum"))
    return ["x", "1e999", "nan", *([str(int(bound) + 1)] if bound is not None else [])]
