"""An event that costs next to nothing as long as nobody waits for it, for things there are ten thousand of.

Invariant: it behaves as `asyncio.Event` does; it has a real one only while somebody waits.
"""

from __future__ import annotations

import asyncio


class Signal:
    """Set or not; `wait` returns when it is set."""

    __slots__ = ("_event", "_set")

    def __init__(self) -> None:
        self._set = False
        self._event: asyncio.Event | None = None

    def is_set(self) -> bool:
        """Say whether it is set."""
        return self._set

    def set(self) -> None:
        """Wake all who wait, and let those who come later pass."""
        self._set = True
        event, self._event = self._event, None
        if event is not None:
            event.set()

    def clear(self) -> None:
        """Let those who come later wait again."""
        self._set = False

    async def wait(self) -> None:
        """Wait until it is set."""
        if not self._set:
            if self._event is None:
                self._event = asyncio.Event()
            await self._event.wait()
