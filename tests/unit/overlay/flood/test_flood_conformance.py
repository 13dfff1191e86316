from overlay_suite import OverlaySuite
from overlay_world import MemoryWorld, TcpWorld

from peerage.overlay.flood import FloodOverlay


class TestFloodInMemory(OverlaySuite):
    world = MemoryWorld

    def make_overlay(self, shelf):
        return FloodOverlay(shelf)


class TestFloodOverTcp(OverlaySuite):
    world = TcpWorld

    def make_overlay(self, shelf):
        return FloodOverlay(shelf)
