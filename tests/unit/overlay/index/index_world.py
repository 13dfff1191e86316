"""Index overlays as the tests need them: quick to tell, closed at the end."""

from __future__ import annotations

import asyncio

from overlay_world import MemoryWorld

from peerage.catalogue.index_table import IndexBounds
from peerage.catalogue.record_index import RecordIndex
from peerage.lab.clock import InlineExecutor
from peerage.overlay.index import IndexAt, IndexOverlay, IndexRules
from peerage.overlay.index.server import IndexServer

QUICK = IndexRules(quiet=0.01)


class SettledIndex(IndexOverlay):
    """An overlay whose changes have reached the indexes when the call returns, as the suite expects."""

    spreading = 0.3  # seconds in which neighbours tell each other of an index

    async def publish(self, records):
        await super().publish(records)
        await self.settle()

    async def withdraw(self, records):
        await super().withdraw(records)
        await self.settle()

    async def settle(self):
        await asyncio.sleep(self.spreading)
        async with asyncio.timeout(20):
            while not self.settled:
                await asyncio.sleep(0.01)

    async def stop(self):
        await super().stop()
        if self._serve is not None:
            await self._serve.close()


class QuicklySettledIndex(SettledIndex):
    """The same over real sockets."""

    spreading = 0.03


def empty_index(bounds: IndexBounds | None = None) -> RecordIndex:
    """Return an index in memory, which is open without a word."""
    return RecordIndex(None, InlineExecutor(), bounds or IndexBounds())


class IndexWorld(MemoryWorld):
    """Nodes in virtual time that are told which indexes there are."""

    async def add_node(self, *, kind=SettledIndex, rules=QUICK, indexes=(), serves=False, shelf=None, bounds=None):
        """Add a node; `indexes` are the nodes whose indexes it is told to use."""
        serve = empty_index(bounds) if serves else None
        told = tuple(IndexAt(node.peer.peer_id, (node.address,)) for node in indexes)
        self.make_overlay = lambda shelf: kind(shelf, serve=serve, indexes=told, rules=rules)
        node = await self.add(shelf)
        node.served = serve
        return node

    def kill(self, node):
        """Let a node's computer go up in smoke."""
        self.network.kill(self.network.find(node.address.host))


def in_index_world(main):
    """Run `main(world)` in virtual time."""
    IndexWorld.run(None, main)


def lying(change):
    """Return a kind of overlay whose index answers `change(its answers)` instead."""

    class LyingServer(IndexServer):
        async def find(self, asker, message):
            return change(await super().find(asker, message))

    class LyingIndex(SettledIndex):
        def handlers(self):
            found = list(super().handlers())
            self._server.__class__ = LyingServer
            return found

    return LyingIndex
