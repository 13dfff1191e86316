"""The demo network of a node: starts and ends it, and keeps the links to its nodes.

Invariant: its nodes are set apart (`Peer.set_apart`), so nobody else is told of them, no feature counts them among the
neighbours, and nothing of them is kept; when it ends their links have ended, and what was still coming in rests. It
runs at most once at a time. How a demo node is made is not known here.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio.subprocess import Process
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from peerage.app.api.demo_models import Demo, DemoState
from peerage.app.demo.child import running
from peerage.app.demo.orders import Orders, Report
from peerage.app.demo.shelves import SEARCHES
from peerage.content.download import ENDED, DownloadState
from peerage.content.source import Source
from peerage.content.transfers import Transfers
from peerage.errors import LocalError, PeerageError, StoreError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, format_id
from peerage.identity.network import Network
from peerage.overlay.flood import FloodOverlay
from peerage.peer.connection import PeerConnection
from peerage.peer.service import Service

if TYPE_CHECKING:
    from peerage.app.node import Node

log = logging.getLogger("peerage.app")

_LOOK: Final = 2.0  # seconds between two looks at the links
_STAMP: Final = 12  # characters
_HOLD: Final = "demo"


class DemoNetwork(Service):
    """The demo network of one node: off, until `begin`; `folder` is where its files are while it runs.

    `floods` says whether this node asks its neighbours at all: nobody else knows what the demo nodes have. `listeners`
    hear of the links to them: what shows them to the owner.
    """

    name = "demo"

    def __init__(self, network: Network, transfers: Transfers, folder: Path, floods: Callable[[], bool]) -> None:
        self._network = network
        self._transfers = transfers
        self._folder = folder
        self._floods = floods
        self._changing = asyncio.Lock()  # over starting and ending
        self._state: DemoState = "off"
        self._error = ""
        self.listeners: list[Service] = []
        self._linked: dict[PeerId, PeerConnection] = {}
        self._task: asyncio.Task[None] | None = None

    def view(self) -> Demo:
        """Return how it stands."""
        linked = sum(connection.is_open for connection in self._linked.values())
        words = SEARCHES if self._state == "running" else []
        return Demo(state=self._state, peers=linked, error=self._error, searches=list(words))

    async def begin(self) -> Demo:
        """Start it in the background, unless it runs."""
        async with self._changing:
            if self._task is None or self._task.done():
                self._state, self._error = "starting", ""
                self._task = self.peer.spawn(self._run(), "demo")
            return self.view()

    async def end(self) -> None:
        """End it; harmless when it does not run."""
        async with self._changing:
            task, self._task = self._task, None
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            self._state, self._error = "off", ""

    async def stop(self) -> None:
        """The node stops."""
        await self.end()

    # --- inside -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            if not self._floods():
                raise LocalError('the demo network needs the setting overlay = "auto" or "flood"')
            async with running(self._orders()) as (process, report):
                await self._use(process, report)
        except PeerageError as error:
            log.warning("%s", error)
            self._state, self._error = "failed", str(error)

    def _orders(self) -> Orders:
        owner = self.peer.peer_id
        stamp = blake3(owner, derive_key_context="peerage 2026 demo network").digest()
        return Orders(
            network=self._network.name,
            seed=self._network.seed(),
            private=self._network.private,
            owner=owner,
            folder=str(self._folder),
            stamp=format_id(stamp)[:_STAMP],
        )

    async def _use(self, process: Process, report: Report) -> None:
        """Be linked with its nodes for as long as the process runs."""
        places = {PeerId(each.peer_id): Address(each.host, each.port) for each in report.peers}
        contents = set(report.contents)
        try:
            for peer_id in places:
                self.peer.set_apart(peer_id)
                self.peer.hold(peer_id, _HOLD)
            await self._link(places)
            await self._go_on(contents, places)
            self._state = "running"
            while process.returncode is None:
                await asyncio.sleep(_LOOK)
                await self._link(places)
            raise StoreError("the process of the demo network has ended unexpectedly; start it again")
        finally:
            self._forget(places)
            await self._pause(contents)

    async def _link(self, places: dict[PeerId, Address]) -> None:
        """Connect to those that are not linked; the first failure does not keep it from the others."""
        for peer_id, address in places.items():
            if self.peer.connection_to(peer_id) is None:
                self._left(peer_id)
                with _noted():
                    self._came(await self.peer.connect(address, peer_id))

    def _came(self, connection: PeerConnection) -> None:
        self._linked[connection.peer_id] = connection
        for each in self.listeners:
            each.peer_connected(connection)

    def _left(self, peer_id: PeerId) -> None:
        connection = self._linked.pop(peer_id, None)
        if connection is not None:
            for each in self.listeners:
                each.peer_disconnected(connection)

    def _forget(self, places: dict[PeerId, Address]) -> None:
        for peer_id in places:
            self.peer.release(peer_id, _HOLD)
            self.peer.drop(peer_id, LocalError("the demo network ends"))
            self._left(peer_id)

    async def _pause(self, contents: set[bytes]) -> None:
        """Let what only the demo network has rest, until it is there again."""
        for content in contents:
            download = self._transfers.listed(content)
            if download is not None and download.state not in {*ENDED, DownloadState.PAUSED}:
                with _noted():
                    await self._transfers.pause(content)

    async def _go_on(self, contents: set[bytes], places: dict[PeerId, Address]) -> None:
        """Go on with what was left unfinished when it ended the last time."""
        for content in contents:
            download = self._transfers.listed(content)
            if download is not None and download.state is DownloadState.PAUSED:
                for peer_id, address in places.items():
                    download.add_source(Source(peer_id, (address,)))
                with _noted():
                    await self._transfers.resume(content)


async def mount_demo(node: Node) -> DemoNetwork:
    """Make the demo network of a node that has everything else, and mount it; it is off."""

    def floods() -> bool:
        return any(isinstance(each, FloodOverlay) for each in node.overlays.mounted)

    demo = DemoNetwork(node.network, node.transfers, node.home.demo_folder, floods)
    demo.listeners += [node.links, node.feeds]
    await node.peer.mount(demo)
    return demo


@contextmanager
def _noted() -> Iterator[None]:
    """Go on when one step fails, and note why."""
    try:
        yield
    except PeerageError as error:
        log.info("the demo network: %s", error)
