"""How the API tells the daemon that it should stop."""

from __future__ import annotations

import asyncio


class Control:
    """Asked to stop by whoever has a reason: the API, a signal."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()

    def stop(self) -> None:
        """Ask; a second time changes nothing."""
        self._asked.set()

    async def wait(self) -> None:
        """Wait until somebody asks."""
        await self._asked.wait()
