"""Who may connect: limits and bans with a reason and a counter, two that dial each other, addresses that are told."""

from __future__ import annotations

import asyncio

import pytest
from peer_world import LATENCY, PORT, Heard, Say, World, virtual

from peerage.errors import (
    LimitError,
    LinkError,
    LinkLostError,
    LocalError,
    RefusedError,
    RequestTimeoutError,
    WrongPeerError,
)
from peerage.identity.address import Address
from peerage.limits import MAX_ADDRESSES, Limits
from peerage.peer.connector import _reachable
from peerage.peer.messages import PROTOCOL_VERSION, Hello, LinkKind
from peerage.peer.peer import Peer
from peerage.wire.message import ERROR, Refusal, decode


async def settle() -> None:
    await asyncio.sleep(1)


async def meet(world: World, server: Peer, *, hosts: int = 1) -> list[object]:
    """Dial with one peer from each host; return what became of it."""
    dialling = [world.silent_peer(f"guest{number}").connect(server.addresses[0]) for number in range(hosts)]
    return await asyncio.gather(*dialling, return_exceptions=True)


@virtual
async def test_connections_in_all(world: World) -> None:
    server = await world.peer("server", limits=Limits(connections=3))
    outcomes = []
    for number in range(5):
        outcomes += await asyncio.gather(
            world.silent_peer(f"guest{number}").connect(server.addresses[0]), return_exceptions=True
        )
    assert sum(isinstance(outcome, Exception) for outcome in outcomes) == 2
    assert len(server.connections()) == 3
    assert server.metrics.value("links_refused", "connections") == 2
    await world.peers[1].stop()
    await settle()
    assert (await world.silent_peer("late").connect(server.addresses[0])).is_open


@virtual
async def test_connections_of_strangers_who_all_came_at_once(world: World) -> None:
    """The gate let all of them begin; the bound is kept at the end of the handshake too, and they are told why."""
    server = await world.peer("server", limits=Limits(connections=3))
    outcomes = await meet(world, server, hosts=5)
    refused = [outcome for outcome in outcomes if isinstance(outcome, LimitError)]
    assert len(refused) == 2
    assert refused[0].whose == "theirs"
    assert "connections is 3" in str(refused[0])
    assert len(server.connections()) == 3


@virtual
async def test_connections_per_peer(world: World) -> None:
    server = await world.peer("server", limits=Limits(connections_per_peer=2))
    client = world.silent_peer("client")
    for _ in range(2):
        await client.connect(server.addresses[0], kind=LinkKind.BULK)
    with pytest.raises(LimitError, match="connections_per_peer is 2"):
        await client.connect(server.addresses[0], kind=LinkKind.BULK)
    assert server.metrics.value("links_refused", "connections_per_peer") == 1
    assert (await world.silent_peer("other").connect(server.addresses[0])).is_open


@virtual
async def test_connections_per_address(world: World) -> None:
    server = await world.peer("server", limits=Limits(connections_per_address=2))
    for _ in range(2):
        await world.silent_peer("office").connect(server.addresses[0])
    with pytest.raises(LinkError):  # before the handshake no reason can be given
        await world.silent_peer("office").connect(server.addresses[0])
    assert server.metrics.value("links_refused", "connections_per_address") == 1
    assert (await world.silent_peer("elsewhere").connect(server.addresses[0])).is_open


@virtual
async def test_our_own_limit_when_dialling(world: World) -> None:
    client = world.silent_peer("client", limits=Limits(connections=1))
    one, other = await world.peer("one"), await world.peer("other")
    await client.connect(one.addresses[0])
    with pytest.raises(LimitError) as caught:
        await client.connect(other.addresses[0])
    assert caught.value.whose == "ours"
    await settle()
    assert other.connections() == []


