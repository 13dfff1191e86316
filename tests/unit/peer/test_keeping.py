"""Links that are held last, idle ones end on the dialling side, and a full peer makes room for newcomers."""

import asyncio

import msgspec
import pytest
from peer_world import Heard, Say, World, virtual

from peerage.errors import LimitError, LinkError, PeerageError
from peerage.limits import DEFAULT, LINK_IDLE, PING_INTERVAL, PRESSURE_GRACE
from peerage.peer.messages import LinkKind
from peerage.peer.peer import Peer

LONG = 1.3 * LINK_IDLE


async def crowd(world: World, server: Peer, size: int) -> None:
    for number in range(size):
        await world.silent_peer(f"crowd{number}").connect(server.addresses[0])


async def dial_all(client: Peer, servers: list[Peer]) -> None:
    for server in servers:
        await client.connect(server.addresses[0], kind=LinkKind.BULK)


@virtual
async def test_an_idle_link_is_closed_by_the_side_that_dialled(world: World):
    server, client, _ = await world.pair()
    await asyncio.sleep(LONG)
    assert client.connection_to(server.peer_id) is None
    assert server.connection_to(client.peer_id) is None
    assert (client.metrics.value("links_closed", "idle"), server.metrics.value("links_closed", "idle")) == (1, 0)


@virtual
async def test_pings_do_not_keep_an_idle_link(world: World):
    server, client, _ = await world.pair()
    server.start_pings(PING_INTERVAL)
    client.start_pings(PING_INTERVAL)
    await asyncio.sleep(LONG)
    assert client.connection_to(server.peer_id) is None


@virtual
async def test_a_link_for_a_question_ends_sooner_unless_somebody_holds_it(world: World):
    server, client, connection = await world.pair()
    other = await world.peer("other")
    lasting = await client.connect(other.addresses[0])
    client.close_soon(connection, 20.0)
    await asyncio.sleep(0.5 * LINK_IDLE)
    assert client.connection_to(server.peer_id) is None
    assert client.connection_to(other.peer_id) is not None
    client.hold(other.peer_id, "test")
    client.close_soon(lasting, 20.0)
    await asyncio.sleep(LONG)
    assert client.connection_to(other.peer_id) is not None


@virtual
async def test_a_held_link_lasts_until_the_last_release(world: World):
    server, client, _ = await world.pair()
    client.hold(server.peer_id, "one")
    client.hold(server.peer_id, "other")
    await asyncio.sleep(5 * LINK_IDLE)
    client.release(server.peer_id, "one")
    client.release(server.peer_id, "never held for this")
    await asyncio.sleep(LONG)
    assert client.connection_to(server.peer_id) is not None
    client.release(server.peer_id, "other")
    await asyncio.sleep(LONG)
    assert client.connection_to(server.peer_id) is None


@pytest.mark.parametrize("who_asks", ["client", "server"])
@virtual
async def test_a_link_that_is_used_by_either_side_lasts(world: World, who_asks: str):
    server, client, _ = await world.pair()
    asking, asked = (client, server) if who_asks == "client" else (server, client)
    asked.add_handler(Say, lambda _connection, _message: None)
    for _ in range(5):
        await asyncio.sleep(0.8 * LINK_IDLE)
        asking.connection_to(asked.peer_id).send(Say("hm"))
    assert client.connection_to(server.peer_id) is not None


@virtual
async def test_a_link_on_which_an_answer_is_awaited_is_not_idle(world: World):
    server, client, connection = await world.pair()

    async def ponder(_connection, _message):
        await asyncio.sleep(2 * LINK_IDLE)
        return Heard("oh")

    server.add_handler(Say, ponder)
    await connection.request(Say("hm"), 3 * LINK_IDLE)
    assert connection.is_open


@virtual
async def test_the_side_that_accepted_keeps_idle_links(world: World):
    server, client, _ = await world.pair()
    client.hold(server.peer_id, "test")
    await asyncio.sleep(10 * LINK_IDLE)
    assert server.connection_to(client.peer_id) is not None


@virtual
async def test_under_pressure_the_least_useful_unheld_link_gives_way(world: World):
    server = await world.peer("server", limits=msgspec.structs.replace(DEFAULT, connections=5))
    guests = [world.silent_peer(f"guest{number}") for number in range(4)]
    for guest in guests:
        await guest.connect(server.addresses[0])
        guest.hold(server.peer_id, "test")
        await asyncio.sleep(1)
    held, friend, useful, other = guests
    server.hold(held.peer_id, "test")
    server.table.update(friend.peer_id, friend=True)
    server.table.credit(useful.peer_id, bytes_from=1)
    await asyncio.sleep(PRESSURE_GRACE)
    await world.silent_peer("newcomer").connect(server.addresses[0])
    await asyncio.sleep(1)
    assert server.connection_to(other.peer_id) is None
    await world.silent_peer("newcomer2").connect(server.addresses[0])
    await asyncio.sleep(1)
    assert server.connection_to(useful.peer_id) is None
    with pytest.raises(LinkError):  # the rest is held, a friend's, or so new that a crowd must not displace it
        await crowd(world, server, 9)
    assert server.connection_to(held.peer_id) is not None
    assert server.connection_to(friend.peer_id) is not None


@virtual
async def test_denial_of_service_by_downloads_leaves_places_for_talk(world: World):
    server = await world.peer("server", limits=msgspec.structs.replace(DEFAULT, connections=16, talk_reserved=2))
    for number in range(14):
        await world.silent_peer(f"loader{number}").connect(server.addresses[0], kind=LinkKind.BULK)
    late = world.silent_peer("late")
    with pytest.raises(LinkError):
        await late.connect(server.addresses[0], kind=LinkKind.BULK)
    assert server.metrics.value("links_refused", "talk_reserved") == 1
    assert (await late.connect(server.addresses[0])).is_open
    assert (await world.silent_peer("later").connect(server.addresses[0])).is_open


@virtual
async def test_own_downloads_leave_places_for_talk(world: World):
    limits = msgspec.structs.replace(DEFAULT, connections=16, talk_reserved=2)
    client = world.silent_peer("client", limits=limits)
    servers = [await world.peer(f"server{number}") for number in range(16)]
    with pytest.raises(LimitError) as caught:
        await dial_all(client, servers)
    assert caught.value.limit == "talk_reserved"
    assert len(client.connections()) == 15
    assert (await client.connect(servers[15].addresses[0])).is_open


@virtual
async def test_nothing_is_watched_when_nothing_can_be_idle(world: World):
    server, client, _ = await world.pair()
    keeper = client._connector.keeper
    client.hold(server.peer_id, "test")
    await asyncio.sleep(LONG)
    assert keeper._timer is None
    client.release(server.peer_id, "test")
    assert keeper._timer is not None
    await client.stop()
    assert keeper._timer is None
    with pytest.raises(PeerageError):
        await client.connect(server.addresses[0])
