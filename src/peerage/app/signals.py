"""What a daemon does when it gets a signal: stop in order, or read its settings again.

Invariant: the first SIGTERM or SIGINT stops it in order, a second one ends it at once. SIGHUP tells a process at a
terminal that the terminal was closed, so it stops; it tells all others to read the configuration file.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from peerage.app.api.control import Control
from peerage.errors import PeerageError

if TYPE_CHECKING:
    from peerage.app.node import Node

log = logging.getLogger("peerage.app")


class Signals:
    """The signals of one daemon; to be made in its event loop."""

    def __init__(self, control: Control) -> None:
        self._loop = asyncio.get_running_loop()
        self._control = control
        self._stays = _stays_at_hangup()
        for each in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(each, self._stop)
        self._at_hangup(_nothing if self._stays else self._stop)  # what it would read is being read

    def reload(self, node: Node) -> None:
        """Let a node that is up read its settings at SIGHUP."""
        if self._stays:
            self._at_hangup(lambda: _reload_soon(node))

    def _stop(self) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            self._loop.remove_signal_handler(each)
        self._control.stop()

    def _at_hangup(self, do: Callable[[], None]) -> None:
        self._loop.add_signal_handler(signal.SIGHUP, do)


def _nothing() -> None: ...


def _stays_at_hangup() -> bool:
    """Whether this process goes on when a terminal is closed: it has none, or was told so, as by nohup."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return True
    return False


def _reload_soon(node: Node) -> None:
    async def reload() -> None:
        try:
            await node.settings.reload()
        except PeerageError as error:
            log.error("%s", error)  # noqa: TRY400 -- the owner's mistake, told in a sentence

    node.peer.spawn(reload(), "reload")
