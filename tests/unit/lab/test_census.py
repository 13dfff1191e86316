import random

from peerage.lab.census import Census, Count, Traffic
from peerage.lab.clock import run_virtual
from peerage.lab.world import World, WorldPlan
from peerage.peer.handlers import Bulk
from peerage.peer.messages import Ping, Quit
from peerage.wire.frame import HEADER_BYTES
from peerage.wire.message import Request, encode


class Fetch(Request["Fetch"], frozen=True):
    code = b"FTCH"
    size: int


SIZE = 200_000


class Target:
    length = SIZE

    def allocate(self) -> memoryview:
        return memoryview(bytearray(SIZE))

    def progress(self, count: int) -> None:
        pass


def counted(talk, **plan) -> Count:
    async def main(rng: random.Random) -> Count:
        async with World(rng, WorldPlan(peers=2, traced=False, **plan)) as world:
            one, other = world.nodes
            other.peer.add_handler(Fetch, lambda _connection, message: Bulk(bytes(message.size)))
            census = Census()
            world.net.tap = census.note_delivery
            connection = await world.link(one, other)
            await connection.request(Ping())
            census.take()
            await talk(connection)
            return census.take()

    return run_virtual(main)


def test_requests_and_their_replies_count_under_the_request():
    async def talk(connection):
        for _ in range(5):
            await connection.request(Ping())

    count = counted(talk)
    assert count.by_code.keys() == {b"PING"}
    assert count.by_code[b"PING"].messages == 10
    assert count.of({b"PING"}) == count.total()
    assert count.of({b"QUER"}) == Traffic()
    assert list(count.by_host.values()) == [5, 5]


def test_messages_in_one_write_are_told_apart_and_measured_with_their_headers():
    async def talk(connection):
        for _ in range(7):
            connection.send(Quit())
        await connection.wait_closed()

    count = counted(talk)
    assert count.by_code[b"QUIT"] == Traffic(7, 7 * len(encode(Quit())))


def test_a_frame_that_comes_in_pieces_counts_once():
    async def talk(connection):
        await connection.post_bulk(Fetch(SIZE), Target())

    count = counted(talk, up=1e6, down=1e6)
    assert count.by_code[b"FTCH"] == Traffic(2, SIZE + HEADER_BYTES + len(encode(Fetch(SIZE))))


def test_what_is_taken_is_not_counted_again():
    async def nothing(_connection):
        pass

    assert counted(nothing).total() == Traffic()


def test_traffic_is_reckoned_with():
    assert Traffic(3, 30) + Traffic(1, 2) - Traffic(2, 2) == Traffic(2, 30)
    assert Traffic(3, 30).times(0.5) == Traffic(1.5, 15)
