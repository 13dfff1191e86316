"""The process of the demo network: reads its orders, runs the nodes, and ends with the node that it is for.

Invariant: it ends when its standard input does, when its parent process has gone, or when it is told to, whichever
comes first; its folder is then removed. It says one line, and logs nothing.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from peerage.app.demo.nodes import DemoNode, Place, demo_node
from peerage.app.demo.orders import MAX_LINE, DemoPeer, Orders, Report
from peerage.app.demo.shelves import fill
from peerage.errors import PeerageError
from peerage.identity.keys import PeerId
from peerage.identity.network import Network

_THREADS: Final = 4
_LOOK: Final = 1.0  # seconds between two looks whether the parent is still there


def main() -> None:
    """Run until it is time to go."""
    parent = os.getppid()
    try:
        orders = msgspec.json.decode(sys.stdin.buffer.readline(MAX_LINE), type=Orders)
    except msgspec.DecodeError:
        raise SystemExit("this is started by a node, for its demo network") from None
    try:
        asyncio.run(_serve(orders, parent))
    finally:
        shutil.rmtree(orders.folder, ignore_errors=True)


async def _serve(orders: Orders, parent: int) -> None:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    loop.add_reader(sys.stdin.fileno(), _read_input, over)
    try:
        async with _nodes(orders) as nodes:
            _say(_report_of(nodes))
            while not over.is_set() and os.getppid() == parent:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK):
                        await over.wait()
    except (PeerageError, OSError) as error:
        _say(Report(error=str(error)))


@asynccontextmanager
async def _nodes(orders: Orders) -> AsyncIterator[list[DemoNode]]:
    """Make the files and run the nodes for the duration of the block."""
    async with AsyncExitStack() as stack:
        executor = stack.enter_context(ThreadPoolExecutor(_THREADS, "demo"))
        network = Network(orders.network, orders.seed, private=orders.private)
        place = Place(network, PeerId(orders.owner), executor)
        loop = asyncio.get_running_loop()
        shelves = await loop.run_in_executor(executor, fill, Path(orders.folder), orders.stamp)
        yield [await stack.enter_async_context(demo_node(place, shelf)) for shelf in shelves]


def _read_input(over: asyncio.Event) -> None:
    """Nothing more is said; the end is what counts."""
    if not os.read(sys.stdin.fileno(), MAX_LINE):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        over.set()


def _report_of(nodes: list[DemoNode]) -> Report:
    return Report(
        peers=[DemoPeer(peer_id=node.peer.peer_id, host=node.address.host, port=node.address.port) for node in nodes],
        contents=sorted({content for node in nodes for content in node.contents}),
    )


def _say(report: Report) -> None:
    with suppress(BrokenPipeError):
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
