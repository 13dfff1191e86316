import pytest
from dht_samples import RULES
from overlay_suite import OverlaySuite
from overlay_world import MemoryWorld, TcpWorld

from peerage.overlay.dht import DhtOverlay


class SettledDht(DhtOverlay):
    """A table whose changes have reached the others when the call returns, as the suite expects."""

    async def publish(self, records):
        await super().publish(records)
        await self.settle()

    async def withdraw(self, records):
        await super().withdraw(records)
        await self.settle()


class DhtSuite(OverlaySuite):
    """Every test ends when nobody reaches for anybody any more."""

    @pytest.fixture(autouse=True)
    def made(self):
        self.overlays = []

    def make_overlay(self, shelf):
        self.overlays.append(SettledDht(shelf, reachable=lambda: True, rules=RULES))
        return self.overlays[-1]

    def run(self, main):
        async def to_the_end(world):
            await main(world)
            for overlay in self.overlays:
                await overlay.settle()

        super().run(to_the_end)


class TestDhtInMemory(DhtSuite):
    world = MemoryWorld


class TestDhtOverTcp(DhtSuite):
    world = TcpWorld
