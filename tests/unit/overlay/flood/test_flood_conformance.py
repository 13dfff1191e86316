import asyncio

from overlay_suite import OverlaySuite
from overlay_world import MemoryWorld, TcpWorld

from peerage.overlay.flood import FloodOverlay, FloodRules


class TestFloodInMemory(OverlaySuite):
    world = MemoryWorld

    def make_overlay(self, shelf):
        return FloodOverlay(shelf)


class TestFloodOverTcp(OverlaySuite):
    world = TcpWorld

    def make_overlay(self, shelf):
        return FloodOverlay(shelf)


class TestFloodWithTables(OverlaySuite):
    """The same once all know each other's keyword tables."""

    world = MemoryWorld

    def make_overlay(self, shelf):
        return FloodOverlay(shelf)

    async def settle(self, nodes):
        await asyncio.sleep(5)


class TestFloodOf2001(OverlaySuite):
    world = MemoryWorld

    def make_overlay(self, shelf):
        return FloodOverlay(shelf, FloodRules.classic_2001())
