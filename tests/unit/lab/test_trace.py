import asyncio
import random

from peerage.lab.clock import run_virtual
from peerage.lab.trace import Trace
from peerage.lab.world import World, WorldPlan
from peerage.peer.messages import Ping


def digest(*steps) -> str:
    async def main(_rng: random.Random) -> str:
        trace = Trace()
        for step in steps:
            if isinstance(step, str):
                trace.note(step)
            else:
                await asyncio.sleep(step)
        return trace.digest()

    return run_virtual(main)


def test_what_when_and_in_which_order_all_count():
    assert digest("a", 1, "b") == digest("a", 1, "b")
    assert (
        len({digest("a", 1, "b"), digest("b", 1, "a"), digest("a", 2, "b"), digest("a", "b"), digest("a", 1, "c")}) == 5
    )


def test_deliveries_are_counted():
    async def main(rng: random.Random) -> tuple[int, int, str]:
        async with World(rng, WorldPlan(peers=2)) as world:
            connection = await world.link(*world.nodes)
            before = world.trace.deliveries, world.trace.bytes
            await connection.request(Ping())
            return world.trace.deliveries - before[0], world.trace.bytes - before[1], world.trace.digest()

    first = run_virtual(main)
    assert first[0] == 2
    assert first[1] > 24
    assert first == run_virtual(main)
