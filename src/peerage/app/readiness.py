"""Tells the service manager that started this process how it is: ready, stopping, still alive (sd_notify).

Invariant: without NOTIFY_SOCKET in the environment nothing is sent and nothing is tried; a manager that cannot be
reached never disturbs the node. "Still alive" comes out of the event loop, so a loop that hangs is noticed. The
protocol is that of sd_notify(3): datagrams of assignments to a Unix socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Final

log = logging.getLogger("peerage.app")

_SOCKET: Final = "NOTIFY_SOCKET"
_PERIOD: Final = "WATCHDOG_USEC"
_WHOM: Final = "WATCHDOG_PID"
_MICROSECONDS: Final = 1_000_000


class Manager:
    """The service manager, told nothing where there is none; `period`: seconds between signs of life, 0 for none."""

    def __init__(self, place: str = "", period: float = 0.0) -> None:
        self._place = f"\0{place[1:]}" if place.startswith("@") else place
        self.period = period

    @classmethod
    def of_environment(cls, environment: MutableMapping[str, str] | None = None) -> Manager:
        """Return who started this process, and take it out of the environment: children are not the service."""
        known = os.environ if environment is None else environment
        place, period, whom = (known.pop(name, "") for name in (_SOCKET, _PERIOD, _WHOM))
        for_us = whom in ("", str(os.getpid()))
        wanted = int(period) / _MICROSECONDS if for_us and period.isdecimal() else 0.0
        return cls(place if place.startswith(("/", "@")) else "", wanted / 2)

    def ready(self, says: str) -> None:
        """Tell that the service is up, and what it says of itself, in one line."""
        self._tell("READY=1", f"STATUS={says}")

    def stopping(self) -> None:
        """Tell that the service is on its way down."""
        self._tell("STOPPING=1", "STATUS=Stopping")

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Give signs of life for the duration of the block, where they are expected."""
        if not (self._place and self.period):
            yield
            return
        living = asyncio.create_task(self._live(), name="watchdog")
        try:
            yield
        finally:
            living.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await living

    # --- inside -------------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        while True:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self.period)

    def _tell(self, *assignments: str) -> None:
        if not self._place:
            return
        message = "\n".join(assignments).encode()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
                sending.setblocking(False)
                sending.sendto(message, self._place)
        except OSError as error:
            log.debug("the service manager at %s cannot be told: %s", self._place, error)