@virtual
async def test_banned_peers_are_refused(world: World) -> None:
    server, client = await world.peer("server"), await world.peer("client")
    server.table.update(client.peer_id, banned=True)
    with pytest.raises(RefusedError, match="is banned here") as caught:
        await client.connect(server.addresses[0])
    assert caught.value.code == "forbidden"
    assert server.metrics.value("links_refused", "banned") == 1
    with pytest.raises(RefusedError, match="is banned here"):
        await server.connect(client.addresses[0], expect=client.peer_id)
    with pytest.raises(RefusedError, match="is banned here"):
        await server.connect(client.addresses[0])
    await settle()
    assert server.connections() == client.connections() == []


@virtual
async def test_a_ban_ends_the_links_that_exist(world: World) -> None:
    server, client, _connection = await world.pair()
    await client.connect(server.addresses[0], kind=LinkKind.BULK)
    server.drop(client.peer_id, LocalError("banned"))
    await settle()
    assert server.connections() == client.connections() == []


@virtual
async def test_a_full_peer_refuses_at_the_gate(world: World) -> None:
    server = await world.peer("server", limits=Limits(connections=1))
    await world.silent_peer("guest").connect(server.addresses[0])
    await settle()
    dialling = [world.rogue(server, host=f"rogue{number}", hello=False) for number in range(3)]
    outcomes = await asyncio.gather(*dialling, return_exceptions=True)
    assert all(isinstance(outcome, LinkError) for outcome in outcomes)
    assert server.metrics.value("links_refused", "connections") == 3


@virtual
async def test_the_reason_is_a_refusal_before_any_hello(world: World) -> None:
    server, key = await world.peer("server"), world.key()
    server.table.update(key.peer_id, banned=True)
    rogue = await world.rogue(server, key=key, hello=False)
    refusal = decode(Refusal, (await rogue.answer(ERROR)).payload)
    assert "banned" in refusal.reason
    await rogue.lost  # after a moment, though it never answered
    assert [frame.code for frame in rogue.frames] == [ERROR]


# --- two that dial each other --------------------------------------------------------------------------------------------


@virtual
async def test_two_peers_that_dial_each_other_at_once_agree_on_the_link(world: World) -> None:
    for number in range(8):
        one, other = await world.peer(f"one{number}"), await world.peer(f"other{number}")
        for peer in (one, other):
            peer.add_handler(Say, lambda connection, message: Heard(f"{message.text} {connection.outgoing}"))
        await asyncio.gather(one.connect(other.addresses[0]), other.connect(one.addresses[0]))
        await settle()
        here, there = one.connection_to(other.peer_id), other.connection_to(one.peer_id)
        assert here is not None
        assert there is not None
        assert here.outgoing is not there.outgoing  # the two ends of one link
        assert here.outgoing is (one.peer_id < other.peer_id)
        assert len(one.neighbours()) == len(other.neighbours()) == 1
        assert await here.request(Say("hi")) == Heard(f"hi {not here.outgoing}")


@virtual
async def test_when_one_of_two_links_ends_the_other_takes_over(world: World) -> None:
    one, other = await world.peer("one"), await world.peer("other")
    await asyncio.gather(one.connect(other.addresses[0]), other.connect(one.addresses[0]))
    await settle()
    first = one.connection_to(other.peer_id)
    assert first is not None
    first.close()
    await settle()
    second = one.connection_to(other.peer_id)
    assert second is not None
    assert second is not first
    assert len(one.connections()) == len(other.connections()) == 1


@virtual
async def test_many_dials_at_once_give_one_neighbour(world: World) -> None:
    server, client = await world.peer("server"), world.silent_peer("client")
    connections = await asyncio.gather(*(client.connect(server.addresses[0]) for _ in range(5)))
    await settle()
    assert {connection.peer_id for connection in connections} == {server.peer_id}
    assert len(client.neighbours()) == 1
    assert await client.connect(server.addresses[0]) in client.neighbours()


@virtual
async def test_talk_and_bulk_are_links_of_their_own(world: World) -> None:
    server, client, talk = await world.pair()
    bulk = await client.connect_to(server.peer_id, LinkKind.BULK)
    assert bulk is not talk
    assert client.connection_to(server.peer_id) is talk
    await settle()
    assert sorted(each.kind for each in server.connections()) == [LinkKind.BULK, LinkKind.TALK]
    assert len(server.neighbours()) == 1


