"""The process of the demo network, as the node sees it: started, asked for its report, ended.

Invariant: when `running` is left the process has ended and its folder is gone, whatever happened. It holds a pipe to
this process, and ends by itself when that breaks: also after a kill -9 here nothing runs on.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from peerage.app.demo.orders import MAX_LINE, Orders, Report
from peerage.errors import StoreError

log = logging.getLogger("peerage.app")

_START: Final = 60.0  # seconds: files are made and hashed, on a slow computer
_STOP: Final = 5.0  # until a process that was asked to end is killed
_MODULE: Final = "peerage.app.demo"


@asynccontextmanager
async def running(orders: Orders) -> AsyncIterator[tuple[Process, Report]]:
    """Run the process for the duration of the block; gives it and its report. Raises StoreError when it fails."""
    await asyncio.to_thread(_empty, Path(orders.folder))
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", _MODULE),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            start_new_session=True,  # a Ctrl-C on the terminal is for the node, which ends it in order
            limit=MAX_LINE,
        )
    except OSError as error:
        raise StoreError(f"the demo network cannot be started: {error.strerror}") from error
    try:
        yield process, await _report_of(process, orders)
    finally:
        await _end(process)
        shutil.rmtree(orders.folder, ignore_errors=True)


def _empty(folder: Path) -> None:
    """Make a folder of this user alone, without what a process that was killed may have left; blocks."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise StoreError(f"the demo network has no room for its files: {error.strerror}") from error


async def _report_of(process: Process, orders: Orders) -> Report:
    assert process.stdin is not None and process.stdout is not None, "started with pipes"  # noqa: PT018 -- one reason
    process.stdin.write(msgspec.json.encode(orders) + b"\n")
    try:
        async with asyncio.timeout(_START):
            line = await process.stdout.readline()
        report = msgspec.json.decode(line, type=Report)
    except TimeoutError as error:
        raise StoreError(f"the demo network did not come up within {_START:.0f} seconds") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise StoreError("the process of the demo network ended at its start") from error
    if report.error:
        raise StoreError(f"the demo network did not come up: {report.error}")
    return report


async def _end(process: Process) -> None:
    """Ask it to end, and do not ask when that takes too long."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_STOP):
            await process.wait()
    except TimeoutError:
        log.warning("the process of the demo network does not end, and is killed")
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
