from overlay_suite import OverlaySuite
from overlay_world import MemoryWorld, TcpWorld

from peerage.overlay.dht import DhtOverlay, DhtRules

RULES = DhtRules(join_delay=0.02, stamp_bits=4)


class SettledDht(DhtOverlay):
    """A table whose changes have reached the others when the call returns, as the suite expects."""

    async def publish(self, records):
        await super().publish(records)
        await self.settle()

    async def withdraw(self, records):
        await super().withdraw(records)
        await self.settle()


class TestDhtInMemory(OverlaySuite):
    world = MemoryWorld

    def make_overlay(self, shelf):
        return SettledDht(shelf, reachable=lambda: True, rules=RULES)


class TestDhtOverTcp(OverlaySuite):
    world = TcpWorld

    def make_overlay(self, shelf):
        return SettledDht(shelf, reachable=lambda: True, rules=RULES)
