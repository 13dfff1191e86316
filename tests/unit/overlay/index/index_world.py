"""Index overlays as the tests need them: quick to tell, closed at the end."""

from __future__ import annotations

import asyncio

from peerage.catalogue.index_table import IndexBounds
from peerage.catalogue.record_index import RecordIndex
from peerage.lab.clock import InlineExecutor
from peerage.overlay.index import IndexOverlay, IndexRules

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
