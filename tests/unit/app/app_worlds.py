"""What the tests of `app` share: configurations that stay on this computer, and a client of the local API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import msgspec

from peerage.app.api.control import Control
from peerage.app.config import Config
from peerage.app.node import Node

OpenNode = Callable[..., Awaitable[Node]]


def quiet(tmp_path: Path, **changes: object) -> Config:
    """A configuration that stays on this computer."""
    plain = Config(listen="127.0.0.1:0", lan=False, downloads=str(tmp_path / "downloads"), network="test")
    return msgspec.structs.replace(plain, **changes)


class Api:
    """A client of the local API of one node."""

    def __init__(self, address: str, token: str, control: Control) -> None:
        self.address = address
        self.token = token
        self.control = control
        self.http = httpx.AsyncClient(
            base_url=f"http://{address}/api/v1/", headers={"authorization": f"Bearer {token}"}, trust_env=False
        )

    async def as_role(self, role: str) -> httpx.AsyncClient:
        """Another client, with a key of this role."""
        response = await self.http.post("keys", content=msgspec.json.encode({"name": f"some {role}", "role": role}))
        headers = {"authorization": f"Bearer {response.json()['secret']}"}
        return httpx.AsyncClient(base_url=f"http://{self.address}/api/v1/", headers=headers, trust_env=False)
