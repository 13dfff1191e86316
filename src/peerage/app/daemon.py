"""The daemon: a node with its local API, from start to an orderly stop; in the foreground, detached, or for a command.

Invariant: it stops in order on SIGTERM, SIGINT (a second one ends it at once) and when the API says so; SIGHUP lets it
read its settings again. Who detaches learns whether the daemon came up, and why not.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec

from peerage.app.api.control import Control
from peerage.app.api.models import Status
from peerage.app.config import Config, RemoteSettings
from peerage.app.doors import check_addresses
from peerage.app.home import DaemonInfo, Home
from peerage.app.logs import logging_to
from peerage.app.node import Node
from peerage.app.readiness import Manager
from peerage.app.serving import serve_api
from peerage.app.signals import Signals
from peerage.errors import ConfigError, PeerageError
from peerage.identity.network import Network

log = logging.getLogger("peerage.app")

Ready = Callable[[Status], None]

_PIPE_BYTES: Final = 64 * 1024


class DaemonOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a daemon is started with: its home, the configuration with all flags put in, perhaps a network."""

    home: Home
    config: Config
    network: Network | None = None  # made from a secret that is in no file; None: what the configuration says
    log_to_stderr: bool = False


def run(options: DaemonOptions, ready: Ready) -> None:
    """Run a daemon in this process until it is told to stop; `ready` hears when it is up. Raises why it cannot."""
    check_addresses(options.home, options.config)
    _run_in_loop(_serve(options, ready))


def detach(options: DaemonOptions) -> Status:
    """Run a daemon in a process of its own and return once it is up; raises why it did not come up.

    Call it before any thread or event loop was started: the process forks.
    """
    check_addresses(options.home, options.config)
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        _become_daemon(options, writing)
    os.close(writing)
    return _hear_from_child(reading, options.home)


@asynccontextmanager
async def temporary(home: Home, config: Config | None = None) -> AsyncIterator[DaemonInfo]:
    """Run the node of a home with its API for the duration of the block, on a free port; for single commands."""
    chosen = msgspec.structs.replace(config or home.config(), api="127.0.0.1:0", remote=RemoteSettings())
    async with Node.open(home, config=chosen) as node, serve_api(node, chosen.api, Control()) as address:
        info = DaemonInfo(pid=os.getpid(), api=str(address), started=time.time())
        home.announce(info)
        yield info


# --- inside -----------------------------------------------------------------------------------------------------


async def _serve(options: DaemonOptions, ready: Ready) -> None:
    control, manager = Control(), Manager.of_environment()
    signals = Signals(control)
    config = options.config
    options.home.create()
    with logging_to(options.home.log_file, config.log, also_stderr=options.log_to_stderr) as recent:
        async with (
            manager.watched(),
            Node.open(options.home, config=config, network=options.network) as node,
            serve_api(node, config.api, control) as address,
        ):
            node.logs = recent
            signals.reload(node)
            options.home.announce(DaemonInfo(pid=os.getpid(), api=str(address), started=time.time()))
            up = await node.status()
            log.info("up: version %s, process %d, listens at %s, API at %s", up.version, up.pid, up.listen, up.api)
            ready(up)
            manager.ready(f"Listens at {up.listen or 'nowhere'}, API at {up.api}")
            await control.wait()
            log.info("stopping")
            manager.stopping()
        log.info("stopped in order")


def _run_in_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run in the fastest loop there is."""
    try:
        import uvloop  # noqa: PLC0415 -- not on every platform
    except ImportError:
        asyncio.run(work)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work)


def _become_daemon(options: DaemonOptions, writing: int) -> None:
    """Leave the terminal, run, and never return; the first thing written to the pipe is how the start went."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    status = 1
    try:
        run(options, lambda up: _tell(writing, msgspec.json.encode(up)))
        status = 0
    except PeerageError as error:
        _tell(writing, b"!" + str(error).encode())
    except Exception as error:
        with logging_to(options.home.log_file, options.config.log):
            log.critical("the node ended unexpectedly", exc_info=error)
    finally:
        os._exit(status)


def _tell(writing: int, message: bytes) -> None:
    os.write(writing, message[:_PIPE_BYTES])
    os.close(writing)


def _hear_from_child(reading: int, home: Home) -> Status:
    with os.fdopen(reading, "rb") as pipe:
        message = pipe.read()
    if message.startswith(b"!"):
        raise ConfigError(message[1:].decode())
    try:
        return msgspec.json.decode(message, type=Status)
    except msgspec.DecodeError as error:
        raise ConfigError(f"the node did not come up; see {home.log_file}") from error
