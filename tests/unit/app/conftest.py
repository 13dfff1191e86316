"""Real nodes on loopback, in homes of their own, and their local API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from app_worlds import Api, OpenNode, quiet

from peerage.app.api.control import Control
from peerage.app.home import Home
from peerage.app.node import Node
from peerage.app.serving import serve_api


@pytest.fixture
async def open_node(tmp_path: Path) -> AsyncIterator[OpenNode]:
    async with AsyncExitStack() as stack:

        async def open_one(name: str, **changes: object) -> Node:
            config = quiet(tmp_path / name, **changes)
            return await stack.enter_async_context(Node.open(tmp_path / name / "home", config=config))

        yield open_one


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Something to share: a folder with two songs and a text."""
    folder = tmp_path / "Alte Lieder"
    (folder / "deep").mkdir(parents=True)
    (folder / "first song.mp3").write_bytes(b"one" * 100_000)
    (folder / "deep" / "second song.ogg").write_bytes(b"two" * 200_000)
    (folder / "words.txt").write_text("la la la")
    return folder


@pytest.fixture
async def node(open_node: OpenNode) -> Node:
    return await open_node("one")


@pytest.fixture
async def api(node: Node) -> AsyncIterator[Api]:
    control = Control()
    async with serve_api(node, "127.0.0.1:0", control) as address:
        api = Api(str(address), Home(node.home.path).token(), control)
        async with api.http:
            yield api
