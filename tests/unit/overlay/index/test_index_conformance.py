from index_world import QUICK, QuicklySettledIndex, SettledIndex, empty_index
from overlay_suite import OverlaySuite
from overlay_world import MemoryWorld, TcpWorld

from peerage.overlay.base import SearchRequest


class OneServes(OverlaySuite):
    """The second node of each world serves an index, of which the others hear."""

    kind = SettledIndex
    made = 0

    def make_overlay(self, shelf):
        self.made += 1
        return self.kind(shelf, serve=empty_index() if self.made == 2 else None, rules=QUICK)


class TestIndexInMemory(OneServes):
    world = MemoryWorld


class TestIndexOverTcp(OneServes):
    world = TcpWorld
    kind = QuicklySettledIndex


class TestIndexServedByAll(OverlaySuite):
    """Every node serves an index, and registers with some of the others."""

    world = MemoryWorld

    def make_overlay(self, shelf):
        return SettledIndex(shelf, serve=empty_index(), rules=QUICK)

    def test_what_one_publishes_another_finds_through_a_third(self):
        async def main(world):
            a, b, c = await world.chain(3)
            shared = await a.share("Blue Train.flac")
            async with c.overlay.search(SearchRequest(text="blue train", wanted=1)) as search:
                (hit,) = [hit async for hit in search]
            assert hit.record == shared
            assert a.address in hit.holder.addresses
            assert search.cost.peers_asked == search.cost.messages_sent == 0  # it is in the asker's own index

        self.run(main)
