"""The API against its own OpenAPI document: schemathesis asks every route what fits the document and what does not.

The node is a real one, with something to show in every list; the requests are the same in each run. A second node is
there to be its neighbour, and nobody else: nothing that is asked leaves this computer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import msgspec
import pytest
import schemathesis
from api_walk import Answered, Api, Call, api_of
from app_worlds import OpenNode
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from peerage.app.api.permissions import OPEN, RoleName, allowed
from peerage.app.node import Node
from peerage.errors import DialError
from peerage.identity.address import Address
from peerage.transport.tcp import TcpTransport

EXAMPLES: Final = {"owner": 6, "guest": 3}  # requests to each route that fit the document, and as many that do not
_FITS: Final = GenerationMode.POSITIVE
PROCESSES: Final = {"start_demo": "it starts a network of processes, which has tests of its own"}
CHECKS: Final = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture
async def walk(
    node: Node, open_node: OpenNode, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Api]:
    """The API of a node that knows somebody, shares, wants and wishes something."""
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(TcpTransport, "dial", _only_here(TcpTransport.dial))
    other = await open_node("other")
    await node.share(files)
    song = await other.share(_written(tmp_path / "other song.ogg", 3_000_000))
    await other.set_limits(up=64 * 1024)
    await node.get(song.link)
    await node.fetching.pause(song.link)
    async with api_of(node, tmp_path) as api:
        for route, body in (
            ("keys", {"name": "anna", "role": "guest"}),
            ("wishes", {"text": "blue train"}),
            ("votes", {"target": song.link, "opinion": "good"}),
        ):
            call = Call("POST", f"/api/v1/{route}", api.headers("owner"), msgspec.json.encode(body))
            assert (await api.call(call)).status == 201, route
        yield api


@pytest.mark.timeout(300)  # a thousand requests: twenty seconds of a computer that has nothing else to do
@pytest.mark.parametrize("role", ["owner", "guest"])
async def test_the_api_is_what_it_says(walk: Api, role: RoleName) -> None:
    document = await walk.document()
    loop, answers, failures = asyncio.get_running_loop(), Counter[tuple[str, int]](), list[str]()
    real = await _ids(walk)

    def ask(case: schemathesis.Case) -> None:
        """Make one request in the node's own loop, and hold the answer against the document."""
        try:
            request = _request(case, walk.headers(role))
        except httpx.InvalidURL:  # longer than any client sends, and any server takes
            return
        call = Call(request.method, request.url.raw_path.decode(), dict(request.headers), request.content)
        answered = asyncio.run_coroutine_threadsafe(walk.call(call), loop).result()
        name = case.operation.definition.raw["operationId"].removesuffix("_head")
        answers[name, answered.status] += 1
        assert answered.status != 500, (call, answered)
        try:
            checks = CHECKS if answered.status != 413 else CHECKS[:-1]  # what is too large is not looked at
            case.validate_response(_response(answered, request), checks=checks)
        except FailureGroup as found:
            asked = f"{call.method} {call.url[:200]} {call.body[:200]!r}"
            failures.append(f"{asked}: {answered.status} {answered.body[:300]!r}: {found.exceptions}"[:2000])
        if not (allowed(role, name) or name in OPEN):
            assert answered.status in {403, 404, 413}, (name, answered)

    await asyncio.to_thread(_ask_everything, document, _Asking(ask, real, EXAMPLES[role]))
    assert not failures, "\n".join(failures)
    silent = {each["get"]["operationId"] for each in document["paths"].values() if _plain(each)}
    for name in silent:
        assert answers[name, 200] or not allowed(role, name), name


async def _ids(walk: Api) -> list[str]:
    """Everything that can be named in a path."""
    found = []
    for route, field in (("peers", "peer_id"), ("shares", "content_id"), ("transfers", "content_id")):
        answered = await walk.call(Call("GET", f"/api/v1/{route}", walk.headers("owner")))
        listed = msgspec.json.decode(answered.body, type=list[dict[str, Any]])
        assert listed, route
        found += [each[field] for each in listed]
    return found


class _Asking(NamedTuple):
    """How to ask; `real` are names of what there is, as what is made up is never found."""

    ask: Callable[[schemathesis.Case], None]
    real: list[str]
    examples: int


def _ask_everything(document: dict[str, Any], asking: _Asking) -> None:
    """Ask every route."""
    for each in (document, *(said for methods in document["paths"].values() for said in methods.values())):
        each.pop("security", None)  # whoever asks has a token, whatever else is wrong
    schema = schemathesis.openapi.from_dict(document)
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.definition.raw["operationId"] in PROCESSES:
            continue
        for mode in (_FITS, GenerationMode.NEGATIVE):
            if mode is _FITS or _can_be_wrong(operation.definition.raw):
                _ask_one(operation.as_strategy(generation_mode=mode), asking, fits=mode is _FITS)


def _ask_one(cases: st.SearchStrategy[schemathesis.Case], asking: _Asking, *, fits: bool) -> None:
    @seed(5)
    @settings(
        max_examples=asking.examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, known=st.none() | st.sampled_from(asking.real) if fits else st.none())
    def run(case: schemathesis.Case, known: str | None) -> None:
        for name in {"said", "content_id"} & set(case.path_parameters) if known is not None else ():
            case.path_parameters[name] = known
        assume(_stays_here(case.body))
        asking.ask(case)

    run()


def _stays_here(body: Any) -> bool:
    """Whether no path of a body is a folder that is not the test's own, such as "/"."""
    texts = list(_texts(body))
    return not any(Path(text).is_absolute() or ".." in text for text in texts if "\0" not in text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _can_be_wrong(described: dict[str, Any]) -> bool:
    """Whether a route takes anything."""
    return bool(described.get("parameters") or described.get("requestBody"))


def _plain(methods: dict[str, Any]) -> bool:
    return "get" in methods and not methods["get"].get("parameters")


def _request(case: schemathesis.Case, headers: dict[str, str]) -> httpx.Request:
    said = case.as_transport_kwargs(base_url="http://127.0.0.1:7412", headers=headers)
    body = {name: said[name] for name in ("json", "data", "files", "content") if said.get(name) is not None}
    if isinstance(body.get("data"), bytes | str):
        body["content"] = body.pop("data")
    return httpx.Request(said["method"], said["url"], params=said.get("params"), headers=said["headers"], **body)


def _response(answered: Answered, request: httpx.Request) -> httpx.Response:
    response = httpx.Response(answered.status, headers=answered.headers, content=answered.body, request=request)
    response.elapsed = timedelta()
    return response


def _only_here(dial: Callable[..., Any]) -> Callable[..., Any]:
    async def checked(transport: TcpTransport, address: Address) -> Any:
        if address.host != "127.0.0.1":
            raise DialError("the tests stay on this computer")
        return await dial(transport, address)

    return checked


def _written(path: Path, size: int) -> Path:
    path.write_bytes(bytes(size))
    return path
