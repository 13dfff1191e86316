import asyncio

import msgspec
from overlay_suite import STRANGER, LyingShelf, OverlaySuite
from overlay_world import MemoryWorld, TcpWorld, record
from supernode_world import HASTY, RULES, is_settled, overlay, until


class OneServes(OverlaySuite):
    """The second node of each world is a supernode, the others are its leaves."""

    rules = RULES
    made = 0

    def make_overlay(self, shelf):
        self.made += 1
        return overlay(shelf, capable=self.made == 2, rules=self.rules)


class TestSupernodeInMemory(OneServes):
    world = MemoryWorld

    async def settle(self, nodes):
        await asyncio.sleep(60)


class TestSupernodeOverTcp(OneServes):
    world = TcpWorld
    rules = HASTY

    async def settle(self, nodes):
        if len(nodes) > 1:
            await until(lambda: all(map(is_settled, nodes)))


class TestAllAreSupernodes(OverlaySuite):
    """Every node is a supernode without leaves, and searches by flooding."""

    world = MemoryWorld

    def make_overlay(self, shelf):
        return overlay(shelf, capable=True)

    async def settle(self, nodes):
        await asyncio.sleep(60)

    def test_forged_record(self):
        """A supernode may tell of others' records, and cannot change them: a stranger's real one is a hit."""

        async def main(world):
            honest, asker = await world.chain(2)
            shared = await honest.share("blue honest.flac")
            theirs = record(STRANGER, "blue stranger.flac")
            renamed = msgspec.structs.replace(theirs, name="blue renamed.flac")

            def lies(node):
                resigned = msgspec.structs.replace(record(node.peer.key, "blue own.flac"), signature=bytes(64))
                return LyingShelf(theirs, renamed, msgspec.structs.replace(shared, size=1), resigned)

            await world.link(asker, await world.add(lies))
            hits = await asker.search("blue", deadline=world.patience)
            assert sorted(hit.record.name for hit in hits) == ["blue honest.flac", "blue stranger.flac"]
            assert asker.metric("supernode_refused", "forged") == 3

        self.run(main)
