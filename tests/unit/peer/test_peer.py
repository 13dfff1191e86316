"""The Peer in the deck's words: known peers, handlers, routers, stabilizers, the main loop and an orderly stop."""

from __future__ import annotations

import asyncio

import pytest
from peer_world import LATENCY, PORT, CountTo, Elsewhere, Heard, Note, Number, Say, World, virtual

from peerage.errors import (
    DialError,
    LinkLostError,
    LocalError,
    NoRouteError,
    RefusedError,
    RequestTimeoutError,
    WrongPeerError,
)
from peerage.identity.address import Address
from peerage.peer.connection import PeerConnection
from peerage.peer.messages import LinkKind, Quit
from peerage.peer.peer import Peer
from peerage.peer.routers import NextHop
from peerage.peer.stabilizers import Stabilizer


def echo(_connection: PeerConnection, message: Say) -> Heard:
    return Heard(message.text)


async def settle() -> None:
    """Let what is on its way arrive."""
    await asyncio.sleep(1)


# --- known peers -----------------------------------------------------------------------------------------------------


@virtual
async def test_known_peers(world: World) -> None:
    peer, other, third = world.silent_peer("a"), world.key().peer_id, world.key().peer_id
    assert peer.number_of_peers() == 0
    assert peer.get_peer(other) is None
    assert peer.add_peer(other, Address("b", PORT))
    assert not peer.add_peer(other, Address("b", PORT))  # nothing new
    assert peer.add_peer(third, Address("c", PORT))
    assert peer.peer_ids() == sorted([other, third])
    known = peer.get_peer(other)
    assert known is not None
    assert known.addresses == (Address("b", PORT),)
    assert peer.remove_peer(other)
    assert not peer.remove_peer(other)
    assert peer.number_of_peers() == 1


@virtual
async def test_a_peer_is_not_its_own_peer(world: World) -> None:
    peer = world.silent_peer("a")
    assert not peer.add_peer(peer.peer_id, Address("a", PORT))


@virtual
async def test_positional_slots(world: World) -> None:
    peer, other = world.silent_peer("a"), world.key().peer_id
    with pytest.raises(LocalError, match="only a known peer"):
        peer.add_peer_at(3, other)
    peer.add_peer(other, Address("b", PORT))
    peer.add_peer_at(3, other)
    found = peer.get_peer_at(3)
    assert found is not None
    assert found.peer_id == other
    assert peer.get_peer_at(4) is None
    peer.remove_peer(other)
    assert peer.get_peer_at(3) is None
    assert not peer.remove_peer_at(3)


@virtual
async def test_the_maximum_is_told(world: World) -> None:
    peer = world.silent_peer("a")
    for number in range(peer.limits.known_peers):
        peer.table.met(world.key().peer_id if number else peer.peer_id, (), 1.0)
    assert not peer.max_peers_reached()
    peer.table.met(world.key().peer_id, (), 1.0)
    assert peer.max_peers_reached()
    assert not peer.add_peer(world.key().peer_id, Address("b", PORT))


# --- handlers -----------------------------------------------------------------------------------------------------------


@virtual
async def test_a_second_handler_is_an_error(world: World) -> None:
    peer = world.silent_peer("a")
    peer.add_handler(Say, echo)
    with pytest.raises(LocalError, match="SAY_ has a handler already"):
        peer.add_handler(Say, echo)
    peer.remove_handler(Say)
    with pytest.raises(LocalError, match="SAY_ has no handler"):
        peer.remove_handler(Say)
    peer.add_handler(Say, echo)


@virtual
async def test_a_message_without_a_code_cannot_be_handled(world: World) -> None:
    with pytest.raises(LocalError, match="four-letter code"):
        world.silent_peer("a").add_handler(Heard, lambda _connection, _message: None)


@virtual
async def test_a_plain_handler(world: World) -> None:
    server, _client, connection = await world.pair()
    server.add_handler(Say, echo)
    assert await connection.request(Say("hello")) == Heard("hello")