# --- handshakes that come to nothing ----------------------------------------------------------------------------------------


@virtual
async def test_a_peer_that_says_no_hello_is_dropped(world: World) -> None:
    server = await world.peer("server")
    rogue = await world.rogue(server, hello=False)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await rogue.lost
    assert loop.time() - began < server.limits.handshake_timeout + 1
    assert server.metrics.value("links_failed", "RequestTimeoutError") == 1
    assert server.connections() == []


@virtual
async def test_dialling_a_peer_that_says_no_hello(world: World) -> None:
    client, key = world.silent_peer("client"), world.key()
    transport = world.transport("mute", key)
    links: list[object] = []

    class Gate:
        def admits(self, host: str) -> bool:
            return True

        def handshake_failed(self, reason: str) -> None: ...

    listener = await transport.listen(Address("mute", PORT), Gate(), links.append)
    with pytest.raises(RequestTimeoutError, match="no hello in time"):
        await client.connect(listener.addresses[0])
    assert len(links) == 1
    assert client.connections() == []
    await listener.close()


@virtual
async def test_a_link_that_breaks_before_the_hello(world: World) -> None:
    server, client = await world.peer("server"), world.silent_peer("client")
    dialling = asyncio.create_task(client.connect(server.addresses[0]))
    await asyncio.sleep(4.5 * LATENCY)
    one, other = world.network.find("server"), world.network.find("client")
    assert one is not None
    assert other is not None
    world.network.break_links(one, other)
    with pytest.raises(LinkLostError):
        await dialling
    await settle()
    assert client.connections() == server.connections() == []
    assert (await client.connect(server.addresses[0])).is_open


@virtual
async def test_wrong_peer_leaves_no_link(world: World) -> None:
    server, client = await world.peer("server"), world.silent_peer("client")
    with pytest.raises(WrongPeerError):
        await client.connect(server.addresses[0], expect=world.key().peer_id)
    await settle()
    assert client.connections() == server.connections() == []


# --- what is told about addresses ----------------------------------------------------------------------------------------------


@virtual
async def test_a_dialler_is_remembered_where_it_listens(world: World) -> None:
    server, client, _connection = await world.pair()
    await settle()
    known = server.get_peer(client.peer_id)
    assert known is not None
    assert known.addresses == (Address("client", PORT),)


@virtual
async def test_a_full_table_of_friends_does_not_keep_others_out(world: World) -> None:
    server = await world.peer("server", limits=Limits(known_peers=3))
    for _ in range(3):
        server.table.update(world.key().peer_id, friend=True)
    client = await world.peer("client")
    assert (await client.connect(server.addresses[0])).is_open
    await settle()
    assert len(server.neighbours()) == 1
    assert server.get_peer(client.peer_id) is None


def hello(*addresses: Address) -> Hello:
    return Hello(PROTOCOL_VERSION, LinkKind.TALK, "test", addresses)


def test_a_hello_cannot_point_at_third_parties() -> None:
    remote = Address("192.0.2.1", 50_000)
    told = hello(
        Address("", 7411),
        Address("192.0.2.1", 7412),
        Address("198.51.100.7", 80),  # a victim
        Address("victim.example", 80),
        Address("127.0.0.1", 22),
        Address("localhost", 22),
        Address("127.1", 22),
        Address("", 0),
    )
    assert _reachable(told, remote) == (Address("192.0.2.1", 7411), Address("192.0.2.1", 7412))


def test_on_one_computer_loopback_is_reachable() -> None:
    assert _reachable(hello(Address("127.0.0.1", 7411)), Address("127.0.0.1", 1)) == (Address("127.0.0.1", 7411),)


@virtual
async def test_a_rogue_cannot_tell_more_addresses_than_allowed(world: World) -> None:
    server = await world.peer("server")
    rogue = await world.rogue(server, hello=False)
    rogue.say(hello(*(Address("", port) for port in range(1, MAX_ADDRESSES + 2))))
    await rogue.lost
    assert server.metrics.value("protocol_violations") == 1