@virtual
async def test_a_coroutine_handler(world: World) -> None:
    server, _client, connection = await world.pair()

    async def slow_echo(connection: PeerConnection, message: Say) -> Heard:
        await asyncio.sleep(3)
        return Heard(message.text)

    server.add_handler(Say, slow_echo)
    loop = asyncio.get_running_loop()
    began = loop.time()
    answers = await asyncio.gather(*(connection.request(Say(str(number))) for number in range(10)))
    assert answers == [Heard(str(number)) for number in range(10)]
    assert loop.time() - began < 4  # side by side, not one after the other


@virtual
async def test_an_answer_in_parts(world: World) -> None:
    server, _client, connection = await world.pair()

    async def count(connection: PeerConnection, message: CountTo):
        for value in range(message.limit):
            await asyncio.sleep(0.1)
            yield Number(value)

    server.add_handler(CountTo, count)
    assert [part.value async for part in connection.request_parts(CountTo(5))] == [0, 1, 2, 3, 4]
    assert [part async for part in connection.request_parts(CountTo(0))] == []
    assert connection.waiting == 0


@virtual
async def test_an_answer_in_parts_has_a_deadline_for_the_whole(world: World) -> None:
    server, _client, connection = await world.pair()

    async def drip(connection: PeerConnection, message: CountTo):
        for value in range(message.limit):
            yield Number(value)
            await asyncio.sleep(1)

    server.add_handler(CountTo, drip)
    parts = connection.request_parts(CountTo(100), timeout=3.5)
    assert [(await anext(parts)).value for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(RequestTimeoutError):
        await anext(parts)


@virtual
async def test_parts_that_nobody_takes_any_more_are_dropped(world: World) -> None:
    server, _client, connection = await world.pair()

    async def count(connection: PeerConnection, message: CountTo):
        for value in range(message.limit):
            yield Number(value)

    server.add_handler(CountTo, count)
    server.add_handler(Say, echo)
    parts = connection.request_parts(CountTo(50))
    assert (await anext(parts)).value == 0
    await parts.aclose()
    assert connection.waiting == 0
    assert await connection.request(Say("still there")) == Heard("still there")


@virtual
async def test_one_way_messages_come_in_order(world: World) -> None:
    server, client, connection = await world.pair()
    heard: list[str] = []
    server.add_handler(Note, lambda _connection, message: heard.append(message.text))
    for number in range(100):
        connection.send(Note(str(number)))
    await settle()
    assert heard == [str(number) for number in range(100)]
    assert not client.metrics.value("protocol_violations")


# --- what goes wrong in a handler ----------------------------------------------------------------------------------------


@virtual
async def test_no_handler_for_a_request(world: World) -> None:
    server, _client, connection = await world.pair()
    with pytest.raises(RefusedError, match="no handler"):
        await connection.request(Say("?"))
    assert server.metrics.value("messages_unknown") == 1
    assert connection.is_open


@virtual
@pytest.mark.parametrize("kind", ["plain", "coroutine", "parts"])
async def test_a_handler_that_fails_harms_nobody_but_its_asker(world: World, kind: str, caplog) -> None:
    server, _client, connection = await world.pair()

    def plain(_connection: PeerConnection, _message: Say) -> Heard:
        raise ZeroDivisionError("our own secret")

    async def coroutine(_connection: PeerConnection, _message: Say) -> Heard:
        raise ZeroDivisionError("our own secret")

    async def parts(_connection: PeerConnection, _message: Say):
        raise ZeroDivisionError("our own secret")
        yield

    server.add_handler(Say, {"plain": plain, "coroutine": coroutine, "parts": parts}[kind])
    with pytest.raises(RefusedError) as caught:
        await connection.request(Say("boom"))
    assert caught.value.code == "internal"
    assert "secret" not in str(caught.value)
    assert "our own secret" in caplog.text
    assert server.metrics.value("requests_failed", "internal") == 1
    assert connection.is_open


@virtual
@pytest.mark.parametrize("answer", ["a text", Elsewhere("?"), {"a": 1}, Heard("x" * 70_000), Heard("\ud800")])
async def test_an_answer_that_cannot_be_sent_is_refused(world: World, answer: object) -> None:
    server, _client, connection = await world.pair()
    server.add_handler(Say, lambda _connection, _message: answer)  # type: ignore[arg-type,return-value]
    with pytest.raises(RefusedError):
        await connection.request(Say("?"))
    assert connection.is_open
    assert not server.metrics.value("protocol_violations")


@virtual
async def test_a_refusal_passes_on_its_reason(world: World) -> None:
    server, _client, connection = await world.pair()

    def refuse(_connection: PeerConnection, _message: Say) -> Heard:
        raise RefusedError("not-found", "nothing of that name \ud800" + "!" * 1000)

    server.add_handler(Say, refuse)
    with pytest.raises(RefusedError, match="nothing of that name") as caught:
        await connection.request(Say("?"))
    assert caught.value.code == "not-found"


@virtual
async def test_reasons_of_others_do_not_become_counters(world: World) -> None:
    server, _client, connection = await world.pair()

    def relay(_connection: PeerConnection, message: Say) -> Heard:
        raise RefusedError(message.text, "what somebody else made up")

    server.add_handler(Say, relay)
    for code in ("limit", "made-up", "x" * 32):
        with pytest.raises(Exception, match="what somebody else"):
            await connection.request(Say(code))
    names = {reason for name, reason, _count in server.metrics if name == "requests_failed"}
    assert names == {"limit", "bad-request"}


# --- routers ---------------------------------------------------------------------------------------------------------------


class Ring:
    """A ring of peers, as in the deck: each knows only its successor, and passes on what is not for itself."""

    def __init__(self, peer: Peer, successor: Peer) -> None:
        self.peer = peer
        self.successor = successor
        self.passed = 0

    def route(self, peer_id: bytes) -> NextHop | None:
        if peer_id == self.peer.peer_id:
            return None
        return NextHop(self.successor.peer_id, self.successor.addresses)

    async def handle(self, _connection: PeerConnection, message: Say) -> Heard:
        goal, _, text = message.text.partition(" ")
        if goal == self.peer.peer_id.hex():
            return Heard(f"{text} after {self.passed}")
        self.passed += 1
        return await self.peer.send_to(bytes.fromhex(goal), message)  # type: ignore[arg-type]


@virtual
async def test_send_to_through_a_ring_router(world: World) -> None:
    peers = [await world.peer(f"ring{number}") for number in range(6)]
    rings = [Ring(peer, peers[(index + 1) % 6]) for index, peer in enumerate(peers)]
    for ring in rings:
        ring.peer.add_router(ring.route)
        ring.peer.add_handler(Say, ring.handle)
    answer = await peers[0].send_to(peers[4].peer_id, Say(f"{peers[4].peer_id.hex()} hello"))
    assert answer == Heard("hello after 0")
    assert [ring.passed for ring in rings] == [0, 1, 1, 1, 0, 0]
    assert peers[0].connection_to(peers[4].peer_id) is None  # nobody but the successor was dialled
    peers[0].remove_router(rings[0].route)
    with pytest.raises(NoRouteError):
        await peers[0].send_to(peers[4].peer_id, Say("?"))


@virtual
async def test_the_neighbour_router_knows_known_peers(world: World) -> None:
    server, client = await world.peer("server"), world.silent_peer("client")
    server.add_handler(Say, echo)
    with pytest.raises(NoRouteError, match="no way to"):
        await client.send_to(server.peer_id, Say("?"))
    client.add_peer(server.peer_id, Address("nowhere", PORT), server.addresses[0])
    assert await client.send_to(server.peer_id, Say("hello")) == Heard("hello")
    known = client.get_peer(server.peer_id)
    assert known is not None
    assert known.proved
    assert known.addresses[0] == server.addresses[0]


@virtual
async def test_a_router_added_later_is_asked_first(world: World) -> None:
    server, client = await world.peer("server"), world.silent_peer("client")
    server.add_handler(Say, lambda connection, message: Heard(f"{connection.peer_id == client.peer_id}"))
    goal = world.key().peer_id
    client.add_router(lambda _peer_id: None)
    client.add_router(lambda _peer_id: NextHop(server.peer_id, server.addresses))
    assert await client.send_to(goal, Say("for somebody else")) == Heard("True")
    with pytest.raises(LocalError, match="never added"):
        client.remove_router(lambda _peer_id: None)


@virtual
async def test_dials_that_fail_are_remembered(world: World) -> None:
    client, gone = world.silent_peer("client"), world.key().peer_id
    world.network.add_host("server")
    client.add_peer(gone, Address("server", PORT))
    for failures in range(1, 8):
        with pytest.raises(DialError):
            await client.connect_to(gone)
        known = client.get_peer(gone)
        assert known is not None
        assert known.failures == failures
    with pytest.raises(DialError):
        await client.connect_to(gone)
    assert client.get_peer(gone) is None  # eight times in a row is enough


@virtual
async def test_send_to_a_one_way_message(world: World) -> None:
    server, client, _connection = await world.pair()
    heard: list[str] = []
    server.add_handler(Note, lambda _connection, message: heard.append(message.text))
    assert await client.send_to(server.peer_id, Note("hello")) is None
    await settle()
    assert heard == ["hello"]


@virtual
async def test_ask_keeps_its_link_for_the_next_one(world: World) -> None:
    server, client = await world.peer("server"), world.silent_peer("client")
    server.add_handler(Say, echo)
    for text in ("one", "two", "three"):
        assert await client.ask(server.addresses[0], Say(text)) == Heard(text)
    assert client.metrics.value("links", "out") == 1
    assert server.metrics.value("links", "in") == 1
    assert not server.metrics.value("links_failed", "LinkLostError")  # nor was one dialled and dropped again


@virtual
async def test_connect_checks_who_answers(world: World) -> None:
    server, client = await world.peer("server"), world.silent_peer("client")
    with pytest.raises(WrongPeerError, match="is .*, not "):
        await client.connect(server.addresses[0], expect=world.key().peer_id)
    assert (await client.connect(server.addresses[0], expect=server.peer_id)).peer_id == server.peer_id


@virtual
async def test_a_peer_does_not_dial_itself(world: World) -> None:
    peer = await world.peer("a")
    with pytest.raises(LocalError, match="this node itself"):
        await peer.connect(peer.addresses[0])
    await settle()
    assert peer.connections() == []


# --- live peers ------------------------------------------------------------------------------------------------------------


@virtual
async def test_live_peers_stay_and_silent_ones_go(world: World) -> None:
    server, client, _connection = await world.pair()
    rogue = await world.rogue(server)  # accepts everything, answers nothing
    await settle()
    assert len(server.neighbours()) == 2
    began = asyncio.get_running_loop().time()
    await server.check_live_peers()
    assert 10 <= asyncio.get_running_loop().time() - began < 11  # it really waited for the answer
    assert [each.peer_id for each in server.neighbours()] == [client.peer_id]
    assert server.metrics.value("peers_dead") == 1
    await rogue.lost


@virtual
async def test_pings_find_a_peer_that_lost_its_power(world: World) -> None:
    server, client, _connection = await world.pair()
    server.start_pings(30)
    host = world.network.find("client")
    assert host is not None
    await asyncio.sleep(100)
    assert len(server.neighbours()) == 1
    world.network.kill(host, silently=True)
    await asyncio.sleep(60)
    assert server.neighbours() == []
    assert client.metrics.value("peers_dead") == 0


@virtual
async def test_both_of_two_links_are_checked(world: World) -> None:
    one, other = await world.peer("one"), await world.peer("other")
    await asyncio.gather(one.connect(other.addresses[0]), other.connect(one.addresses[0]))
    assert len(one.connections()) == 2
    host = world.network.find("other")
    assert host is not None
    world.network.kill(host, silently=True)
    await one.check_live_peers()
    assert one.connections() == []


@virtual
async def test_a_bulk_link_may_be_silent_for_a_while_only(world: World) -> None:
    server, client = await world.peer("server"), world.silent_peer("client")
    await client.connect(server.addresses[0], kind=LinkKind.BULK)
    await settle()
    assert server.neighbours() == []
    host = world.network.find("client")
    assert host is not None
    world.network.kill(host, silently=True)
    await server.check_live_peers()
    assert len(server.connections()) == 1
    await asyncio.sleep(server.limits.idle_timeout)
    await server.check_live_peers()
    assert server.connections() == []


# --- the end ------------------------------------------------------------------------------------------------------------------


@virtual
async def test_run_until_stop(world: World) -> None:
    peer = await world.peer("a")
    running = asyncio.create_task(peer.run())
    await settle()
    assert not running.done()
    await peer.stop()
    await running


@virtual
async def test_cancelling_the_main_loop_stops_the_peer(world: World) -> None:
    server, client, _connection = await world.pair()
    running = asyncio.create_task(server.run())
    await settle()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await settle()
    assert client.neighbours() == []


@virtual
async def test_stop_says_quit_and_leaves_nothing(world: World) -> None:
    server, client, connection = await world.pair()
    rogue = await world.rogue(server)
    started = asyncio.Event()

    async def for_ever(connection: PeerConnection, message: Say) -> Heard:
        started.set()
        await asyncio.Event().wait()
        return Heard("never")

    server.add_handler(Say, for_ever)
    server.start_stabilizer(Stabilizer(settle, 0.1))
    asking = asyncio.create_task(connection.request(Say("?")))
    await started.wait()
    server.spawn(asyncio.Event().wait(), "work")  # type: ignore[arg-type]
    tasks = asyncio.all_tasks()
    await server.stop()
    left = asyncio.all_tasks() & tasks - {asking, asyncio.current_task()}
    assert not left
    assert server.connections() == []
    assert server.addresses == ()
    assert (await rogue.answer(Quit.code)).tag == 0
    with pytest.raises(LinkLostError, match="the other side has left"):
        await asking
    await settle()
    assert client.neighbours() == []


@virtual
async def test_a_stopped_peer_takes_and_makes_no_links(world: World) -> None:
    server, client = await world.peer("server"), await world.peer("client")
    address = server.addresses[0]
    dialling = asyncio.create_task(client.connect(address))
    await asyncio.sleep(LATENCY / 2)
    await client.stop()
    with pytest.raises(LocalError, match="has stopped"):
        await dialling
    with pytest.raises(LocalError, match="has stopped"):
        await client.listen(Address("client", PORT))
    await server.stop()
    with pytest.raises(DialError):
        await world.silent_peer("third").connect(address)


@virtual
async def test_stop_from_many_places_at_once(world: World) -> None:
    server, client, connection = await world.pair()

    async def stop(connection: PeerConnection, message: Note) -> None:
        await server.stop()

    server.add_handler(Note, stop)
    server.start_stabilizer(Stabilizer(server.stop, 0.05))
    connection.send(Note("stop"))
    await asyncio.gather(server.run(), server.stop(), server.stop())
    assert server.connections() == []
    await settle()
    assert client.neighbours() == []


@virtual
async def test_a_peer_that_does_not_say_goodbye_is_not_waited_for_long(world: World) -> None:
    server, _client, _connection = await world.pair()
    host = world.network.find("client")
    assert host is not None
    world.network.kill(host, silently=True)
    began = asyncio.get_running_loop().time()
    await server.stop()
    assert asyncio.get_running_loop().time() - began <= 2
    assert server.connections() == []


@virtual
async def test_a_link_that_was_given_up_is_not_left_open(world: World) -> None:
    server, client = await world.peer("server"), world.silent_peer("client")
    dialling = asyncio.create_task(client.connect(server.addresses[0]))
    await asyncio.sleep(5 * LATENCY)  # the handshake is over, the hello is on its way
    dialling.cancel()
    await asyncio.gather(dialling, return_exceptions=True)
    await settle()
    assert client.connections() == []
    assert server.connections() == []
    assert (await client.connect(server.addresses[0])).is_open
